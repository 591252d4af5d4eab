"""The stack of the flows, and who and what is in it: people for each screen, and photographs.

Every flow changes something, so each size of screen has people of its own. Authors and their photos are shared.
"""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import ExifTags, Image, ImageOps

from photofeed.dead_letters import DeadLetter
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.errors import PermanentError
from photofeed.event_log import Message
from photofeed.events import Envelope
from photofeed.ids import decode_id
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.settings import Settings
from photofeed.tokens import ADMIN, MODERATOR, SERVICE, USER, mint_token
from photofeed.topics import PHOTO_PROCESSED, REMOVAL_GROUP, dead_letters
from simulation.pictures import camera  # noqa: F401  lets Pillow write HEIC
from simulation.pictures.photographs import PHOTOGRAPHS, Photograph, take
from tests.oidc_provider import Provider, signing_key
from tools.listening import free_port

SIZES = ("phone", "desktop")
AUTHORS = {"ada": "Ada Okafor", "ben": "Ben Castellanos", "cleo": "Cleo Marchetti"}
PEOPLE = {
    "reader": "Rosa Yildiz",
    "uploader": "Uma Lindqvist",
    "friend": "Farid Haddad",
    "hider": "Hugo Brandt",
    "private": "Pia Novak",
    "asker": "Amir Farouk",
    "victim": "Vera Sato",
    "troll": "Tom Rask",
    "editor": "Edda Lund",
    "leaver": "Leo Marino",
    "moderator": "Mona Petit",
    "operator": "Otis Grant",
}
ROLES = {"moderator": frozenset({MODERATOR}), "operator": frozenset({MODERATOR, ADMIN})}
FOLLOWS = {"reader": ("ada", "ben", "cleo"), "hider": ("ada", "ben", "cleo"), "friend": ("uploader",)}
OWNERS = ("private", "editor", "troll")  # have a photo of their own
WORKERS = ("relay", "photos", "photos", "fanout", "features", "pools", "removal")
CLIENT = "photofeed-public"  # of tests/oidc/provider.mjs
_PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
_SEED = 7
_PATIENCE_SECONDS = 120.0
_TOKEN_HOURS = 2.0
_QUALITY = 88
_TURN_CLOCKWISE = 6  # the EXIF orientation of a phone that was held upright


@contextmanager
def running_world(folder: Path) -> Iterator[dict[str, Any]]:
    """What the flows have to know, as JSON; everything stops when the context is left."""
    stack = EmbeddedStack(folder / "stack")
    with ExitStack() as owned:
        owned.callback(stack.stop)
        stack.start(servers=WITHOUT_MLFLOW)
        settings = stack.settings()
        provider = Provider(folder, free_port(), settings.public_url)
        owned.enter_context(provider.running(signing_key("e2e")))
        environment = {
            **os.environ,
            "PHOTOFEED_STATE_DIR": str(stack.state.path),
            "PHOTOFEED_OIDC_ISSUER": provider.url,
            "PHOTOFEED_OIDC_CLIENT_ID": CLIENT,
            "PHOTOFEED_COMPRESS_REPLIES": "true",
            "PHOTOFEED_MODERATION_REPORTS": "1",
        }
        with (folder / "setup.log").open("wb") as log:
            subprocess.run((_PHOTOFEED, "setup"), check=True, env=environment, stdout=log, stderr=log)  # noqa: S603
        for number, name in enumerate(("serve", *WORKERS)):
            owned.enter_context(_process(folder / f"{name}-{number}.log", name, environment))
        http = owned.enter_context(httpx.Client(base_url=settings.public_url, timeout=60))
        _wait_for(lambda: _answers(http))
        _add_dead_letters(settings)
        yield _Population(settings, http).describe() | {
            "url": settings.public_url,
            "provider": provider.url,
            "files": {size: _files(folder, size) for size in SIZES},
        }


@contextmanager
def _process(log_file: Path, name: str, environment: dict[str, str]) -> Iterator[None]:
    arguments = (name,) if name == "serve" else ("work", name)
    with log_file.open("wb") as log:
        process = subprocess.Popen((_PHOTOFEED, *arguments), env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def _wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError(f"still waiting after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.1)


def _add_dead_letters(settings: Settings) -> None:
    """A message for each size that the workers of removals gave up; replayed, they do nothing."""
    value = Envelope("photo.none", "0", {}).encode()
    error = PermanentError("the original is gone")
    letters = [
        DeadLetter.about(Message(PHOTO_PROCESSED.name, 0, number, f"letter-{size}", value), REMOVAL_GROUP, error)
        for number, size in enumerate(SIZES)
    ]
    with closing(KafkaPublisher(settings)) as publisher:
        topic = dead_letters(PHOTO_PROCESSED.name, REMOVAL_GROUP)
        publisher.publish(topic, [letter.to_envelope() for letter in letters])


class _Population:
    """Adds people and photos through the API."""

    def __init__(self, settings: Settings, http: httpx.Client) -> None:
        self._settings = settings
        self._http = http

    def describe(self) -> dict[str, Any]:
        """Everybody by name, and the posts of the authors."""
        authors = {name: self._person(name, display) for name, display in AUTHORS.items()}
        people = {
            size: {name: self._person(f"{name}_{size}", f"{display} {size}") for name, display in PEOPLE.items()}
            for size in SIZES
        }
        owners = list(authors.values()) * len(PHOTOGRAPHS)
        pictures = list(zip(owners, PHOTOGRAPHS * 2, strict=False))
        own = [(people[size][name], shown) for size in SIZES for name, shown in zip(OWNERS, PHOTOGRAPHS, strict=False)]
        with ThreadPoolExecutor(4) as pool:
            posts = list(pool.map(self._upload, range(len(pictures) + len(own)), *zip(*pictures, *own, strict=True)))
        for size in SIZES:
            for name, followed in FOLLOWS.items():
                for other in followed:
                    target = authors.get(other) or people[size][other]
                    self._call(people[size][name], "PUT", f"/v1/users/{target['id']}/follow")
            reader = people[size]["reader"]
            _wait_for(partial(self._reaches, reader, len(pictures)))
        return {"authors": authors, "people": people, "posts": posts[: len(pictures)]}

    def _person(self, handle: str, display_name: str) -> dict[str, str]:
        service = mint_token(self._settings, 0, frozenset({SERVICE}))
        body = {"handle": handle, "displayName": display_name}
        user_id = self._request(service, "POST", "/v1/users", json=body)["id"]
        scopes = frozenset({USER}) | ROLES.get(handle.partition("_")[0], frozenset())
        token = mint_token(self._settings, decode_id(user_id), scopes, _TOKEN_HOURS)
        return {"id": user_id, "handle": handle, "displayName": display_name, "token": token}

    def _reaches(self, reader: dict[str, str], posts: int) -> bool:
        """Whether the posts are in the reader's feed."""
        return len(self._call(reader, "GET", "/v1/feed?limit=30")["items"]) >= posts

    def _upload(self, number: int, person: dict[str, str], photograph: Photograph) -> str:
        file = io.BytesIO()
        take(np.random.default_rng(number), photograph).save(file, "JPEG", quality=_QUALITY)
        ticket = self._call(person, "POST", "/v1/photos/initiate")
        httpx.put(ticket["uploadUrl"], content=file.getvalue()).raise_for_status()
        photo_id: str = ticket["photoId"]
        words = {"caption": f"A photo about {photograph.topic}", "tags": [photograph.topic]}
        self._call(person, "POST", f"/v1/photos/{photo_id}/complete", json=words)
        _wait_for(lambda: self._call(person, "GET", f"/v1/photos/{photo_id}")["status"] == "ready")
        return photo_id

    def _call(self, person: dict[str, str], method: str, path: str, **arguments: Any) -> Any:
        return self._request(person["token"], method, path, **arguments)

    def _request(self, token: str, method: str, path: str, **arguments: Any) -> Any:
        reply = self._http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **arguments)
        reply.raise_for_status()
        return reply.json() if reply.content else None


def _files(folder: Path, size: str) -> dict[str, Sequence[str]]:
    """Photos to upload: a HEIC, three JPEGs and a draft. Sizes share no near duplicates, of which a feed shows one."""
    rng = np.random.default_rng((_SEED, SIZES.index(size)))
    saved = []
    for number, (photograph, kind) in enumerate(zip(PHOTOGRAPHS, ("HEIF", *["JPEG"] * 4), strict=False)):
        path = folder / f"{size}-{number}.{'heic' if kind == 'HEIF' else 'jpg'}"
        take(rng, photograph).save(path, kind, quality=_QUALITY)
        saved.append(str(path))
    return {"heic": saved[:1], "jpegs": saved[1:4], "drafts": saved[4:], "sideways": [_sideways(rng, folder, size)]}


def _sideways(rng: np.random.Generator, folder: Path, size: str) -> str:
    """A photo whose pixels lie on their side: its EXIF data says how to turn it upright."""
    photograph = take(rng, PHOTOGRAPHS[-1])
    upright = ImageOps.fit(photograph, (600, 900))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _TURN_CLOCKWISE
    path = folder / f"{size}-sideways.jpg"
    upright.transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", quality=_QUALITY, exif=exif)
    return str(path)
