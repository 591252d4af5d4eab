"""What people do with the API: the share of each operation, and a request for each."""

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from photofeed.ids import decode_id
from photofeed.tokens import mint_token
from tools.contract.world import World

# Of 1,000 requests; every other operation has OTHERS. Images are most of what an app loads, and the edge keeps most of
# those from the server.
SHARES: Mapping[str, int] = {
    "getImage": 250,
    "getFeed": 200,
    "recordEvents": 150,
    "countNewPosts": 60,
    "getExplore": 50,
    "likePost": 30,
    "getPost": 30,
    "listComments": 30,
    "getUserByHandle": 20,
    "listPostsOfUser": 20,
    "countUnreadNotifications": 20,
    "searchPosts": 10,
    "createComment": 10,
}
OTHERS = 2

_TEXT = {"text": "What a light"}
_RULING = {"decision": "approve", "reason": "harmless"}
_REPORT = {"reason": "spam"}
_BODIES: Mapping[str, Any] = {
    "initiatePhoto": {"byteSize": 1000},
    "createComment": _TEXT,
    "editComment": _TEXT,
    "updateNotificationSettings": {"switchedOff": []},
    "updateMe": {"bio": "Mountains"},
    "editPost": {"caption": "A plain colour", "tags": ["colour"]},
    "reportComment": _REPORT,
    "reportPost": _REPORT,
    "reportUser": _REPORT,
    "decideModeration": _RULING,
    "decideReportedComment": _RULING,
    "decideReportedUser": _RULING,
}
_OF_SERVICES = frozenset(
    {
        "createUser",
        "createWebhook",
        "deleteWebhook",
        "findCandidates",
        "getWebhook",
        "listWebhookDeliveries",
        "listWebhooks",
        "putItems",
        "rank",
        "replayWebhookDelivery",
        "updateWebhook",
    }
)
# Nothing is sent to a webhook's address here, so there is none: these calls are answered 404.
_NOBODYS = {"webhook_id": "0" * 11, "delivery_id": "0" * 11}
_NewPerson = Callable[[], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `keep` gets the body of a successful reply."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: Callable[[Any], None] | None = None


class Mix:
    """Makes the requests of a person, and of new people for what a person can do only once."""

    def __init__(
        self, world: World, document: Mapping[str, Any], target: str, handle: str, new_person: _NewPerson
    ) -> None:
        self._world = world
        self._new_person = new_person
        self._paths = {
            operation["operationId"]: (method.upper(), path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if not path.startswith("/v1/dev/")
        }
        self._ids = {**world.ids, "handle": handle, "tag": "colour", "name": "150", "letter_id": "none", **_NOBODYS}
        self._target = target
        self._slate = str(uuid.uuid4())
        self._receipts: deque[tuple[str, str]] = deque(maxlen=100)  # post, receipt
        self._comments: deque[str] = deque(maxlen=100)
        self._photos: deque[str] = deque(maxlen=100)

    @property
    def operations(self) -> list[str]:
        """Every operation of the document."""
        return list(self._paths)

    def call(self, operation: str) -> Call:
        """The next request of an operation."""
        method, template = self._paths[operation]
        path = template.format_map(self._ids | self._own(operation))
        token, headers = self._caller(operation)
        return Call(method, path, self._params(operation), self._body(operation), token, headers, self._keep(operation))

    def _own(self, operation: str) -> dict[str, str]:
        """Ids of what an operation changes: things of the person, or a person that no other operation uses."""
        match operation:
            case "editPost":
                return {"post_id": self._world.ids["photo_id"]}
            case "deleteComment":
                return {"comment_id": self._comments.popleft()} if self._comments else {}
            case "deletePhoto":
                return {"photo_id": self._photos.popleft() if self._photos else "0" * 11}
            case "blockUser" | "unblockUser" | "muteUser" | "unmuteUser" | "reportUser" | "decideReportedUser":
                return {"user_id": self._target}
        return {}

    def _params(self, operation: str) -> dict[str, str]:
        match operation:
            case "countNewPosts":
                return {"slateId": self._slate}
            case "searchPeople" | "searchPosts" | "suggestTags":
                return {"q": "co"}
            case "explainPost":
                return {"handle": self._ids["handle"], "postId": self._world.ids["post_id"]}
        return {}

    def _body(self, operation: str) -> Any:
        match operation:
            case "recordEvents":
                return {"events": [self._event() for _ in range(10)]}
            case "createUser":
                return {"handle": f"b{uuid.uuid4().hex[:12]}", "displayName": "Bench"}
            case "setAvatar":
                return {"photoId": self._world.ids["photo_id"]}
            case "findCandidates":
                return {"person": {"id": self._world.ids["user_id"]}}
            case "rank":
                posts = [self._world.ids["post_id"], self._world.ids["photo_id"]]
                return {"person": {"id": self._world.ids["user_id"]}, "candidates": [{"id": post} for post in posts]}
            case "putItems":
                return {
                    "items": [{"externalId": f"bench-{number}", "creatorExternalId": "bench"} for number in range(10)]
                }
        return _BODIES.get(operation)

    def _event(self) -> dict[str, str]:
        now = {"id": str(uuid.uuid4()), "occurredAt": datetime.now(UTC).isoformat()}
        if not self._receipts:
            return now | {"type": "open", "postId": self._world.ids["post_id"]}
        post, receipt = self._receipts[0]
        self._receipts.rotate()
        return now | {"type": "impression", "postId": post, "receipt": receipt}

    def _caller(self, operation: str) -> tuple[str, dict[str, str]]:
        """Whose token is sent, and the further headers: an account is deleted and exported only once."""
        match operation:
            case "deleteMe" | "exportMe":
                person, handle = self._new_person()
                return mint_token(self._world.settings, decode_id(person)), {"Confirm-Deletion": handle}
        return self._world.service_token if operation in _OF_SERVICES else self._world.token, {}

    def _keep(self, operation: str) -> Callable[[Any], None] | None:
        match operation:
            case "getFeed" | "getExplore":
                return self._keep_page
            case "createComment":
                return lambda body: self._comments.append(body["id"])
            case "initiatePhoto":
                return lambda body: self._photos.append(body["photoId"])
        return None

    def _keep_page(self, page: Any) -> None:
        self._slate = page["slateId"]
        self._receipts.extend((item["post"]["id"], item["receipt"]) for item in page["items"])
