"""`make edge`: how many requests for images the edge answers itself, in a real Varnish with deploy/edge/varnish.vcl.

Traffic: `--requests` requests over `--photos` photos, drawn from a Zipf distribution (exponent 0.9), each in a size and
with the `Accept` of a browser by the shares below. There are two edges, each with half of the readers, and a shield
behind them that asks the origin. Each cache has memory for `--cache` of all bytes. Before the requests that are
counted, `--warm` requests of the same kind fill the caches. Bodies are about a tenth of the files that `make
bench-sizes` measures, which changes no rate.

Prints one line of JSON: requests, edgeHitRate, edgeAndShieldHitRate, errors, and the traffic model. Exit code 3 where
Varnish is not installed.
"""

import argparse
import http.client
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from photofeed.cache_control import IMMUTABLE
from photofeed.ids import encode_id
from photofeed.photo_sizes import IMAGE_NAMES
from tools.listening import running_handler
from tools.varnish import IS_INSTALLED, running_varnish

NOT_INSTALLED = 3
EDGES = 2
ZIPF = 0.9
BYTES = {150: 700, 640: 6_000, 1080: 15_000, 3840: 100_000}  # a tenth of the mean file
SIZES = {150: 0.45, 640: 0.45, 1080: 0.09, 3840: 0.01}  # shares of requests
ACCEPTS = {  # shares of browsers, as they spell what they show
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8": 0.65,
    "image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8,*/*;q=0.5": 0.25,
    "image/webp,*/*": 0.07,
    "*/*": 0.03,
}


@contextmanager
def _origin(asked: Counter[str]) -> Iterator[int]:
    """The port of an origin that counts what it is asked; bodies have the size of their variant."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked["origin"] += 1
            body = bytes(BYTES[IMAGE_NAMES[self.path.rpartition("/")[2]][0]])
            self.send_response(200)
            for name, value in {"Cache-Control": IMMUTABLE, "Vary": "Accept", "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Counted instead."""

    with running_handler(Handler) as port:
        yield port


def _requests(photos: int, count: int) -> Iterator[tuple[int, str, str]]:
    """Edge, path and `Accept` of each request."""
    random = np.random.default_rng(11)
    weights = 1 / np.arange(1, photos + 1) ** ZIPF
    names = [encode_id((7 << 55) + number * 977) for number in range(photos)]
    drawn = random.choice(photos, count, p=weights / weights.sum())
    sizes = random.choice(list(SIZES), count, p=list(SIZES.values()))
    accepts = random.choice(list(ACCEPTS), count, p=list(ACCEPTS.values()))
    edges = random.integers(0, EDGES, count)
    for edge, photo, size, accept in zip(edges.tolist(), drawn.tolist(), sizes.tolist(), accepts.tolist(), strict=True):
        yield edge, f"/photos/{names[photo]}/{size}", accept


def replay(photos: int, count: int, cache: float, warm: int) -> dict[str, object]:
    """Send the requests one after the other, and count who answered all after the first `warm`."""
    asked: Counter[str] = Counter()
    # browsers that show AVIF and WebP, only WebP, and neither
    all_bytes = photos * sum(BYTES[size] for size in SIZES) * 3
    memory = max(1, round(all_bytes * cache / 2**20))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        origin = running.enter_context(_origin(asked))
        shield = urlsplit(running.enter_context(running_varnish(folder / "shield", origin, megabytes=memory)))
        connections = []
        for number in range(EDGES):
            url = running.enter_context(running_varnish(folder / f"edge{number}", shield.port or 0, megabytes=memory))
            connections.append(http.client.HTTPConnection(urlsplit(url).netloc))
            running.callback(connections[-1].close)
        for number, (edge, path, accept) in enumerate(_requests(photos, warm + count)):
            if number == warm:
                asked.clear()
            connections[edge].request("GET", path, headers={"Accept": accept})
            reply = connections[edge].getresponse()
            reply.read()
            asked[f"{reply.status} {reply.headers['X-Cache']}"] += 1
    return {
        "requests": count,
        "edgeHitRate": round(asked["200 hit"] / count, 4),
        "edgeAndShieldHitRate": round(1 - asked["origin"] / count, 4),
        "errors": count - asked["200 hit"] - asked["200 miss"],
        "model": {
            "photos": photos,
            "zipf": ZIPF,
            "edges": EDGES,
            "cacheShare": cache,
            "cacheMb": memory,
            "warm": warm,
            "sizes": SIZES,
            "accepts": ACCEPTS,
        },
    }


def main() -> int:
    """Replay and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--warm", type=int, default=100_000, help="requests before those that are counted")
    parser.add_argument("--cache", type=float, default=0.2, help="memory of each cache as a share of all bytes")
    arguments = parser.parse_args()
    if not IS_INSTALLED:
        print("edge: varnishd is missing: apt-get install varnish", file=sys.stderr)
        return NOT_INSTALLED
    print(json.dumps(replay(arguments.photos, arguments.requests, arguments.cache, arguments.warm)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
