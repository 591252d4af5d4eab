"""The requests that are made of S3, by the settings: addresses, region and encryption."""

from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from photofeed.errors import ConflictError, NotFoundError, UnavailableError
from photofeed.object_store import S3ObjectStore, UploadConditions, cors_rule, s3_client
from photofeed.settings import Settings

FRANKFURT = {"s3_endpoint_url": "https://s3.eu-central-1.amazonaws.com", "s3_region": "eu-central-1"}
COPIED = b"<CopyObjectResult><ETag>&quot;tag&quot;</ETag></CopyObjectResult>"


class Body:
    """The body of a reply."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> list[bytes]:
        return [self._data]


class Sent:
    """A store whose requests are kept instead of sent."""

    def __init__(self, settings: Settings) -> None:
        self.requests: list[Any] = []
        self.answer = (200, COPIED)
        self.client = s3_client(settings)
        self.client.meta.events.register("before-send.s3", self._answer)
        self.store = S3ObjectStore(self.client, settings.s3_kms_key_id)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        status, body = self.answer
        return AWSResponse(request.url, status, HTTPHeaders(), Body(body))

    def headers(self) -> dict[str, str]:
        """Of the last request."""
        found = {name.lower(): value for name, value in self.requests[-1].headers.items()}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


@pytest.mark.parametrize(
    ("style", "address"),
    [
        ("path", "https://s3.eu-central-1.amazonaws.com/lake/key"),
        ("virtual", "https://lake.s3.eu-central-1.amazonaws.com/key"),
    ],
)
def test_addresses_have_the_style_and_signatures_the_region_of_the_settings(style: str, address: str) -> None:
    sent = Sent(Settings.model_validate(FRANKFURT | {"s3_addressing_style": style}))
    with closing(sent.client):
        sent.store.put("lake", "key", b"data", "text/plain")
        signed = sent.store.presign_put("lake", "key", 60, UploadConditions())
    assert sent.requests[-1].url == address
    assert "/eu-central-1/s3/aws4_request" in sent.headers()["authorization"]
    assert signed.startswith(f"{address}?")


def test_what_photofeed_writes_is_encrypted_with_the_key_and_uploads_by_the_default_of_their_bucket() -> None:
    sent = Sent(Settings.model_validate(FRANKFURT | {"s3_kms_key_id": "alias/photos"}))
    with closing(sent.client):
        for write in (
            lambda: sent.store.put("lake", "key", b"data", "text/plain", cache_control="no-store"),
            lambda: sent.store.put_new("lake", "key", b"data", "text/plain"),
            lambda: sent.store.copy("lake", "one", "two", "tag"),
        ):
            write()
            headers = sent.headers()
            assert headers["x-amz-server-side-encryption"] == "aws:kms"
            assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/photos"
        signed = sent.store.presign_put("lake", "key", 60, UploadConditions())
    assert "encryption" not in urlsplit(signed).query


def test_pages_of_the_named_origins_alone_may_upload_and_read_the_etag() -> None:
    assert cors_rule(["https://photos.example"], "PUT") == {
        "AllowedOrigins": ["https://photos.example"],
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    }


def test_an_upload_address_signs_the_conditions_and_ends() -> None:
    sent = Sent(Settings.model_validate(FRANKFURT | {"s3_access_key": "key", "s3_secret_key": "secret"}))
    conditions = UploadConditions(media_type="image/jpeg", byte_size=7, sha256_base64="c3Vt")
    with closing(sent.client):
        query = parse_qs(urlsplit(sent.store.presign_put("lake", "key", 60, conditions)).query)
        reading = parse_qs(urlsplit(sent.store.presign_get("lake", "key", 90)).query)
    signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
    assert {"content-length", "content-type", "host"} <= signed
    assert {"x-amz-checksum-sha256"} <= signed | set(map(str.lower, query))
    assert (query["X-Amz-Expires"], reading["X-Amz-Expires"]) == (["60"], ["90"])


def test_a_store_that_is_slow_is_given_up() -> None:
    with closing(s3_client(Settings.model_validate(FRANKFURT))) as client:
        config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 30)
    assert config.retries["mode"] == "standard"
    assert config.retries.get("total_max_attempts", config.retries.get("max_attempts", 0) + 1) == 4


def test_without_a_key_the_bucket_decides() -> None:
    sent = Sent(Settings.model_validate(FRANKFURT))
    with closing(sent.client):
        sent.store.put("lake", "key", b"data", "text/plain")
    assert not [name for name in sent.headers() if "encryption" in name]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", NotFoundError),
        (404, "", NotFoundError),  # of HEAD, which has no body
        (412, "PreconditionFailed", ConflictError),
        (412, "", ConflictError),
        (409, "ConditionalRequestConflict", ConflictError),  # another write of the key was under way
        (409, "OperationAborted", UnavailableError),
        (403, "AccessDenied", UnavailableError),
        (404, "NoSuchBucket", UnavailableError),
    ],
)
def test_a_missing_object_and_a_condition_that_does_not_hold_are_told_from_a_store_that_is_away(
    status: int, code: str, error: type[Exception]
) -> None:
    sent = Sent(Settings.model_validate(FRANKFURT))
    sent.answer = status, f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    with closing(sent.client):
        for call in (lambda: sent.store.get("lake", "key", etag="a"), lambda: sent.store.copy("lake", "a", "b", "tag")):
            with pytest.raises(error):
                call()
        if error is ConflictError:
            assert not sent.store.put_new("lake", "key", b"data", "text/plain")
        else:
            with pytest.raises(error):
                sent.store.put_new("lake", "key", b"data", "text/plain")
