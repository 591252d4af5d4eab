"""Object storage: a protocol, and S3 behind it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from photofeed.errors import ConflictError, NotFoundError, UnavailableError
from photofeed.settings import Settings

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_CONDITION_FAILED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Facts about an object that a store returns without reading it."""

    size: int
    etag: str
    media_type: str


@dataclass(frozen=True, slots=True)
class UploadConditions:
    """Conditions that the store enforces on a pre-signed upload; None for no condition."""

    media_type: str | None = None
    byte_size: int | None = None
    sha256_base64: str | None = None


class ObjectStore(Protocol):
    """Buckets of objects.

    Every method raises UnavailableError if the store cannot be reached or refuses. Reads of a missing key raise
    NotFoundError.
    """

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        """Write an object; the same key again replaces it."""

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key exists; returns whether it was written. Of concurrent writers one succeeds."""

    def copy(self, bucket: str, source: str, target: str, etag: str) -> str:
        """Copy an object within a bucket if it still has this ETag; returns the ETag of the copy.

        Raises:
            ConflictError: the source has another ETag.
            NotFoundError: there is no source.
        """

    def get(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        """The object's bytes.

        Raises:
            ConflictError: `etag` is given and the object has another one.
        """

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Size, etag and media type."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object. A missing object is no error."""

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order."""

    def abort_multipart(self, bucket: str, before: datetime) -> int:
        """Abort multipart uploads that began before a moment and were not completed; returns how many."""

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:
        """A URL to which a client can PUT this object, and no other, for `seconds`."""

    def presign_get(self, bucket: str, key: str, seconds: int) -> str:
        """A URL from which a client can GET this object, and no other, for `seconds`."""


def cors_rule(origins: Sequence[str], method: str) -> dict[str, Any]:
    """The CORS rule of a bucket whose objects web pages of these origins may request with one method."""
    return {
        "AllowedOrigins": list(origins),
        "AllowedMethods": [method],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    }


def bucket_address(settings: Settings, bucket: str) -> str:
    """The address of a bucket, with which those of its objects begin."""
    address = urlsplit(settings.s3_endpoint_url)
    if settings.s3_addressing_style == "virtual":
        return f"{address.scheme}://{bucket}.{address.netloc}"
    return f"{address.scheme}://{address.netloc}/{bucket}"


def s3_client(settings: Settings) -> Any:
    """A client of the settings' endpoint with signature version 4; close it after use."""
    import boto3  # half a second that not every process needs
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        **_keys(settings),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": settings.s3_addressing_style},
            connect_timeout=3,
            read_timeout=30,
            tcp_keepalive=True,
            retries={"max_attempts": 3, "mode": "standard"},
            max_pool_connections=32,
            # The default streams checksums in trailers, which not every S3 supports.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _keys(settings: Settings) -> dict[str, Any]:
    """The keys of the settings; none for boto3's chain, which finds roles and renews their session tokens."""
    if not settings.s3_access_key:
        return {}
    return {
        "aws_access_key_id": settings.s3_access_key,
        "aws_secret_access_key": settings.s3_secret_key.get_secret_value(),
    }


class S3ObjectStore:
    """Any S3-compatible store, through boto3. Threads may share it."""

    def __init__(self, client: Any, kms_key_id: str = "") -> None:
        """Write with this KMS key, if there is one.

        Uploads are not encrypted with it, since clients would have to send its headers: their bucket needs it as its
        default.
        """
        self._client = client
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}

    @staticmethod
    def connect(settings: Settings) -> "S3ObjectStore":
        """A store on the settings' endpoint."""
        return S3ObjectStore(s3_client(settings), settings.s3_kms_key_id)

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        """Write an object."""
        extra = self._encryption | ({"CacheControl": cache_control} if cache_control else {})
        self._call("put_object", Bucket=bucket, Key=key, Body=data, ContentType=media_type, **extra)

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key exists."""
        try:
            extra = {"ContentType": media_type, "IfNoneMatch": "*"} | self._encryption
            self._call("put_object", Bucket=bucket, Key=key, Body=data, **extra)
        except ConflictError:
            return False
        return True

    def copy(self, bucket: str, source: str, target: str, etag: str) -> str:
        """Copy an object within a bucket if it still has this ETag; returns the ETag of the copy."""
        origin = {"Bucket": bucket, "Key": source}
        extra = {"CopySource": origin, "CopySourceIfMatch": f'"{etag}"'} | self._encryption
        reply = self._call("copy_object", Bucket=bucket, Key=target, **extra)
        copied: str = reply["CopyObjectResult"]["ETag"]
        return copied.strip('"')

    def get(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        """The object's bytes."""
        condition = {} if etag is None else {"IfMatch": f'"{etag}"'}
        with _refusals("get_object", key):
            body: bytes = self._client.get_object(Bucket=bucket, Key=key, **condition)["Body"].read()
        return body

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Size, etag and media type."""
        reply = self._call("head_object", Bucket=bucket, Key=key)
        return ObjectInfo(reply["ContentLength"], reply["ETag"].strip('"'), reply.get("ContentType", ""))

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self._call("delete_object", Bucket=bucket, Key=key)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order."""
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, **token)
            yield from (item["Key"] for item in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def abort_multipart(self, bucket: str, before: datetime) -> int:
        """Abort multipart uploads that began before a moment and were not completed."""
        marker: dict[str, str] = {}
        stale: list[dict[str, str]] = []
        while True:
            page = self._call("list_multipart_uploads", Bucket=bucket, **marker)
            stale += [one for one in page.get("Uploads", []) if one["Initiated"] < before]
            if not page.get("IsTruncated"):
                break
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        for one in stale:
            self._call("abort_multipart_upload", Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
        return len(stale)

    def accept_uploads_from(self, bucket: str, origins: Sequence[str]) -> None:
        """Let web pages of these origins, and of no others, PUT to signed URLs of a bucket."""
        rules = {"CORSRules": [cors_rule(origins, "PUT")]}
        self._call("put_bucket_cors", Bucket=bucket, CORSConfiguration=rules)

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:
        """A URL to which a client can PUT this object. The store enforces the conditions."""
        signed = {
            "ContentType": conditions.media_type,
            "ContentLength": conditions.byte_size,
            "ChecksumSHA256": conditions.sha256_base64,
        }
        url: str = self._client.generate_presigned_url(
            "put_object",
            Params={"Bucket": bucket, "Key": key}
            | {name: value for name, value in signed.items() if value is not None},
            ExpiresIn=seconds,
        )
        return url

    def presign_get(self, bucket: str, key: str, seconds: int) -> str:
        """A URL from which a client can GET this object."""
        parameters = {"Bucket": bucket, "Key": key}
        url: str = self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return url

    def _call(self, operation: str, **arguments: Any) -> Any:
        with _refusals(operation, arguments.get("Key")):
            return getattr(self._client, operation)(**arguments)


@contextmanager
def _refusals(operation: str, key: str | None) -> Iterator[None]:
    """Raise the errors of the protocol for those of boto3. A connection can also break while a body is read."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code in _MISSING:
            raise NotFoundError(f"no object {key!r}") from error
        if code in _CONDITION_FAILED:
            raise ConflictError(f"the condition of {operation} of {key!r} does not hold") from error
        raise UnavailableError(f"object storage refused {operation}: {error}") from error
    except (BotoCoreError, HTTPError) as error:
        raise UnavailableError(f"object storage cannot be reached: {error}") from error
