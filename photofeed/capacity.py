"""What a number of people needs: cores, memory, storage and traffic, from figures that were measured.

Each figure names the command that measures it. The sums are linear; what is not, is in docs/scale.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import nan

from photofeed.errors import InvalidError
from photofeed.settings import Settings
from photofeed.topics import PHOTO_UPLOADED

DAY_SECONDS = 86_400
GB, TB = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure, and the command that prints it."""

    value: float
    unit: str
    command: str


_FEED, _FEATURES = "make bench-feed", "make bench-features"
_IMAGES, _SIZES = "make bench-images", "make bench-sizes"

FEEDS_PER_CORE = Figure(240, "feeds per second and core", _FEED)
DELIVERIES_PER_CORE = Figure(350_000, "timeline entries per second and core", _FEED)
EVENTS_PER_CORE = Figure(57_000, "events per second and core", _FEATURES)
PHOTO_CORE_SECONDS = Figure(1.05, "core seconds per photo of 12 megapixels, all files", _IMAGES)
TIMELINE_ENTRY = Figure(89, "bytes per timeline entry in Redis", _SIZES)
SLATE = Figure(33_936, "bytes per slate in Redis", _SIZES)
PERSON_ROWS = Figure(336, "bytes of a person's features in Redis, as viewer and as creator", _SIZES)
TOPIC_ROW = Figure(104, "bytes of a pair of viewer and topic in Redis", _SIZES)
PAIR_ROW = Figure(176, "bytes of a pair of viewer and creator in Redis", _SIZES)
POST_ROWS = Figure(328, "bytes of a post's features in Redis", _SIZES)
EVENT = Figure(322, "bytes per event in Kafka", _SIZES)
SERVED_PAGE = Figure(20_897, "bytes per page in the served log", _SIZES)
PERSON_ROW = Figure(168, "bytes per person in PostgreSQL", _SIZES)
FOLLOW_ROW = Figure(118, "bytes per follow in PostgreSQL", _SIZES)
LIKE_ROW = Figure(109, "bytes per like in PostgreSQL", _SIZES)
PHOTO_FILES = Figure(2_223_047, "bytes of all files of a photo", _SIZES)
PHOTO_SHOWN = Figure(60_462, "bytes of an image in a feed", _SIZES)

FIGURES = (
    FEEDS_PER_CORE,
    DELIVERIES_PER_CORE,
    EVENTS_PER_CORE,
    PHOTO_CORE_SECONDS,
    TIMELINE_ENTRY,
    SLATE,
    PERSON_ROWS,
    TOPIC_ROW,
    PAIR_ROW,
    POST_ROWS,
    EVENT,
    SERVED_PAGE,
    PERSON_ROW,
    FOLLOW_ROW,
    LIKE_ROW,
    PHOTO_FILES,
    PHOTO_SHOWN,
)
SLATE_SECONDS = 600.0
KEPT_DAYS = PHOTO_UPLOADED.retention.days


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do. Assumptions, not measured: `photofeed size` prints them and takes others.

    Attributes:
        peak: the busiest minute compared with the mean.
        utilisation: share of a core that may be busy at the peak.
        follows: accounts that a person follows.
        creators: accounts that a person has engaged with lately.
        topics: topics that a person has engaged with lately.
        events_per_feed: impressions, dwell, opens and the rest, per feed page.
        likes_per_feed: likes per feed page.
        images_per_feed: images that a feed page loads.
        original_bytes: of an upload.
        hot_days: how long features and timelines of posts matter.
    """

    peak: float = 3.0
    utilisation: float = 0.6
    follows: float = 200
    creators: float = 100
    topics: float = 10
    events_per_feed: float = 20.0
    likes_per_feed: float = 0.5
    images_per_feed: float = 10.0
    original_bytes: float = 4e6
    edge_hit_rate: float = 0.99
    hot_days: float = 30.0


def habits_with(changes: Sequence[str]) -> Habits:
    """The assumed habits with changes like `follows=300`.

    Raises:
        InvalidError: no such habit, or not a number above 0; above 1e12; a utilisation or hit rate above 1.
    """
    habits = Habits()
    for change in changes:
        name, _, text = change.partition("=")
        known = {field.name for field in fields(Habits)}
        if name not in known:
            raise InvalidError(f"there is no habit {name!r}; there are {', '.join(sorted(known))}")
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not 0 < value <= _MOST or (name in _SHARES and value > 1):
            raise InvalidError(f"{name}={text!r} is not a number above 0 and up to {1 if name in _SHARES else _MOST:g}")
        habits = replace(habits, **{name: value})
    return habits


_MOST = 1e12
_SHARES = frozenset({"utilisation", "edge_hit_rate"})


@dataclass(frozen=True, slots=True)
class Demand:
    """How many people, posts a day, and feed pages a second on average."""

    people: float
    posts_per_day: float
    feeds_per_second: float
    habits: Habits = Habits()


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the sums.

    Attributes:
        limit: above this the design has to change, as docs/scale.md says; None if it only has to be paid for.
    """

    name: str
    amount: float
    unit: str
    sum_: str
    limit: float | None = None

    def __str__(self) -> str:
        return f"{self.name:<30} {_rounded(self.amount):>10} {self.unit:<10} {self.sum_}"

    @property
    def strain(self) -> float:
        """The amount as a share of the limit; 0 without a limit."""
        return self.amount / self.limit if self.limit else 0.0


def _rounded(amount: float) -> str:
    """Two significant digits, or whole from 100 on."""
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.2g}"  # noqa: PLR2004  where digits stop to matter


def needs(demand: Demand) -> list[Need]:
    """Everything that a demand needs, in the order of the paths: photo, feed, engagement, storage, traffic."""
    return [*_processors(demand), *_memory(demand), *_storage(demand), *_traffic(demand)]


def _busy_cores(per_second: float, per_core: float, habits: Habits) -> float:
    return per_second * habits.peak / per_core / habits.utilisation


def _processors(demand: Demand) -> Iterator[Need]:
    habits = demand.habits
    posts = demand.posts_per_day / DAY_SECONDS
    photos = _busy_cores(posts, 1 / PHOTO_CORE_SECONDS.value, habits)
    yield Need(
        "API cores",
        _busy_cores(demand.feeds_per_second, FEEDS_PER_CORE.value, habits),
        "cores",
        f"feeds x peak / {FEEDS_PER_CORE.value:g} / utilisation",
    )
    yield Need("photo cores", photos, "cores", f"posts x peak x {PHOTO_CORE_SECONDS.value:g} s / utilisation")
    yield Need(
        "partitions of photo.uploaded",
        max(PHOTO_UPLOADED.partitions, photos),
        "partitions",
        "one worker per core, one partition per worker",
        limit=1_000,
    )
    yield Need(
        "fan-out cores",
        _busy_cores(posts * habits.follows, DELIVERIES_PER_CORE.value, habits),
        "cores",
        f"posts x followers x peak / {DELIVERIES_PER_CORE.value:g} / utilisation",
    )
    events = demand.feeds_per_second * habits.events_per_feed
    yield Need(
        "features cores",
        _busy_cores(events, EVENTS_PER_CORE.value, habits),
        "cores",
        f"feeds x events x peak / {EVENTS_PER_CORE.value:g} / utilisation",
        limit=1,
    )


def _memory(demand: Demand) -> Iterator[Need]:
    habits, length = demand.habits, Settings.model_fields["timeline_length"].default
    per_timeline = min(length, habits.follows * habits.hot_days * demand.posts_per_day / demand.people)
    posts = demand.posts_per_day * habits.hot_days
    kept = f"posts of {habits.hot_days:g} days"
    parts = {
        "timelines": (
            demand.people * per_timeline * TIMELINE_ENTRY.value,
            f"people x min({length}, follows x {kept} per person) x {TIMELINE_ENTRY.value:g} B",
        ),
        "pairs": (demand.people * habits.creators * PAIR_ROW.value, f"people x creators x {PAIR_ROW.value:g} B"),
        "people": (
            demand.people * (PERSON_ROWS.value + habits.topics * TOPIC_ROW.value),
            f"people x ({PERSON_ROWS.value:g} B + topics x {TOPIC_ROW.value:g} B)",
        ),
        "posts": (posts * POST_ROWS.value, f"{kept} x {POST_ROWS.value:g} B"),
        "slates": (
            demand.feeds_per_second * habits.peak * SLATE_SECONDS * SLATE.value,
            f"feeds x peak x {SLATE_SECONDS:g} s x {SLATE.value:,.0f} B",
        ),
    }
    for name, (size, formula) in parts.items():
        yield Need(f"Redis: {name}", size / GB, "GB", formula)
    yield Need(
        "Redis in all",
        sum(size for size, _ in parts.values()) / GB,
        "GB",
        "sum of these; beyond one server, a cluster",
        limit=100,
    )


def _storage(demand: Demand) -> Iterator[Need]:
    habits, feeds_per_day = demand.habits, demand.feeds_per_second * DAY_SECONDS
    log = feeds_per_day * (habits.events_per_feed * EVENT.value + SERVED_PAGE.value)
    yield Need(
        "Kafka, one copy",
        log * KEPT_DAYS / TB,
        "TB",
        f"{KEPT_DAYS} days of events and served pages, without compression",
    )
    graph = demand.people * (PERSON_ROW.value + habits.follows * FOLLOW_ROW.value)
    yield Need("PostgreSQL: people and follows", graph / TB, "TB", "people x (a row + follows x a row)", limit=4)
    yield Need(
        "PostgreSQL: likes, a year",
        feeds_per_day * habits.likes_per_feed * LIKE_ROW.value * 365 / TB,
        "TB",
        f"likes x {LIKE_ROW.value:g} B x 365",
        limit=4,
    )
    yield Need(
        "objects, a year",
        demand.posts_per_day * 365 * (habits.original_bytes + PHOTO_FILES.value) / TB,
        "TB",
        f"posts x 365 x (original + {PHOTO_FILES.value:,.0f} B)",
    )


def _traffic(demand: Demand) -> Iterator[Need]:
    habits = demand.habits
    shown = demand.feeds_per_second * habits.peak * habits.images_per_feed * PHOTO_SHOWN.value * 8 / 1e9
    yield Need("images at the edge", shown, "Gbit/s", f"feeds x peak x images x {PHOTO_SHOWN.value:,.0f} B")
    yield Need("images from the origin", shown * (1 - habits.edge_hit_rate), "Gbit/s", "what the edge does not have")


def first_to_break(found: list[Need]) -> list[Need]:
    """The needs that exceed a limit, the worst first."""
    return sorted((need for need in found if need.strain > 1), key=lambda need: -need.strain)
