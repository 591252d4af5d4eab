"""TLS: which addresses have none, and certificates that are wrong or end soon."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from photofeed.doctor.finding import Finding, first_line, ok, warning, wrong
from photofeed.settings import Settings

SHORTEST_DAYS = 14
_DAY = 86_400.0
_CONNECT_SECONDS = 5.0
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


def certificates(settings: Settings, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check the TLS of every address. Outside env=dev the public address needs it, and plain connections are named."""
    public = {"PHOTOFEED_PUBLIC_URL": settings.public_url}
    if settings.jwt_jwks_url:
        public["PHOTOFEED_JWT_JWKS_URL"] = settings.jwt_jwks_url
    inside = {
        "PHOTOFEED_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "PHOTOFEED_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
    }
    for variable, url in (public | inside).items():
        if url.startswith("https://"):
            yield from _certificate(url, now())
        elif settings.env != "dev" and variable in public:
            yield wrong("tls.public", f"{variable} is {url}, without TLS", "use an https address")
    if settings.env != "dev":
        yield from plain_connections(settings)


def plain_connections(settings: Settings) -> Iterator[Finding]:
    """Systems that are reached without encryption."""
    database = urlsplit(settings.database_url.get_secret_value())
    mode = parse_qs(database.query).get("sslmode", ["prefer"])[0]
    plain = {
        "PostgreSQL": ("add ?sslmode=verify-full to PHOTOFEED_DATABASE_URL", mode not in _ENCRYPTED),
        "Redis": (
            "use a rediss:// address in PHOTOFEED_REDIS_URL",
            not settings.redis_url.get_secret_value().startswith(("rediss://", "rediss+cluster://")),
        ),
        "object storage": (
            "use an https address in PHOTOFEED_S3_ENDPOINT_URL",
            not settings.s3_endpoint_url.startswith("https://"),
        ),
        "MLflow": (
            "use an https address in PHOTOFEED_MLFLOW_TRACKING_URI",
            not settings.mlflow_tracking_uri.startswith("https://"),
        ),
    }
    for system, (mend, is_plain) in plain.items():
        if is_plain:
            yield warning("tls.inside", f"{system} may be reached without TLS", mend)


def _certificate(url: str, now: float) -> Iterator[Finding]:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        yield wrong(
            "tls.certificate", f"{host}:{port}: {error.verify_message}", "install a certificate that clients accept"
        )
        return
    except OSError as error:
        yield wrong("tls.connection", f"{host}:{port}: {first_line(error)}", f"start what serves {url}, or correct it")
        return
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - now) / _DAY
    if days < SHORTEST_DAYS:
        yield warning("tls.expiry", f"the certificate of {host}:{port} ends in {days:.0f} days", "renew it")
    else:
        yield ok("tls.certificate", f"{host}:{port} is valid for {days:.0f} days")
