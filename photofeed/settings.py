"""All settings. A bootstrap reads them once and passes them on; no other code reads the environment."""

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AliasChoices,
    Field,
    FilePath,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from photofeed import bundled
from photofeed.errors import InvalidError
from photofeed.times import MICROSECONDS

UploadFormat = Literal["jpeg", "png", "webp", "avif", "heif", "gif"]

DEV_SECRET = "photofeed-dev"  # noqa: S105  refused outside env=dev
SHORTEST_SECRET = 32  # characters of a secret that signs; RFC 7518 asks for 256 bits with HS256
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
_SIGNING = frozenset({"jwt_secret", "cursor_secret", "management_token"})
DUCKDB_MEMORY_MB = 160
TWO_STAGES = 2
_NEW_ACCOUNT_HOURS = 24.0
STACK_ENV_FILE = "stack.env"
PREFIX = "PHOTOFEED_"  # of the variables
_RATE = "^[1-9][0-9]{0,8}/(second|minute|hour|day)$"
_PRIVATE_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?")


def _mlflow_credential(name: str) -> Any:
    """An optional setting that is read from photofeed's variable, otherwise from the one of MLflow's own client."""
    names = AliasChoices(f"PHOTOFEED_MLFLOW_TRACKING_{name}", f"MLFLOW_TRACKING_{name}")
    meaning = f"{name.capitalize()} for MLflow; MLFLOW_TRACKING_{name} is read too"
    return Field(default=None, validation_alias=names, description=meaning)


def _rate(default: str, description: str) -> Any:
    return Field(default=default, pattern=_RATE, description=f"{description}, as 60/minute: second, minute, hour, day")


def is_confidential(url: str) -> bool:
    """Whether nobody on the way can read what is sent: HTTPS, or a server of this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES)


class Settings(BaseSettings):
    """Settings of every photofeed process, from `PHOTOFEED_*` variables and the embedded stack's file.

    Every external system is a URL, so the same code runs on the embedded stack and on clusters. `env=dev` must be set:
    without it, default secrets are refused and the routes of development are not served.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True)

    env: Literal["dev", "production"] = Field(
        default="production", description="`dev` allows default secrets and the routes of development, on loopback only"
    )
    state_dir: Path = Field(
        default=Path(".photofeed"),
        description="Folder of local state: data of the embedded stack, mirrors of the lake, caches",
    )
    log_level: str = Field(default="INFO", description="Least severe level that is logged")

    # traces: OpenTelemetry's protocol over HTTP
    traces_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/\s?#]+(/[^\s?#]*)?)?$",
        description="Collector of traces (OTLP over HTTP), as http://collector:4318; without it, nothing is traced",
    )
    traces_ratio: float = Field(default=0.01, ge=0, le=1, description="Share of requests that are traced")

    # HTTP
    host: str = Field(default="127.0.0.1", description="Address that the API listens on")
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the API")
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Address at which clients reach the API; links to images begin with it",
    )
    allowed_hosts: frozenset[str] = Field(
        default=frozenset(), description="Hosts that the API answers for besides that of public_url, as a JSON list"
    )
    api_workers: int = Field(default=1, ge=1, description="Processes of the API")
    cors_origins: tuple[str, ...] = Field(
        default=(), description='Origins of other web apps that may call the API and upload, as a JSON list; or ["*"]'
    )
    compress_replies: bool = Field(default=False, description="Compress replies with gzip, in the API itself")

    # rate limits: calls of a person, as number/second, /minute, /hour or /day
    rate_limits: bool = Field(default=True, description="Whether calls are limited at all")
    rate_reads: str = _rate("3000/minute", "Reads of a person")
    rate_writes: str = _rate("1200/minute", "Changes by a person")
    rate_uploads: str = _rate("600/minute", "Calls of a person that start and complete uploads")
    rate_events: str = _rate("600/minute", "Batches of events of a person")
    rate_search: str = _rate("600/minute", "Searches and suggestions of a person")
    rate_sign_in: str = _rate("3000/minute", "Calls of an address with tokens that are not known yet")
    rate_images: str = _rate("60000/minute", "Images of an address, such as a CDN's")
    rate_address_people: int = Field(
        default=20, ge=1, description="People behind an address, which may make as many times the calls of a person"
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=tuple(map(ip_network, _PRIVATE_NETWORKS)),
        description="Networks of proxies whose X-Forwarded-For is believed, as a JSON list",
    )

    streams_per_person: int = Field(
        default=10, ge=1, description="Open streams of events that a person may have at a server process"
    )
    streams_per_process: int = Field(
        default=2_000, ge=1, description="Open streams of events that a server process may have"
    )
    requests_per_process: int = Field(
        default=128,
        ge=1,
        description="Requests that a server process works on at once, and batches of events; others are answered 503",
    )

    management_token: SecretStr | None = Field(
        default=None, description="Bearer token for /metrics, /openapi.json and the details of /readyz in production"
    )
    public_docs: bool = Field(default=False, description="Serve /docs and /openapi.json to anybody in production")

    # the port of a worker for its orchestrator: /healthz, /readyz and /metrics
    management_host: str = Field(
        default="127.0.0.1", description="Address that the management ports of workers listen on"
    )
    management_port: int = Field(default=0, ge=0, le=65535, description="0 for a free port, which is logged")

    # external systems
    database_url: SecretStr = Field(
        default=SecretStr(f"postgresql://photofeed:{DEV_SECRET}@127.0.0.1:5432/photofeed"), description="PostgreSQL"
    )
    database_direct_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL itself, where PHOTOFEED_DATABASE_URL is a PgBouncer that pools transactions",
    )
    redis_url: SecretStr = Field(
        default=SecretStr(f"redis://:{DEV_SECRET}@127.0.0.1:6379/0"), description="Redis or Valkey"
    )
    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", description="Brokers to connect to first, as host:port, separated by commas"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How clients connect to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="Mechanism of SASL"
    )
    kafka_sasl_username: str | None = Field(default=None, description="User of SASL")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Password of SASL")
    kafka_ca_file: FilePath | None = Field(
        default=None, description="Certificates of the brokers' authority; None for the system's"
    )
    kafka_client_certificate: FilePath | None = Field(
        default=None, description="Certificate with which a client identifies itself"
    )
    kafka_client_key: FilePath | None = Field(default=None, description="Key of that certificate")
    kafka_replication: int | None = Field(
        default=None, ge=1, description="Replicas of new topics; else the broker's default"
    )
    mlflow_tracking_uri: str = Field(default="http://127.0.0.1:5000", description="Address of MLflow")
    mlflow_public_url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="Address of MLflow in the browsers of those who run photofeed: /admin links to it",
    )
    # credentials of MLflow, under MLflow's own names too; a token is used rather than a password
    mlflow_tracking_token: SecretStr | None = _mlflow_credential("TOKEN")
    mlflow_tracking_username: str | None = _mlflow_credential("USERNAME")
    mlflow_tracking_password: SecretStr | None = _mlflow_credential("PASSWORD")
    mlflow_database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL database of MLflow; only backups and restores use it"
    )
    mlflow_artifacts: str = Field(
        default="s3://mlflow/artifacts",
        pattern="^s3://[^/]+(/.*)?$",
        description="Where MLflow keeps its artifacts in the object storage; only backups and restores use it",
    )
    s3_endpoint_url: str = Field(default="http://127.0.0.1:8333", description="Address of the object storage")
    s3_region: str = Field(default="us-east-1", description="Region of the buckets")
    s3_access_key: str = Field(
        default="photofeed", description="Empty for AWS's default credential chain: roles, profiles, session tokens"
    )
    s3_secret_key: SecretStr = Field(default=SecretStr(DEV_SECRET), description="Secret of s3_access_key")
    s3_addressing_style: Literal["path", "virtual"] = Field(
        default="path", description="virtual for addresses that begin with the bucket, as AWS prefers them"
    )
    s3_kms_key_id: str = Field(
        default="", description="KMS key that encrypts what photofeed writes; empty for the default of each bucket"
    )
    bucket_originals: str = Field(
        default="photofeed-originals", description="Bucket of uploads and completed originals; never public"
    )
    bucket_variants: str = Field(default="photofeed-variants", description="Bucket of delivered images")
    bucket_lake: str = Field(
        default="photofeed-lake", description="Bucket of engagement, served log and feature history as Parquet files"
    )
    feature_repo: Path = Field(default_factory=bundled.feature_repo, description="Folder of the Feast repo")
    spark_master: str = Field(default="", description="Spark cluster that joins training sets; in-process if empty")
    duckdb_memory_mb: int = Field(
        default=DUCKDB_MEMORY_MB, ge=128, description="Memory of joins; beyond it they spill to state_dir"
    )
    features_stages: int = Field(
        default=1,
        ge=1,
        le=TWO_STAGES,
        description="2 to count features in several workers at once; change it only as docs/scale.md says",
    )
    compact_seconds: float = Field(
        default=600.0, gt=0, description="Interval at which small parts of the lake are merged"
    )

    # authentication: HS256 with a shared secret in dev, RS256 or ES256 with JWKS in production
    jwt_secret: SecretStr = Field(
        default=SecretStr(DEV_SECRET * 3), description="Secret that signs tokens (HS256) where there is no jwt_jwks_url"
    )
    jwt_jwks_url: str | None = Field(
        default=None,
        description="Address of the identity provider's keys; without it, tokens are signed with jwt_secret",
    )
    jwt_issuer: str = Field(default="photofeed", description="Issuer (`iss`) that tokens must have")
    jwt_audience: str = Field(default="photofeed", description="Audience (`aud`) that tokens must have")
    jwt_subject_claim: str = Field(default="sub", description="Claim that names the person; it must never change")
    jwt_subjects: Literal["mapped", "ids"] = Field(
        default="mapped", description="With JWKS: the provider's own subjects, or ids of photofeed"
    )
    jwt_provision: bool = Field(default=True, description="Whether the first login of a mapped subject adds a user")
    jwt_scopes_claim: str = Field(
        default="", description="Claim with scopes besides `scope` and `scp`, such as realm_access.roles"
    )
    # sign-in in the browser app
    oidc_issuer: str = Field(
        default="", description="OpenID provider at which people sign in to the browser app; none if empty"
    )
    oidc_client_id: str = Field(default="", description="Id of photofeed as a client of that provider")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret of the client; unset for a public client, which PKCE alone protects"
    )
    oidc_scopes: str = Field(
        default="openid profile",
        description="Scopes to ask for; many providers give a refresh token only for offline_access",
    )
    session_hours: float = Field(
        default=168.0, gt=0, le=8_760, description="Longest session in the browser app; then people sign in again"
    )
    cursor_secret: SecretStr = Field(
        default=SecretStr(DEV_SECRET * 3), description="Secret that seals cursors and receipts"
    )

    # uploads
    upload_max_bytes: int = Field(default=50 * 2**20, ge=1, description="Largest upload, in bytes")
    upload_max_pixels: int = Field(
        default=61_000_000,
        ge=1,
        description="Most pixels of a photo; JPEGs that are not progressive may have four times as many",
    )
    upload_formats: frozenset[UploadFormat] = Field(
        default=frozenset(get_args(UploadFormat)), min_length=1, description="Accepted formats, as a JSON list"
    )
    upload_url_seconds: int = Field(default=900, ge=1, description="How long an upload address is valid")
    uploads_per_day: int = Field(default=500, ge=1, description="Uploads that a person may start per day (UTC)")
    upload_unfinished_bytes: int = Field(
        default=4 * 2**30, ge=1, description="Bytes of the uploads that a person has started and not completed"
    )
    upload_grace_seconds: int = Field(
        default=180, ge=0, description="How long after its address expires an upload can be completed; then it fails"
    )
    processing_stuck_seconds: int = Field(
        default=3_600, ge=1, description="Age at which a photo in work is queued again"
    )
    sweep_seconds: float = Field(
        default=60.0, gt=0, description="Interval at which abandoned uploads and stuck photos are looked for"
    )
    # is rejected. 67 photographs and scans score at most 0.18, and the 600 painted pictures of the demo at most 0.83,
    # because the model takes dunes for skin. No unsafe pictures were available: the thresholds hold back nothing
    # harmless in these sets, and how many unsafe photos they miss is not known.
    avif_variants: bool = Field(default=False, description="Make AVIF beside JPEG and WebP, for the sizes of feeds")
    moderator: str = Field(
        default="ingestion.photos.moderation:OpenNsfwModerator",
        description="The moderation model, as module:callable; it is called without arguments",
    )
    hash_list: str = Field(
        default="", description="List of known illegal material, as module:callable; none if empty (hash_list.py)"
    )
    moderation_review: float = Field(
        default=0.85, ge=0, le=1, description="Score of the moderation model from which a photo waits for a moderator"
    )
    moderation_reject: float = Field(
        default=0.95, ge=0, le=1, description="Score of the moderation model from which a photo is rejected"
    )
    moderation_reports: int = Field(
        default=3, ge=1, description="Reports that send a post, comment or person to a moderator"
    )
    webhook_private_addresses: bool = Field(
        default=False, description="Whether webhooks may be sent to addresses that are not public"
    )
    notification_stream_seconds: float = Field(
        default=600.0, gt=0, description="Longest stream of notifications; then clients connect again"
    )
    cdn_purge_url: str | None = Field(default=None, description="Receiver of PURGE requests; unset without a CDN")

    # ranking
    model_name: str = Field(default="feed-ranker", description="Registered model whose aliases decide what ranks")
    feature_service: str = Field(
        default="feed_ranker_v1", description="Feast feature service that new models are trained on"
    )
    experiments_file: Path | None = Field(
        default=None, description="File of A/B tests (format: photofeed/experiments.py)"
    )
    gates_file: Path | None = Field(
        default=None, description="Gates of promotions; unset for the packaged ones (training/promotion/gates.toml)"
    )
    model_poll_seconds: float = Field(
        default=2.0, gt=0, description="Interval at which servers read the aliases from MLflow"
    )
    candidates: int = Field(default=500, ge=1, le=5000, description="Candidates of a feed")
    explore_share: float = Field(
        default=0.10, ge=0, le=0.5, description="Share of a slate that is drawn from outside the follow graph"
    )
    explore_pools_seconds: float = Field(default=1.0, ge=0, description="How long a server caches the explore pools")
    new_account_hours: float | None = Field(
        default=None,
        ge=0,
        description="Hours for which what a new account does changes no feed but its own; 24, or 0 in development",
    )
    hot_rows: int = Field(
        default=250_000,
        ge=0,
        le=50_000_000,
        description="Rows of each view of posts and authors that a server process keeps, about 300 bytes a post; "
        "0 reads all from Redis",
    )
    timeline_length: int = Field(default=800, ge=1, description="Posts kept in a timeline")
    celebrity_followers: int = Field(
        default=10_000,
        ge=1,
        description="Followers from which posts are pulled at read time instead of written to timelines",
    )

    @field_validator("cors_origins")
    @classmethod
    def _whole_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in origins if one != "*" and not _ORIGIN.fullmatch(one)]
        if wrong:
            raise ValueError(f"not an origin: {wrong[0]!r}; write it like https://app.example, without a path")
        return origins

    @model_validator(mode="after")
    def _complete_kafka_credentials(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError(
                f"PHOTOFEED_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs "
                "PHOTOFEED_KAFKA_SASL_USERNAME and PHOTOFEED_KAFKA_SASL_PASSWORD"
            )
        if (self.kafka_client_certificate is None) != (self.kafka_client_key is None):
            raise ValueError("set both PHOTOFEED_KAFKA_CLIENT_CERTIFICATE and PHOTOFEED_KAFKA_CLIENT_KEY, or neither")
        tls = (self.kafka_ca_file, self.kafka_client_certificate)
        if any(tls) and not self.kafka_security_protocol.endswith("SSL"):
            raise ValueError(
                "PHOTOFEED_KAFKA_CA_FILE and certificates need a PHOTOFEED_KAFKA_SECURITY_PROTOCOL with SSL"
            )
        return self

    @model_validator(mode="after")
    def _complete_sign_in(self) -> Self:
        if not self.oidc_issuer:
            return self
        if not self.oidc_client_id or "openid" not in self.oidc_scopes.split():
            raise ValueError(
                "PHOTOFEED_OIDC_ISSUER needs PHOTOFEED_OIDC_CLIENT_ID, and openid in PHOTOFEED_OIDC_SCOPES"
            )
        for name, url in (("OIDC_ISSUER", self.oidc_issuer), ("PUBLIC_URL", self.public_url)):
            if not is_confidential(url):
                raise ValueError(f"PHOTOFEED_{name}: sign-in needs https, except on this machine")
        return self

    @model_validator(mode="after")
    def _order_thresholds(self) -> Self:
        if self.moderation_review > self.moderation_reject:
            raise ValueError("moderation_review must not be above moderation_reject")
        return self

    @property
    def upload_origins(self) -> tuple[str, ...]:
        """Origins of web pages that may upload: our own, and those of `cors_origins`."""
        scheme, _, rest = self.public_url.partition("://")
        return tuple(dict.fromkeys((f"{scheme}://{rest.partition('/')[0]}", *self.cors_origins)))

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers may send cookies over HTTPS only: always, except to a public URL on this machine."""
        return self.public_url.startswith("https://") or not is_confidential(self.public_url)

    @property
    def is_development(self) -> bool:
        """Whether the routes of development are served: in `env=dev`, and only to this machine."""
        return self.env == "dev" and self._listens_on_loopback

    @property
    def new_account_us(self) -> int:
        """`new_account_hours` in microseconds."""
        hours = self.new_account_hours
        if hours is None:
            hours = 0.0 if self.env == "dev" else _NEW_ACCOUNT_HOURS
        return round(hours * 3600 * MICROSECONDS)

    @property
    def mlflow_pages(self) -> str | None:
        """Where a browser finds MLflow, without a slash at the end; None if it is not known."""
        address = self.mlflow_public_url or (self.mlflow_tracking_uri if self.is_development else None)
        return address.rstrip("/") if address else None

    @property
    def serves_docs(self) -> bool:
        """Whether anybody may read the API's document and its page."""
        return self.is_development or self.public_docs

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that the API answers for: that of its public URL, those allowed, and this machine's own names."""
        own = LOOPBACK_NAMES if self._listens_on_loopback else frozenset[str]()
        return own | self.allowed_hosts | {urlsplit(self.public_url).hostname or ""}

    @property
    def _listens_on_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def require_secrets(self) -> None:
        """Refuse secrets that somebody could know or guess, outside of development.

        Raises:
            InvalidError: a secret is empty, has its default or is too short; the message names the variables.
        """
        if self.env == "dev":
            return
        secrets = {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}
        if self.jwt_jwks_url:
            del secrets["jwt_secret"]
        if not self.s3_access_key:
            del secrets["s3_secret_key"]
        weak = [name for name, value in secrets.items() if DEV_SECRET in value or not value]
        weak += [name for name in _SIGNING & secrets.keys() if len(secrets[name]) < SHORTEST_SECRET]
        if weak:
            names = ", ".join(f"PHOTOFEED_{name.upper()}" for name in sorted(set(weak)))
            raise InvalidError(
                f"settings: env={self.env} needs real secrets, of at least {SHORTEST_SECRET} characters to sign with: "
                f"set {names}. On a developer's machine, set PHOTOFEED_ENV=dev.",
                code="settings",
            )

    @property
    def shares_sessions(self) -> bool:
        """Whether `database_url` is a PgBouncer: each transaction may have another session of PostgreSQL."""
        return self.database_direct_url is not None

    @property
    def session_url(self) -> str:
        """The database URL for what needs a session of its own: locks, LISTEN, migrations."""
        return (self.database_direct_url or self.database_url).get_secret_value()

    @property
    def sqlalchemy_url(self) -> str:
        """`session_url` in SQLAlchemy's form, for Alembic and the Feast registry."""
        url = self.session_url.replace("postgresql://", "postgresql+psycopg://", 1)
        parts = urlsplit(url)
        credentials, at, hosts = parts.netloc.rpartition("@")
        if "," not in hosts:
            return url
        # SQLAlchemy takes several hosts as parameters only
        query = "&".join([*(f"host={host}" for host in hosts.split(",")), *filter(None, [parts.query])])
        return urlunsplit(parts._replace(netloc=credentials + at, query=query))

    @property
    def mlflow_environment(self) -> dict[str, str]:
        """The credentials of MLflow as variables of its Python client."""
        token, user, password = self.mlflow_tracking_token, self.mlflow_tracking_username, self.mlflow_tracking_password
        known = {
            "MLFLOW_TRACKING_TOKEN": token and token.get_secret_value(),
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password and password.get_secret_value(),
        }
        return {name: value for name, value in known.items() if value}


def load_settings(*, needs_secrets: bool = True) -> Settings:
    """Read the settings from the environment, then from the embedded stack's file.

    Args:
        needs_secrets: whether weak secrets are refused; False for commands that connect to nothing and sign nothing.

    Raises:
        InvalidError: a variable has an invalid value, or a secret is weak; the message names it.
    """
    state_dir = Path(os.environ.get("PHOTOFEED_STATE_DIR", ".photofeed"))
    try:
        settings = Settings(_env_file=state_dir / STACK_ENV_FILE, state_dir=state_dir)
    except ValidationError as error:
        wrong = [
            f"{PREFIX + str(one['loc'][0]).upper() + ': ' if one['loc'] else ''}{one['msg']}" for one in error.errors()
        ]
        raise InvalidError(f"settings: {'; '.join(wrong)}", code="settings") from None
    if needs_secrets:
        settings.require_secrets()
    return settings
