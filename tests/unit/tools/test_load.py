"""What `make load` and `make soak` conclude from answers and from the use of processes."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.load.objectives import (
    EVENTS_P99,
    FAILED,
    FEED_P99,
    FRESHNESS,
    OBJECTIVES,
    broken,
    of_answers,
    quantile,
)
from tools.load.processes import CLIENT, Usage, bottleneck, cores
from tools.load.readings import freshness_counts
from tools.load.report import write_report
from tools.load.soak import CONNECTIONS_LIMIT, FILES_LIMIT, MEMORY_LIMIT_MB, growths
from tools.load.steps import Overload, Step, recovery_seconds
from tools.load.traffic import EVENTS, FEED, LIKE, SHARES, UNANSWERED, Answer, judged

ALERTS = (Path(__file__).parents[3] / "deploy" / "prometheus" / "rules" / "alerts.yml").read_text()


def answer(kind: str = FEED, due: float = 0.0, seconds: float = 0.01, status: int = 200) -> Answer:
    return Answer(kind, due, 0.0, seconds, status)


def use(rss_mb: float = 100, files: int = 10, connections: int = 5, pid: int = 1, seconds: float = 0.0) -> Usage:
    return Usage(seconds, rss_mb, files, connections, frozenset({pid}))


def test_the_shares_of_requests_are_whole() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(("alert", "objective"), [("FeedSlow", FEED_P99), ("FeaturesLate", FRESHNESS)])
def test_an_objective_is_the_limit_of_its_alert(alert: str, objective: object) -> None:
    found = re.search(rf"Photofeed{alert}\n +expr: \S+ > (\S+)", ALERTS)
    assert found is not None
    assert float(found[1]) == getattr(objective, "limit")  # noqa: B009  of any objective


def test_answers_tell_latency_by_kind_and_what_failed() -> None:
    feeds = [answer(seconds=number / 100) for number in range(1, 101)]
    slow = answer(EVENTS, seconds=0.7, status=202)
    bad = [answer(seconds=9, status=status) for status in (503, 500, 404, 302, UNANSWERED)]
    figures = of_answers([*feeds, slow, answer(LIKE, seconds=5, status=204), *bad])
    assert figures[FEED_P99.name] == pytest.approx(0.9901)  # only of good answers
    assert figures[EVENTS_P99.name] == pytest.approx(0.7)
    assert figures[FAILED.name] == pytest.approx(5 / 107)
    assert set(of_answers([]).values()) == {0.0}


def test_an_objective_breaks_above_its_limit() -> None:
    for one in OBJECTIVES:
        assert broken({one.name: one.limit}) == []
        assert broken({one.name: one.limit * 1.01}) == [one]


def test_the_first_seconds_of_a_stretch_are_not_judged() -> None:
    answers = [answer(due=due) for due in (14.0, 10.0, 12.9, 13.0)]
    assert [one.due for one in judged(answers, 3.0)] == [14.0, 13.0]


def test_a_quantile_is_that_of_what_was_observed_between_two_readings() -> None:
    infinite = float("inf")
    before = {0.1: 1_000.0, 1.0: 1_000.0, infinite: 1_000.0}
    after = {0.1: 1_098.0, 1.0: 1_099.0, infinite: 1_100.0}
    assert [quantile(before, after, share) for share in (0.5, 0.98, 0.99, 1.0)] == [0.1, 0.1, 1.0, infinite]
    assert quantile(after, after, 0.99) == 0
    assert quantile({}, {}, 0.99) == 0


def test_freshness_is_read_from_the_metrics_of_the_worker() -> None:
    metrics = (
        "# TYPE photofeed_engagement_freshness_seconds histogram\n"
        'photofeed_engagement_freshness_seconds_bucket{le="0.1"} 3.0\n'
        'photofeed_engagement_freshness_seconds_bucket{le="+Inf"} 4.0\n'
        "photofeed_engagement_freshness_seconds_count 4.0\n"
        "photofeed_engagement_freshness_seconds_sum 1.5\n"
        "# TYPE other histogram\n"
        'other_bucket{le="0.1"} 9.0\n'
    )
    assert freshness_counts(metrics) == {0.1: 3.0, float("inf"): 4.0}


def test_the_bottleneck_is_the_machine_or_the_process_that_has_no_more() -> None:
    before = {"api": use(seconds=1), "postgres": use(seconds=5), CLIENT: use(seconds=0)}
    after = {"api": use(seconds=10.5), "postgres": use(seconds=6), CLIENT: use(seconds=3), "new": use(seconds=9)}
    used = cores(before, after, 10)
    assert list(used.items()) == [("api", 0.95), (CLIENT, 0.3), ("postgres", 0.1)]
    assert bottleneck(used, 8) == "api: it has one core"
    assert bottleneck(used, 1).startswith("the 1 cores of this machine: api 0.95, load client 0.30")
    assert bottleneck({"api": 0.5}, 8).startswith("no processor (0.5 of 8 cores are used)")
    assert bottleneck({}, 8).startswith("no processor")


def test_recovery_ends_with_the_last_bad_window() -> None:
    def windows(*bad: int) -> list[Answer]:
        """Two seconds each, of ten answers."""
        return [
            answer(due=100 + 2 * window + place / 5, status=503 if window in bad else 200)
            for window in range(10)
            for place in range(10)
        ]

    assert recovery_seconds(windows(), 99.0) == 0
    assert recovery_seconds(windows(0, 2), 99.0) == pytest.approx(1 + 3 * 2 - 0.2 + 0.01)
    assert recovery_seconds(windows(9), 99.0) is None
    slow = [answer(due=100 + place / 5, seconds=1.0) for place in range(20)]
    assert recovery_seconds(slow, 99.0) is None


def readings(
    grow: Mapping[str, tuple[float, float, float]], restarted: str = ""
) -> list[tuple[float, dict[str, Usage]]]:
    """An hour of readings of processes that grow by (MB, files, connections) in it."""
    return [
        (
            36.0 * number,
            {
                name: use(
                    100 + mb * number / 100,
                    round(10 + files * number / 100),
                    round(5 + connections * number / 100),
                    pid=2 if name == restarted and number > 50 else 1,
                )
                for name, (mb, files, connections) in grow.items()
            }
            | {CLIENT: use(rss_mb=number * 100)},
        )
        for number in range(101)
    ]


def test_a_soak_tells_what_grew_and_judges_no_memory_and_files_of_servers() -> None:
    flat = (1.0, 0, 0)
    leaks = {
        "api": (2 * MEMORY_LIMIT_MB, 0, 0),
        "photos-1": (0.0, 2 * FILES_LIMIT, 0),
        "valkey": (500.0, 200, 2 * CONNECTIONS_LIMIT),
        "relay": flat,
    }
    found = {one.name: one for one in growths(readings(leaks, restarted="relay"))}
    assert found.keys() == leaks.keys()
    assert {name: one.wrong for name, one in found.items()} == {
        "api": ["memory"],
        "photos-1": ["open files"],
        "valkey": ["connections"],
        "relay": ["restarted"],
    }
    assert found["api"].rss_mb_per_hour == pytest.approx(2 * MEMORY_LIMIT_MB)
    assert [one.wrong for one in growths(readings({"api": flat}))] == [[]]


@pytest.mark.parametrize("filled", [33, 60])
def test_what_fills_and_then_stays_is_no_growth(filled: int) -> None:
    filling = [(36.0 * number, {"api": use(rss_mb=min(number, filled) * 10)}) for number in range(101)]
    (api,) = growths(filling)
    assert api.wrong == []
    growing = [(36.0 * number, {"api": use(rss_mb=number * 10)}) for number in range(101)]
    (api,) = growths(growing)
    assert api.wrong == ["memory"]


def test_a_process_that_ended_is_told() -> None:
    ended = readings({"api": (0, 0, 0), "zoom": (0, 0, 0)})
    for _, by_name in ended[90:]:
        del by_name["zoom"]
    assert [one.name for one in growths(ended) if one.wrong] == ["zoom"]


def test_the_page_names_the_rate_the_objectives_that_broke_and_the_bottleneck(tmp_path: Path) -> None:
    good = Step(20.0, dict.fromkeys((one.name for one in OBJECTIVES), 0.01), {"api": 0.5}, 0.0, ())
    bad = Step(26.0, {**good.figures, FEED_P99.name: 3.0}, {"api<1>": 0.97}, 0.0, ())
    file = tmp_path / "made" / "report.html"
    write_report(file, [good, bad], Overload(52.0, 0.5, 0.499, 0.001, 0.61, 2.5))
    page = file.read_text()
    assert "<strong>20 requests per second</strong>" in page
    assert "With 26 these break: feedP99Seconds." in page
    assert "50% are served, 50% are refused" in page
    assert "after 2.5 s" in page
    assert "<svg" in page
    assert "api&lt;1&gt;" in page
    assert "api<1>: " not in page
