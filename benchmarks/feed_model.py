"""The benchmark's rankers: trained on rows of the world and offered by a minimal registry with MLflow's REST API."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson
from forest import train_forest
from numpy.typing import NDArray

from photofeed.features.declarations import Age, Cosine, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.features.ratios import Ratio
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHALLENGER, CHAMPION, CONTRACT_FILE, MODEL_FILE, TABLES_FILE, sha256_of_file
from photofeed.models.scorer import build_tables

MODEL_FOLDER = "BENCH_MODEL_FOLDER"  # environment variable of the stock server: the model's folder
TREES, LEAVES = 500, 63
VERSIONS = {"1": CHAMPION, "2": CHALLENGER}
# As many features as the champion has, a quarter of them others.
OTHER_FEATURES = (
    *(
        RankingFeature(f"other_{field}", "other", Ratio("post_engagement", field, "impressions_24h", weight=5.0))
        for field in ("likes_24h", "comments_24h", "saves_24h", "shares_24h", "opens_24h")
    ),
    *(
        RankingFeature(f"other_pair_{field}", "other", Ratio("user_creator", field, "impressions_30d", weight=5.0))
        for field in ("opens_30d", "comments_30d", "saves_30d", "hides_30d")
    ),
    RankingFeature("other_age_days", "other", Age("post_content", "posted_at", unit_seconds=86_400.0)),
    RankingFeature("other_quality", "other", Ratio("post_content", "sharpness", "entropy", weight=1.0)),
    RankingFeature(
        "other_taste",
        "other",
        Cosine(
            (("user_activity", "likes_7d"), ("user_activity", "dwell_7d")),
            (("post_engagement", "likes_24h"), ("post_engagement", "dwell_7d")),
        ),
    ),
)
PROGRAMS = {
    CHAMPION: PROGRAM,
    CHALLENGER: FeatureProgram([*PROGRAM.features[len(OTHER_FEATURES) :], *OTHER_FEATURES]),
}


def folder_of(alias: str, folder: Path) -> Path:
    """Where the files of a ranker are: those of the champion in `folder` itself."""
    return folder if alias == CHAMPION else folder / alias


def train(
    matrix: NDArray[np.float32], folder: Path, manifest: FeatureManifest, model_name: str, program: FeatureProgram
) -> None:
    """Train a ranker on rows of the world and write its files as those of a registered version."""
    random = np.random.default_rng(3)
    known = np.nan_to_num(matrix.astype(np.float64))
    spread = np.maximum(known.std(axis=0), 1e-9)
    normal = (known - known.mean(axis=0)) / spread
    signal = normal @ random.normal(size=matrix.shape[1]) + 2 * np.sin(normal[:, ::3].sum(axis=1))
    text = train_forest(matrix, signal + random.normal(size=len(matrix)), TREES, LEAVES, names=program.names)
    (folder / CONTRACT_FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_text(text)
    build_tables(text).save(folder / TABLES_FILE)
    now = datetime.now(UTC)
    contract = ModelContract(
        model_name=model_name,
        run_id=hashlib.sha256(text.encode()).hexdigest()[:32],
        feature_names=program.names,
        features=program.features,
        manifest=manifest,
        trained_from=now,
        trained_until=now,
        git_commit="",
        model_sha256=sha256_of_file(folder / MODEL_FILE),
        tables_sha256=sha256_of_file(folder / TABLES_FILE),
    )
    (folder / CONTRACT_FILE).write_bytes(contract.to_json())


@contextmanager
def registry(folder: Path, aliases: Sequence[str] = (CHAMPION,)) -> Iterator[str]:
    """Run a registry with these rankers. It implements the calls of MLflow's REST API that servers use."""
    version_of = {alias: version for version, alias in VERSIONS.items() if alias in aliases}
    contracts = {
        alias: ModelContract.from_json((folder_of(alias, folder) / CONTRACT_FILE).read_bytes()) for alias in aliases
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            alias = VERSIONS[asked["version"]] if "version" in asked else asked.get("alias", CHAMPION)
            if url.path.endswith("/get-artifact"):
                body = (folder_of(alias, folder) / asked["path"]).read_bytes()
            else:
                named = {"name": contracts[alias].model_name}
                its = {"version": version_of[alias], "run_id": contracts[alias].run_id, "aliases": [alias]}
                model = named | {"aliases": [{"alias": one, "version": each} for one, each in version_of.items()]}
                body = orjson.dumps({"registered_model": model, "model_version": named | its})
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
