"""Every setting, read once by a bootstrap and passed on; nothing else reads the environment."""

import os
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from photofeed.errors import InvalidError

UploadFormat = Literal["jpeg", "png", "webp", "avif", "heif", "gif"]

DEV_SECRET = "photofeed-dev"  # noqa: S105  refused outside env=dev
DUCKDB_MEMORY_MB = 160
STACK_ENV_FILE = "stack.env"


class Settings(BaseSettings):
    """Settings of every photofeed process, from `PHOTOFEED_*` variables and the embedded stack's file.

    Each external system is given by URL, so the same code runs on the embedded stack and on real clusters.
    Outside `env=dev` the defaults of secrets are refused.
    """

    model_config = SettingsConfigDict(env_prefix="PHOTOFEED_", extra="ignore", frozen=True)

    env: Literal["dev", "production"] = "dev"
    state_dir: Path = Path(".photofeed")
    log_level: str = "INFO"

    # HTTP
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8000"
    api_workers: int = Field(default=1, ge=1)

    # external systems
    database_url: SecretStr = SecretStr(f"postgresql://photofeed:{DEV_SECRET}@127.0.0.1:5432/photofeed")
    redis_url: SecretStr = SecretStr(f"redis://:{DEV_SECRET}@127.0.0.1:6379/0")
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    s3_endpoint_url: str = "http://127.0.0.1:8333"
    s3_region: str = "us-east-1"
    s3_access_key: str = "photofeed"
    s3_secret_key: SecretStr = SecretStr(DEV_SECRET)
    bucket_originals: str = "photofeed-originals"
    bucket_variants: str = "photofeed-variants"
    bucket_lake: str = "photofeed-lake"
    feature_repo: Path = Path("feature_repo")
    spark_master: str = Field(default="", description="Joins training sets on this Spark cluster; in-process without")
    duckdb_memory_mb: int = Field(default=DUCKDB_MEMORY_MB, ge=128, description="Beyond it, joins spill to state_dir")
    compact_seconds: float = Field(default=600.0, gt=0, description="How often small parts of the lake are merged")

    # who may call: HS256 with a shared secret in dev, RS256 by JWKS in production
    jwt_secret: SecretStr = SecretStr(DEV_SECRET * 3)
    jwt_jwks_url: str | None = None
    jwt_issuer: str = "photofeed"
    jwt_audience: str = "photofeed"
    cursor_secret: SecretStr = SecretStr(DEV_SECRET * 3)

    # uploads
    upload_max_bytes: int = Field(default=50 * 2**20, ge=1)
    upload_max_pixels: int = Field(default=60_000_000, ge=1)
    upload_formats: frozenset[UploadFormat] = Field(
        default=frozenset(get_args(UploadFormat)), min_length=1, description="Formats that are taken, as a JSON list"
    )
    upload_url_seconds: int = Field(default=900, ge=1)
    uploads_per_day: int = Field(default=500, ge=1, description="Photos a person may begin to upload a day (UTC)")
    upload_expiry_seconds: int = Field(default=86_400, ge=1, description="When an upload never completed has failed")
    processing_stuck_seconds: int = Field(default=3_600, ge=1, description="When a photo is put back on its topic")
    sweep_seconds: float = Field(default=60.0, gt=0)

    # photos: AVIF beside JPEG and WebP; from which score of the model on a photo waits for a moderator, or is refused.
    # 36 photographs score at most 0.06, the 600 painted pictures of the demo at most 0.83: dunes look like skin to it.
    # No unsafe picture was at hand: the thresholds hold back nothing harmless, and what they miss is not known.
    avif_variants: bool = False
    moderation_review: float = Field(default=0.85, ge=0, le=1)
    moderation_reject: float = Field(default=0.95, ge=0, le=1)
    moderation_reports: int = Field(default=3, ge=1, description="As many people bring a post before a moderator")
    cdn_purge_url: str | None = None  # where PURGE requests go; none without a CDN

    # ranking
    model_name: str = "feed-ranker"
    feature_service: str = "feed_ranker_v1"
    experiments_file: Path | None = None  # who sees the feed by which ranker, see photofeed/experiments.py
    gates_file: Path | None = None  # what a champion must meet; training/gates.toml unless another is named
    model_poll_seconds: float = Field(default=2.0, gt=0)
    candidates: int = Field(default=500, ge=1, le=5000)
    explore_share: float = Field(default=0.10, ge=0, le=0.5)
    explore_pools_seconds: float = Field(default=1.0, ge=0)  # that a server keeps the pools it draws from
    timeline_length: int = Field(default=800, ge=1)
    celebrity_followers: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _uploads_outlive_their_addresses(self) -> Self:
        if self.upload_expiry_seconds < self.upload_url_seconds:
            raise ValueError("PHOTOFEED_UPLOAD_EXPIRY_SECONDS must not be less than PHOTOFEED_UPLOAD_URL_SECONDS")
        return self

    @model_validator(mode="after")
    def _refuse_dev_secrets(self) -> Self:
        if self.env == "dev":
            return self
        weak = [
            name
            for name, value in self
            if isinstance(value, SecretStr) and (DEV_SECRET in value.get_secret_value() or not value.get_secret_value())
        ]
        if self.jwt_jwks_url:
            weak = [name for name in weak if name != "jwt_secret"]
        if weak:
            names = ", ".join(f"PHOTOFEED_{name.upper()}" for name in weak)
            raise ValueError(f"env={self.env} needs real secrets: set {names}")
        return self

    @model_validator(mode="after")
    def _order_thresholds(self) -> Self:
        if self.moderation_review > self.moderation_reject:
            raise ValueError("moderation_review is above moderation_reject: photos would be refused before reviewed")
        return self

    @cached_property
    def sqlalchemy_url(self) -> str:
        """The database URL as SQLAlchemy (Alembic, the Feast registry) spells it."""
        return self.database_url.get_secret_value().replace("postgresql://", "postgresql+psycopg://", 1)


def load_settings() -> Settings:
    """Read the settings; the embedded stack's file fills what the environment leaves open.

    Raises:
        InvalidError: a variable has a value that cannot be, or a secret is missing; the message names it.
    """
    state_dir = Path(os.environ.get("PHOTOFEED_STATE_DIR", ".photofeed"))
    try:
        return Settings(_env_file=state_dir / STACK_ENV_FILE, state_dir=state_dir)
    except ValidationError as error:
        wrong = [
            f"{'PHOTOFEED_' + str(one['loc'][0]).upper() + ': ' if one['loc'] else ''}{one['msg']}"
            for one in error.errors()
        ]
        raise InvalidError(f"settings: {'; '.join(wrong)}", code="settings") from None
