"""The shapes of replies, for the OpenAPI document.

Endpoints write their JSON themselves (`replies.reply`), so these models cost nothing at run time. The API tests
validate every reply against the document that is generated from them. `EXAMPLE` is the example in the document.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AnyUrl, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.notifications import MEANINGS as NOTIFIED_OF
from photofeed.notifications import NotificationKind
from photofeed.report_reasons import ReportReason
from photofeed.webhooks import WebhookType
from serving.feed.reasons import ReasonCode

Id = Annotated[str, Field(pattern="^[0-9A-Za-z]{11}$", examples=["15OGRpnNiJv"])]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NextCursor = Annotated[
    str | None, Field(description="Pass it as `cursor` to read the next page; null on the last page")
]
PhotoStatus = Literal["awaiting_upload", "processing", "ready", "review", "rejected", "failed"]
ContentType = Annotated[
    Literal["photo", "reel"], Field(description="A reel is shown by its poster picture: no video is stored or played")
]
REASON_CODE = "The same as a code, for clients that say it in another language"
AltText = Annotated[
    str, Field(description="What the photo shows, for people who do not see it; empty if its author did not say")
]

_PERSON = {
    "id": "15OGRAwYygD",
    "handle": "marta.k",
    "displayName": "Marta",
    "avatarUrl": "https://photos.example/photos/15OGQ0bKk9z/320",
}
_IMAGES = {"640": {"url": "https://photos.example/photos/15OGRpnNiJv/640", "width": 640, "height": 480}}
_CREATED = "2026-11-22T06:31:31.508Z"
_POST = {
    "id": "15OGRpnNiJv",
    "author": _PERSON | {"followedByMe": True},
    "caption": "First light over the ridge",
    "altText": "Snowy mountains in orange light",
    "tags": ["mountains"],
    "topic": "mountains",
    "contentType": "photo",
    "postedAt": _CREATED,
    "width": 1080,
    "height": 810,
    "blurhash": "LQIzbn[VM|xv.m9[NHxaOrXSRjIo",
    "dominantColor": "#9f4938",
    "images": _IMAGES,
    "likeCount": 41,
    "commentCount": 3,
    "saveCount": 5,
    "likedByMe": False,
    "savedByMe": False,
}
_USER = _PERSON | {
    "bio": "Mountains, mostly before sunrise.",
    "isPrivate": False,
    "followerCount": 120,
    "followingCount": 43,
    "createdAt": "2026-02-01T09:00:00.000Z",
}
_PHOTO = {
    "id": "15OGRpnNiJv",
    "ownerId": "15OGRAwYygD",
    "status": "ready",
    "failure": None,
    "caption": "First light over the ridge",
    "altText": "Snowy mountains in orange light",
    "tags": ["mountains"],
    "contentType": "photo",
    "createdAt": _CREATED,
    "width": 1080,
    "height": 810,
    "place": None,
    "blurhash": "LQIzbn[VM|xv.m9[NHxaOrXSRjIo",
    "dominantColor": "#9f4938",
    "images": _IMAGES,
    "variants": [{"size": 640, "format": "webp", "width": 640, "height": 480, "bytes": 48211}],
}
_COMMENT = {
    "id": "15OGS2mUq0a",
    "text": "What a morning.",
    "createdAt": _CREATED,
    "editedAt": None,
    "replyTo": None,
    "author": _PERSON,
}


class Shape(BaseModel):
    """A reply or a part of one: camelCase, no other fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    EXAMPLE: ClassVar[Any] = None


class FieldError(Shape):
    """One field of the request that was refused."""

    field: str
    message: str


class Problem(Shape):
    """An error as RFC 9457 problem details. `code` is stable; `detail` is a sentence for people."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow")

    type: Annotated[str, Field(pattern="^urn:photofeed:problem:[a-z_0-9]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: Annotated[str, Field(pattern="^[a-z_0-9]+$")]
    instance: str = ""
    errors: list[FieldError] = []


class Image(Shape):
    """One size of a photo. The format is negotiated by `Accept`."""

    url: AnyUrl
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


Images = Annotated[dict[str, Image], Field(description="By size: `150`, `320`, `640`, `1080`, `3840`")]
Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]


class Person(Shape):
    """A person, as lists show them."""

    id: Id
    handle: str
    display_name: str
    avatar_url: Annotated[AnyUrl | None, Field(description="Profile picture: a square of 320 pixels, or smaller")]


class Author(Person):
    """The author of a post."""

    followed_by_me: bool


class Post(Shape):
    """A post, as the viewer sees it."""

    EXAMPLE: ClassVar = _POST

    id: Id
    author: Author
    caption: str
    alt_text: AltText
    tags: list[str]
    topic: Annotated[str, Field(description="The first tag it was published with; empty if there was none")]
    content_type: ContentType
    posted_at: datetime
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    blurhash: str | None
    dominant_color: Color | None
    images: Images
    like_count: Count
    comment_count: Count
    save_count: Count
    liked_by_me: bool
    saved_by_me: bool


class PostPage(Shape):
    """A page of posts."""

    EXAMPLE: ClassVar = {"items": [_POST], "nextCursor": "15OGRpnNiJv"}

    items: list[Post]
    next_cursor: NextCursor


class FeedItem(Shape):
    """A post at its position in a feed, from 0 on its first page."""

    position: Annotated[int, Field(ge=0)]
    source: Literal["following", "celebrity", "explore"]
    score: float | None
    reason: Annotated[str, Field(description="Why the post is here, a short sentence")]
    reason_code: Annotated[ReasonCode, Field(description=REASON_CODE)]
    receipt: Annotated[str, Field(description="Proves to `POST /v1/events`, for three days, that you were shown this")]
    post: Post


class RankingModel(Shape):
    """The model that scored the slate."""

    name: str
    version: str
    engine: Literal["bitsliced", "booster", "onnx"]


class RuleMove(Shape):
    """What one reranking rule changed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    rule: str
    from_: Annotated[int | None, Field(alias="from")]
    to: int


class ExplainedCandidate(Shape):
    """One candidate of a slate, shown or not."""

    post_id: Id
    author_id: Id
    source: str
    pool: str | None
    position: Annotated[int | None, Field(description="In the slate; null where it is not in it")]
    score: float | None
    outcome: str
    rank: Annotated[int | None, Field(description="By score alone")] = None
    features: list[float | None] | None = None
    moves: list[RuleMove] = []


class Explanation(Shape):
    """Why a feed looks as it does."""

    candidates: list[ExplainedCandidate]
    feature_names: list[str]
    skipped_sources: list[str]
    repeats: Count


class FeedPage(Shape):
    """A page of a ranked slate."""

    EXAMPLE: ClassVar = {
        "slateId": "01a202b8-f464-7c24-b38c-d6adfc502311",
        "ranking": "model",
        "insteadOf": None,
        "model": {"name": "feed-ranker", "version": "1", "engine": "bitsliced"},
        "skippedSources": [],
        "repeats": 0,
        "exploreShare": 0.1,
        "items": [
            {
                "position": 0,
                "source": "following",
                "score": 1.8342,
                "reason": "Because you often like @marta.k",
                "reasonCode": "often_liked",
                "receipt": "4kfCQpCPcCTB0bqQ1dCeCAGiArj0ZHwkskM4ratiUFIR0bVJawAA",
                "post": _POST,
            }
        ],
        "nextCursor": "7ZPv0mUq",
    }

    slate_id: str
    ranking: str
    instead_of: Annotated[
        str | None, Field(description="The ranker of your experiment's arm, if it could not rank; else null")
    ]
    model: RankingModel | None
    skipped_sources: list[str]
    repeats: Count
    explore_share: Share
    items: list[FeedItem]
    next_cursor: NextCursor
    explanation: Explanation | None = None


class NewPosts(Shape):
    """How many posts are new since a slate was ranked."""

    EXAMPLE: ClassVar = {"newPosts": 3}

    new_posts: Count


class RefusedEvent(Shape):
    """An event that was not accepted, by its index in the batch."""

    index: Count
    id: str
    code: str
    reason: str


class EventsOutcome(Shape):
    """What became of a batch of events."""

    EXAMPLE: ClassVar = {
        "accepted": 2,
        "unchanged": 0,
        "refused": [{"index": 2, "id": "e-000003", "code": "post_not_found", "reason": "There is no such post."}],
    }

    accepted: Count
    unchanged: Count
    refused: list[RefusedEvent]


class FoundCandidate(Shape):
    """A candidate, and the source that found it."""

    id: Id
    external_id: Annotated[str | None, Field(description="Null for posts")]
    pool: str


class FoundCandidates(Shape):
    """Candidates for a person."""

    EXAMPLE: ClassVar = {"candidates": [{"id": "15OGRpnNiJv", "externalId": "sku-4711", "pool": "topics"}]}

    candidates: list[FoundCandidate]


class RankedItem(Shape):
    """An item at its position in a ranking."""

    position: Count
    external_id: Annotated[str | None, Field(description="Null for posts")]
    id: Id
    score: float
    reason: Annotated[str, Field(description="Why it is here, a short sentence")]
    reason_code: Annotated[ReasonCode, Field(description=REASON_CODE)]
    propensity: Annotated[float, Field(gt=0, le=1, description="Probability of the draw; 1 if it was not drawn")]
    receipt: Annotated[str, Field(description="Proves to `POST /v1/events`, for three days, where it was served")]


class LeftOutItem(Shape):
    """A candidate that is not in the order."""

    external_id: str | None
    id: str | None
    reason: Annotated[
        str, Field(description="`own`, `hidden`, `muted_or_blocked`, `not_found`, or what a reranking rule says")
    ]


class RankedItems(Shape):
    """Candidates in the order in which to show them."""

    EXAMPLE: ClassVar = {
        "slateId": "01a202b8-f464-7c24-b38c-d6adfc502311",
        "ranking": "model",
        "insteadOf": None,
        "model": {"name": "feed-ranker", "version": "1", "engine": "bitsliced"},
        "experiment": None,
        "arm": None,
        "items": [
            {
                "position": 0,
                "externalId": "sku-4711",
                "id": "15OGRpnNiJv",
                "score": 1.8342,
                "reason": "Because you like chairs",
                "reasonCode": "likes_topic",
                "propensity": 1.0,
                "receipt": "4kfCQpCPcCTB0bqQ1dCeCAGiArj0ZHwkskM4ratiUFIR0bVJawAA",
            }
        ],
        "leftOut": [{"externalId": "sku-4712", "id": "15OGRpnNiJw", "reason": "hidden"}],
        "unknown": ["sku-4711"],
    }

    slate_id: str
    ranking: str
    instead_of: Annotated[str | None, Field(description="The ranker that was asked for, if it could not rank")]
    model: RankingModel | None
    experiment: str | None
    arm: str | None
    items: list[RankedItem]
    left_out: list[LeftOutItem]
    unknown: Annotated[list[str], Field(description="Items that were never described: they rank by defaults")]


class RefusedItem(Shape):
    """An item that was not stored, by its index in the call."""

    index: Count
    external_id: str
    code: str
    reason: str


class ItemsOutcome(Shape):
    """What became of the items of a call."""

    EXAMPLE: ClassVar = {
        "created": 1,
        "updated": 1,
        "unchanged": 0,
        "refused": [
            {
                "index": 2,
                "externalId": "sku-4711",
                "code": "duplicate",
                "reason": "An earlier item of this call has the same externalId.",
            }
        ],
    }

    created: Annotated[int, Field(ge=0, description="Items that were described for the first time")]
    updated: Count
    unchanged: Count
    refused: list[RefusedItem]


class Reactions(Shape):
    """Likes and saves of a post after the call."""

    EXAMPLE: ClassVar = {"likeCount": 42, "saveCount": 5, "likedByMe": True, "savedByMe": False}

    like_count: Count
    save_count: Count
    liked_by_me: bool
    saved_by_me: bool


class Comment(Shape):
    """A comment on a post."""

    EXAMPLE: ClassVar = _COMMENT

    id: Id
    text: str
    created_at: datetime
    edited_at: datetime | None
    reply_to: Annotated[Id | None, Field(description="The comment that this one answers; null if that was deleted")]
    author: Person


class CommentPage(Shape):
    """A page of comments."""

    EXAMPLE: ClassVar = {"items": [_COMMENT], "nextCursor": None}

    items: list[Comment]
    next_cursor: NextCursor


class TagSuggestion(Shape):
    """A tag, and how many of the newest posts have it."""

    tag: str
    post_count: Count


class TagSuggestions(Shape):
    """Tags, the most used first."""

    EXAMPLE: ClassVar = {"items": [{"tag": "mountains", "postCount": 52}]}

    items: list[TagSuggestion]


class User(Person):
    """A person."""

    EXAMPLE: ClassVar = _USER

    bio: str
    is_private: bool
    follower_count: Count
    following_count: Count
    created_at: datetime


class Me(User):
    """The caller."""

    EXAMPLE: ClassVar = _USER | {"keepPlaces": False}

    keep_places: bool


class AccountDeletion(Shape):
    """The deletion of an account, and how far it is."""

    EXAMPLE: ClassVar = {
        "userId": "15OGRAwYygD",
        "status": "erasing",
        "requestedAt": _CREATED,
        "erasedAt": None,
    }

    user_id: Id
    status: Literal["erasing", "erased"]
    requested_at: datetime
    erased_at: Annotated[datetime | None, Field(description="When a search of every store found nothing")]


class Profile(User):
    """A person, and the caller's relation to them."""

    EXAMPLE: ClassVar = _USER | {
        "postCount": 37,
        "followedByMe": True,
        "followsMe": False,
        "requestedByMe": False,
        "blockedByMe": False,
        "mutedByMe": False,
    }

    post_count: Count
    followed_by_me: bool
    follows_me: bool
    requested_by_me: bool
    blocked_by_me: bool
    muted_by_me: bool


class FollowRequested(Shape):
    """The account is private: its owner was asked."""

    EXAMPLE: ClassVar = {"requested": True}

    requested: Literal[True]


class PersonPage(Shape):
    """A page of people."""

    EXAMPLE: ClassVar = {"items": [_PERSON], "nextCursor": None}

    items: list[Person]
    next_cursor: NextCursor


class FollowRequest(Person):
    """A person who asked to follow the caller."""

    requested_at: datetime


class FollowRequestPage(Shape):
    """A page of follow requests; `total` counts all of them."""

    EXAMPLE: ClassVar = {"total": 1, "items": [_PERSON | {"requestedAt": _CREATED}], "nextCursor": None}

    total: Count
    items: list[FollowRequest]
    next_cursor: NextCursor


class UploadTicket(Shape):
    """Where to PUT the photo, and with which headers."""

    EXAMPLE: ClassVar = {
        "photoId": "15OGRpnNiJv",
        "uploadUrl": "https://objects.example/photofeed-originals/1/2?X-Amz-Signature=0f",
        "expiresAt": "2026-11-22T06:46:31.508Z",
        "headers": {"Content-Type": "image/jpeg"},
    }

    photo_id: Id
    upload_url: AnyUrl
    expires_at: datetime
    headers: Annotated[dict[str, str], Field(description="The PUT must carry these headers: they are signed")]


class Failure(Shape):
    """Why a photo was not published."""

    code: str
    reason: str


class Coordinates(Shape):
    """Where a photo was taken; shown to its owner only."""

    latitude: float
    longitude: float


class Variant(Shape):
    """One file of a photo."""

    size: int
    format: Literal["jpeg", "webp", "avif"]
    width: int
    height: int
    bytes: int


class Photo(Shape):
    """A photo and its state."""

    EXAMPLE: ClassVar = _PHOTO

    id: Id
    owner_id: Id
    status: PhotoStatus
    failure: Failure | None
    caption: str
    alt_text: AltText
    tags: list[str]
    content_type: ContentType | None
    created_at: datetime
    width: int | None
    height: int | None
    place: Coordinates | None
    blurhash: str | None
    dominant_color: Color | None
    images: Images
    variants: list[Variant]


class PhotoPage(Shape):
    """A page of the caller's photos."""

    EXAMPLE: ClassVar = {"items": [_PHOTO], "nextCursor": None}

    items: list[Photo]
    next_cursor: NextCursor


_REPORT_REASON = {"reason": "spam", "count": 3, "texts": ["The same advertisement again."]}


class Report(Shape):
    """Your report of a post, a comment or a person."""

    EXAMPLE: ClassVar = {
        "kind": "post",
        "id": "15OGRpnNiJv",
        "reason": "spam",
        "text": "The same advertisement again.",
        "reportedAt": _CREATED,
    }

    kind: Literal["post", "comment", "person"]
    id: Id
    reason: ReportReason
    text: str
    reported_at: datetime


class ReportedReason(Shape):
    """How many people gave a reason, and the newest of their texts."""

    reason: ReportReason
    count: Annotated[int, Field(ge=1)]
    texts: Annotated[list[str], Field(max_length=5)]


class ReportOutcome(Shape):
    """What became of something that you reported."""

    reported: Literal["post", "comment", "person"]
    outcome: Literal["kept", "removed"]


_NOTIFICATION = {
    "id": "0000000002A",
    "kind": "like",
    "at": _CREATED,
    "read": False,
    "actors": [_PERSON],
    "actorCount": 13,
    "postId": "15OGRpnNiJv",
    "images": _IMAGES,
    "commentId": None,
    "text": None,
    "decision": None,
}


class Notification(Shape):
    """Something that you are told about."""

    id: Id
    kind: Annotated[NotificationKind, Field(description="; ".join(f"`{k}`: {m}" for k, m in NOTIFIED_OF.items()))]
    at: datetime
    read: bool
    actors: Annotated[list[Person], Field(max_length=3, description="Who did it, the last one first; at most three")]
    actor_count: Annotated[Count, Field(description="How many people did it")]
    post_id: Id | None
    images: Images
    comment_id: Id | None
    text: Annotated[str | None, Field(description="Of the comment")]
    decision: Annotated[ReportOutcome | None, Field(description="Of a decided report")]


class NotificationPage(Shape):
    """A page of notifications, newest first, and the number of all unread ones."""

    EXAMPLE: ClassVar = {"items": [_NOTIFICATION], "nextCursor": None, "unreadCount": 1}

    items: list[Notification]
    next_cursor: NextCursor
    unread_count: Count


class Unread(Shape):
    """The number of unread notifications."""

    EXAMPLE: ClassVar = {"unreadCount": 1}

    unread_count: Count


class NotificationSettings(Shape):
    """The kinds of notifications that you do not get."""

    EXAMPLE: ClassVar = {"switchedOff": ["like"]}

    switched_off: list[NotificationKind]


class ModelOpinion(Shape):
    """What the moderation model decided."""

    version: str
    score: float | None
    reason: str | None
    at: datetime


class WaitingPhoto(Shape):
    """A photo that waits for a moderator."""

    kind: Literal["photo"]
    photo_id: Id
    owner_id: Id
    status: PhotoStatus
    reports: Count
    reasons: list[ReportedReason]
    caption: str
    alt_text: AltText
    width: int | None
    height: int | None
    created_at: datetime
    preview_url: AnyUrl
    model: ModelOpinion | None


class WaitingComment(Shape):
    """A reported comment that waits for a moderator."""

    kind: Literal["comment"]
    comment_id: Id
    post_id: Id
    author: Person
    text: str
    created_at: datetime
    reports: Count
    reasons: list[ReportedReason]


class WaitingPerson(Shape):
    """A reported person who waits for a moderator."""

    kind: Literal["person"]
    person: Person
    bio: str
    created_at: datetime
    reports: Count
    reasons: list[ReportedReason]


class ModerationQueue(Shape):
    """A page of photos, comments and people that wait for a moderator, oldest first."""

    EXAMPLE: ClassVar = {
        "items": [
            {
                "kind": "photo",
                "photoId": "15OGRpnNiJv",
                "ownerId": "15OGRAwYygD",
                "status": "review",
                "reports": 3,
                "reasons": [_REPORT_REASON],
                "caption": "First light over the ridge",
                "altText": "Snowy mountains in orange light",
                "width": 1080,
                "height": 810,
                "createdAt": _CREATED,
                "previewUrl": "https://photos.example/v1/moderation/15OGRpnNiJv/preview",
                "model": {"version": "opennsfw-1", "score": 0.87, "reason": "unsafe", "at": _CREATED},
            }
        ],
        "nextCursor": None,
    }

    items: list[Annotated[WaitingPhoto | WaitingComment | WaitingPerson, Field(discriminator="kind")]]
    next_cursor: NextCursor


class Decision(Shape):
    """A moderator's decision."""

    EXAMPLE: ClassVar = {"photoId": "15OGRpnNiJv", "status": "ready", "decision": "approved", "at": _CREATED}

    photo_id: Id
    status: Literal["ready", "rejected"]
    decision: Literal["approved", "rejected"]
    at: datetime | None


class ReportDecision(Shape):
    """A moderator's decision about a reported comment or person."""

    EXAMPLE: ClassVar = {
        "kind": "comment",
        "id": "15OGS2mUq0a",
        "decision": "rejected",
        "reports": 3,
        "at": _CREATED,
    }

    kind: Literal["comment", "person"]
    id: Id
    decision: Literal["approved", "rejected"]
    reports: Annotated[Count, Field(description="Open reports that it decided")]
    at: datetime | None


class Decider(Shape):
    """Who decided: a version of the model, or a moderator by id."""

    kind: Literal["model", "moderator"]
    id: str


class SystemFinding(Shape):
    """What a check of a system found."""

    level: Literal["ok", "warning", "wrong"]
    name: str
    text: str
    mend: Annotated[str | None, Field(description="What to do about it")]


class TopicLag(Shape):
    """How many messages of a topic wait for a group."""

    topic: str
    lag: Count


class WorkerGroup(Shape):
    """The workers of a consumer group."""

    group: str
    members: Annotated[Count, Field(description="Workers that are there; 0 if all are away")]
    topics: list[TopicLag]


class Outbox(Shape):
    """Messages that wait in PostgreSQL to be published."""

    waiting: Count
    has_relay: bool


class AdminHealth(Shape):
    """The systems, the workers and the outbox."""

    EXAMPLE: ClassVar = {
        "systems": [{"level": "ok", "name": "postgres.version", "text": "version 18", "mend": None}],
        "workers": [{"group": "photos", "members": 2, "topics": [{"topic": "photo.uploaded", "lag": 0}]}],
        "outbox": {"waiting": 0, "hasRelay": True},
    }

    systems: list[SystemFinding]
    workers: list[WorkerGroup] | None
    outbox: Outbox | None


class GateFinding(Shape):
    """What a gate found."""

    gate: str
    passed: bool
    detail: str


class Gates(Shape):
    """What the gates said about a version when they last checked it."""

    verdict: Annotated[str | None, Field(description="`passed`, or the gates that failed; null if never checked")]
    at: datetime | None
    forced: Annotated[str | None, Field(description="Who promoted it in spite of failed gates, and why")]
    findings: list[GateFinding]


class ModelMove(Shape):
    """A move of an alias of the model."""

    at: datetime
    alias: str
    version: str | None
    former: str | None
    actor: str
    reason: str


class ModelLinks(Shape):
    """Pages of MLflow."""

    model: AnyUrl
    version: AnyUrl | None
    run: AnyUrl | None


class AdminModel(Shape):
    """The model that ranks."""

    EXAMPLE: ClassVar = {
        "name": "feed-ranker",
        "ranking": "model",
        "live": "2",
        "previous": "1",
        "challenger": None,
        "reason": None,
        "gates": {
            "verdict": "passed",
            "at": _CREATED,
            "forced": None,
            "findings": [{"gate": "floor", "passed": True, "detail": "NDCG@10 0.71 is above 0.6"}],
        },
        "moves": [
            {
                "at": _CREATED,
                "alias": "champion",
                "version": "2",
                "former": "1",
                "actor": "ops@trainer",
                "reason": "passed the gates",
            }
        ],
        "links": {
            "model": "https://mlflow.example/#/models/feed-ranker",
            "version": "https://mlflow.example/#/models/feed-ranker/versions/2",
            "run": "https://mlflow.example/#/runs/4f1c",
        },
    }

    name: str
    ranking: Annotated[
        Literal["model", "previous", "popularity"], Field(description="The ranker that requests begin with")
    ]
    live: str | None
    previous: str | None
    challenger: str | None
    reason: Annotated[str | None, Field(description="Why the registered champion does not rank; null if it does")]
    gates: Gates | None
    moves: list[ModelMove]
    links: ModelLinks | None


class Rollback(Shape):
    """The champion before and after a rollback."""

    EXAMPLE: ClassVar = {"former": "2", "version": "1"}

    former: str | None
    version: str


class DeadLetter(Shape):
    """A message that a worker gave up."""

    id: str
    at: datetime
    group: str
    topic: str
    key: str
    code: str
    reason: str


class DeadLetterList(Shape):
    """Dead letters that have not been replayed."""

    EXAMPLE: ClassVar = {
        "items": [
            {
                "id": "01a202b8-f464-7c24-b38c-d6adfc502311",
                "at": _CREATED,
                "group": "photos",
                "topic": "photo.uploaded",
                "key": "1234",
                "code": "permanent",
                "reason": "the original is gone",
            }
        ],
        "total": 1,
    }

    items: list[DeadLetter]
    total: Count


class ExplainedFeature(Shape):
    """An input of a model."""

    name: str
    value: float | None


class RankedCandidate(Shape):
    """A candidate of a slate."""

    post_id: Id
    source: str
    pool: str | None
    position: Annotated[int | None, Field(description="In the slate; null where it is not in it")]
    rank: Annotated[int | None, Field(description="By score alone; null if a filter removed it")]
    score: float | None
    outcome: Annotated[str, Field(description="`in the slate`, or why it is not")]


class RankedPost(RankedCandidate):
    """A candidate with all that decided about it."""

    moves: list[RuleMove]
    features: list[ExplainedFeature]


class ExplainedRanking(Shape):
    """What one ranker makes of the candidates."""

    ranker: str
    ranking: str
    instead_of: Annotated[str | None, Field(description="The ranker that was asked for, if it could not rank")]
    version: str | None
    candidates: list[RankedCandidate]
    post: Annotated[RankedPost | None, Field(description="The post of `postId`; null if it is no candidate")]
    outcome: Annotated[str | None, Field(description="Of that post: `in the slate`, or why it is not")]


NotShownReason = Literal["own", "blocked", "muted", "hidden", "reported", "private", "moderation", "not_visible"]


class ExplainedPost(Shape):
    """What is known about a post and a viewer, whatever ranks."""

    id: Id
    author: str
    photo_status: PhotoStatus | None
    posted_at: datetime
    follows_author: bool
    reasons: Annotated[list[NotShownReason], Field(description="Why no feed of this viewer shows it")]


class PostExplanation(Shape):
    """Why a viewer sees a post or does not, by one ranker or two."""

    EXAMPLE: ClassVar = {
        "handle": "ada",
        "post": {
            "id": "15OGRpnNiJv",
            "author": "marta.k",
            "photoStatus": "ready",
            "postedAt": _CREATED,
            "followsAuthor": True,
            "reasons": [],
        },
        "rankings": [
            {
                "ranker": "champion",
                "ranking": "model",
                "insteadOf": None,
                "version": "2",
                "candidates": [],
                "post": None,
                "outcome": "no source found it",
            }
        ],
        "skippedSources": [],
    }

    handle: str
    post: ExplainedPost | None
    rankings: list[ExplainedRanking]
    skipped_sources: list[str]


class PastDecision(Shape):
    """A decision about a photo, a comment or a person."""

    kind: Literal["photo", "comment", "person"]
    id: Id
    decision: Literal["approved", "review", "rejected"]
    decided_by: Decider
    reason: str
    score: Annotated[float | None, Field(description="Of the model; null for moderators")]
    reports: Annotated[Count, Field(description="Open reports at the time")]
    at: datetime


class DecisionPage(Shape):
    """A page of decisions, newest first."""

    EXAMPLE: ClassVar = {
        "items": [
            {
                "kind": "photo",
                "id": "15OGRpnNiJv",
                "decision": "rejected",
                "decidedBy": {"kind": "moderator", "id": "15OGRAwYygD"},
                "reason": "The same advertisement again.",
                "score": None,
                "reports": 3,
                "at": _CREATED,
            }
        ],
        "nextCursor": None,
    }

    items: list[PastDecision]
    next_cursor: NextCursor


_WEBHOOK = {
    "id": "15OGQ7wXb2K",
    "url": "https://app.example/hooks/photofeed",
    "types": ["photo.ready", "photo.rejected"],
    "description": "Shop front",
    "enabled": True,
    "failingSince": None,
    "createdAt": _CREATED,
}
_DELIVERY = {
    "id": "0000000002A",
    "messageId": "msg_01a22655-9175-7788-8a5a-fb3d6544a364",
    "type": "photo.ready",
    "body": '{"type":"photo.ready","timestamp":"2026-11-22T06:31:31+00:00","data":{"photoId":"15OGRpnNiJv"}}',
    "state": "delivered",
    "attempts": 1,
    "nextAttemptAt": None,
    "lastStatus": 204,
    "lastError": None,
    "createdAt": _CREATED,
    "deliveredAt": _CREATED,
}


class Webhook(Shape):
    """An endpoint that gets events."""

    EXAMPLE: ClassVar[Any] = _WEBHOOK

    id: Id
    url: str
    types: list[WebhookType]
    description: str
    enabled: Annotated[bool, Field(description="False after it was switched off, or failed for five days")]
    failing_since: Annotated[datetime | None, Field(description="Null if the last delivery succeeded")]
    created_at: datetime


class WebhookWithSecret(Webhook):
    """A new endpoint, and the secret that signs what it gets."""

    EXAMPLE: ClassVar = _WEBHOOK | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

    secret: Annotated[str, Field(description="Shown once")]


class WebhookList(Shape):
    """All endpoints that get events."""

    EXAMPLE: ClassVar = {"items": [_WEBHOOK]}

    items: list[Webhook]


class WebhookDelivery(Shape):
    """An event for one endpoint, and what became of it."""

    EXAMPLE: ClassVar = _DELIVERY

    id: Id
    message_id: Annotated[str, Field(description="The header `webhook-id`, the same in every attempt")]
    type: WebhookType
    body: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: Count
    next_attempt_at: datetime | None
    last_status: Annotated[int | None, Field(description="Null if no reply came")]
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class WebhookDeliveryPage(Shape):
    """A page of deliveries, newest first."""

    EXAMPLE: ClassVar = {"items": [_DELIVERY], "nextCursor": None}

    items: list[WebhookDelivery]
    next_cursor: NextCursor


class Health(Shape):
    """The process answers."""

    EXAMPLE: ClassVar = {"status": "ok"}

    status: Literal["ok"]


class Readiness(Shape):
    """Whether this process can serve feeds, and which systems do not answer."""

    EXAMPLE: ClassVar = {"status": "ready", "failing": [], "model": "12", "ranking": "model", "reason": None}

    status: Annotated[
        Literal["ready", "degraded", "unavailable"], Field(description="degraded: it serves, with less than usual")
    ]
    failing: list[Literal["postgresql", "redis", "kafka"]]
    model: Annotated[str | None, Field(description="Version of the champion that this process has loaded")]
    ranking: Annotated[
        Literal["model", "previous", "popularity"] | None, Field(description="What ranks feeds outside experiments")
    ]
    reason: Annotated[str | None, Field(description="Why the registered champion does not rank; else null")]


class SignInWays(Shape):
    """How people can sign in here."""

    provider: Annotated[bool, Field(description="At the OpenID provider: a browser goes to /v1/session/sign-in")]
    demo: Annotated[bool, Field(description="As a person of the demo; in development only")]


class SessionReply(Shape):
    """Who is signed in."""

    EXAMPLE: ClassVar = {
        "person": {name: _USER[name] for name in ("id", "handle", "displayName", "avatarUrl")},
        "roles": ["user"],
        "signIn": {"provider": True, "demo": False},
    }

    person: Annotated[Person | None, Field(description="Null if nobody is signed in")]
    roles: list[str]
    sign_in: SignInWays


class SignedOut(Shape):
    """The end of a session."""

    EXAMPLE: ClassVar = {"providerUrl": "https://id.example.com/session/end?client_id=photofeed"}

    provider_url: AnyUrl | None


class DevToken(Shape):
    """A bearer token for development."""

    EXAMPLE: ClassVar = {"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expiresAt": _CREATED}

    token: str
    expires_at: datetime


class DevPeople(Shape):
    """People of the demo."""

    EXAMPLE: ClassVar = {"items": [_USER]}

    items: list[User]


class DevProgress(Shape):
    """How far the workers are."""

    EXAMPLE: ClassVar = {"eventsInFeatures": 5701, "photos": {"ready": 72}}

    events_in_features: Count
    photos: dict[str, int]
