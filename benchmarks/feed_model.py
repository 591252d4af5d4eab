"""The benchmark's ranker: trained on rows of the world and offered by a minimal registry with MLflow's REST API."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson
from forest import train_forest
from numpy.typing import NDArray

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHAMPION, CONTRACT_FILE, MODEL_FILE, TABLES_FILE, sha256_of_file
from photofeed.models.scorer import build_tables

MODEL_FOLDER = "BENCH_MODEL_FOLDER"  # environment variable of the stock server: the model's folder
TREES, LEAVES = 500, 63
VERSION = "1"


def train(matrix: NDArray[np.float32], folder: Path, manifest: FeatureManifest, model_name: str) -> None:
    """Train a ranker on rows of the world and write its files as those of a registered version."""
    random = np.random.default_rng(3)
    known = np.nan_to_num(matrix.astype(np.float64))
    spread = np.maximum(known.std(axis=0), 1e-9)
    normal = (known - known.mean(axis=0)) / spread
    signal = normal @ random.normal(size=matrix.shape[1]) + 2 * np.sin(normal[:, ::3].sum(axis=1))
    text = train_forest(matrix, signal + random.normal(size=len(matrix)), TREES, LEAVES, names=FEATURE_NAMES)
    (folder / CONTRACT_FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_text(text)
    build_tables(text).save(folder / TABLES_FILE)
    now = datetime.now(UTC)
    contract = ModelContract(
        model_name=model_name,
        run_id=hashlib.sha256(text.encode()).hexdigest()[:32],
        feature_names=FEATURE_NAMES,
        manifest=manifest,
        trained_from=now,
        trained_until=now,
        git_commit="",
        model_sha256=sha256_of_file(folder / MODEL_FILE),
        tables_sha256=sha256_of_file(folder / TABLES_FILE),
    )
    (folder / CONTRACT_FILE).write_bytes(contract.to_json())


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a registry with one version, the champion. It implements the calls of MLflow's REST API that servers use."""
    contract = ModelContract.from_json((folder / CONTRACT_FILE).read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path.endswith("/get-artifact"):
                body = (folder / parse_qs(url.query)["path"][0]).read_bytes()
            else:
                named = {"name": contract.model_name}
                version = named | {"version": VERSION, "run_id": contract.run_id, "aliases": [CHAMPION]}
                model = named | {"aliases": [{"alias": CHAMPION, "version": VERSION}]}
                body = orjson.dumps({"registered_model": model, "model_version": version})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the output of a benchmark is its tables."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
