"""Requests to MLflow's REST API, and what its answers mean.

Only an answer with one of MLflow's own error codes says that something does not exist. Any other 400 or 404 may come
from a proxy in front of MLflow, and says nothing about the registry.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from photofeed.errors import NotFoundError, RetryableError
from photofeed.settings import Settings

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 10.0
# error codes of MLflow for a name, a version, a run or an alias that does not exist or cannot exist
UNKNOWN_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
UNAUTHORIZED = frozenset({401, 403})


class RefusedCallerError(RetryableError):
    """MLflow, or a proxy in front of it, does not accept the credentials."""

    code = "mlflow_credentials"


def connect(settings: Settings) -> "httpx.Client":
    """A client of the MLflow server of the settings, with their credentials; see `Settings.mlflow_environment`."""
    import httpx  # noqa: PLC0415  only processes that talk to MLflow need it

    headers, auth = {}, None
    if settings.mlflow_tracking_token is not None:
        headers["Authorization"] = f"Bearer {settings.mlflow_tracking_token.get_secret_value()}"
    elif settings.mlflow_tracking_username is not None:
        password = settings.mlflow_tracking_password
        auth = (settings.mlflow_tracking_username, password.get_secret_value() if password else "")
    return httpx.Client(base_url=settings.mlflow_tracking_uri, timeout=TIMEOUT_SECONDS, headers=headers, auth=auth)


def address_of(settings: Settings) -> str:
    """The address of the MLflow server for messages: without a user name and a password."""
    import httpx  # noqa: PLC0415

    return str(httpx.URL(settings.mlflow_tracking_uri).copy_with(userinfo=b""))


class MlflowApi:
    """The API behind an HTTP client. Safe to share between threads."""

    def __init__(self, client: "httpx.Client") -> None:
        self._client = client
        self._address = client.base_url.copy_with(userinfo=b"")  # an address in a message has no password

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, call: str, wanted: str = "", **query: str) -> dict[str, Any]:
        """The reply to a call, or its member `wanted`.

        Raises:
            NotFoundError: MLflow answers that there is no such thing.
            RetryableError: no answer, an error of the server, or an answer that is not MLflow's.
        """
        reply = self.get(f"/api/2.0/mlflow/{call}", query)
        try:
            plain = dict(orjson.loads(reply))
            return dict(plain[wanted]) if wanted else plain
        except (ValueError, KeyError, TypeError) as error:  # perhaps the page of a proxy, which may go away
            raise RetryableError(f"the answer of {self._address} is not MLflow's: {reply[:80]!r}") from error

    def tell(self, method: str, call: str, **body: str) -> None:
        """Make a change. Raises as `ask`."""
        self._request(method, f"/api/2.0/mlflow/{call}", body, json=body)

    def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The content of a successful reply. Raises as `ask`."""
        return self._request("GET", path, query, params=query)

    def _request(self, method: str, path: str, wanted: Mapping[str, str], **arguments: Mapping[str, str]) -> bytes:
        import httpx  # noqa: PLC0415

        try:
            reply = self._client.request(method, path, params=arguments.get("params"), json=arguments.get("json"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RetryableError(f"MLflow does not answer at {self._address}: {error}") from error
        if reply.is_success:
            return reply.content
        if _error_code(reply.content) in UNKNOWN_CODES:
            raise NotFoundError(f"MLflow has no {' '.join(wanted.values())}")
        if reply.status_code in UNAUTHORIZED:
            raise RefusedCallerError(
                f"MLflow at {self._address} answered {reply.status_code}: set MLFLOW_TRACKING_TOKEN, or "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        raise RetryableError(f"MLflow at {self._address} answered {reply.status_code} to {path}")


def _error_code(content: bytes) -> str | None:
    """The `error_code` of an error of MLflow; None for any other content."""
    try:
        plain = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    code = plain.get("error_code") if isinstance(plain, dict) else None
    return code if isinstance(code, str) else None
