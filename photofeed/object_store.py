"""Object storage: S3 and its in-memory twin behind one protocol."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from photofeed.errors import ConflictError, NotFoundError, RetryableError
from photofeed.settings import Settings


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it."""

    size: int
    etag: str
    media_type: str


@dataclass(frozen=True, slots=True)
class UploadConditions:
    """What a pre-signed upload is held to by the store; None leaves a thing open."""

    media_type: str | None = None
    byte_size: int | None = None
    sha256_base64: str | None = None


class ObjectStore(Protocol):
    """Buckets of objects.

    Every method may raise RetryableError when the store cannot be reached; reads of a missing key raise NotFoundError.
    """

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        """Write an object whole; writing the same key again replaces it."""

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key is taken; of two who try at once one succeeds. Whether it was written."""

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Size, etag and media type."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; removing a missing one is fine."""

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order."""

    def abort_multipart(self, bucket: str, before: datetime) -> int:
        """Throw away the parts of uploads in parts begun before a moment and never completed; returns how many."""

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:
        """A URL to which a client may PUT this one object for `seconds`."""


class S3ObjectStore:
    """Any S3-compatible store, by boto3. Safe to share between threads."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @staticmethod
    def connect(settings: Settings) -> "S3ObjectStore":
        """A store on the settings' endpoint with signature version 4 and path-style addresses."""
        import boto3  # noqa: PLC0415  half a second that not every process needs
        from botocore.config import Config  # noqa: PLC0415

        return S3ObjectStore(
            boto3.client(
                "s3",
                endpoint_url=settings.s3_endpoint_url,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"},
                    connect_timeout=3,
                    read_timeout=30,
                    retries={"max_attempts": 3, "mode": "standard"},
                    max_pool_connections=32,
                    # the newer default streams checksums in trailers, which not every S3 understands
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        )

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        """Write an object whole."""
        extra = {"CacheControl": cache_control} if cache_control else {}
        self._call("put_object", Bucket=bucket, Key=key, Body=data, ContentType=media_type, **extra)

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key is taken."""
        try:
            self._call("put_object", Bucket=bucket, Key=key, Body=data, ContentType=media_type, IfNoneMatch="*")
        except ConflictError:
            return False
        return True

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        reply = self._call("get_object", Bucket=bucket, Key=key)
        body: bytes = reply["Body"].read()
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
        """Throw away the parts of uploads begun before a moment and never completed."""
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

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:
        """A URL to which a client may PUT this one object; the store itself enforces the conditions given."""
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

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NotFound"}:
                raise NotFoundError(f"no object {arguments.get('Key')!r}") from error
            if error.response.get("Error", {}).get("Code") in {
                "412",
                "PreconditionFailed",
                "ConditionalRequestConflict",
            }:
                raise ConflictError(f"there is an object {arguments.get('Key')!r} already") from error
            raise RetryableError(f"object storage refused {operation}: {error}") from error
        except BotoCoreError as error:
            raise RetryableError(f"object storage cannot be reached: {error}") from error


class InMemoryObjectStore:
    """A store in this process: for tests and for running the photo pipeline on one file."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._lock = threading.Lock()

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:  # noqa: ARG002
        """Write an object whole."""
        with self._lock:
            self._objects[bucket, key] = (data, media_type)

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Write an object unless its key is taken."""
        with self._lock:
            return self._objects.setdefault((bucket, key), (data, media_type))[0] is data

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        return self._find(bucket, key)[0]

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Size, etag and media type."""
        data, media_type = self._find(bucket, key)
        return ObjectInfo(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), media_type)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        with self._lock:
            self._objects.pop((bucket, key), None)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order."""
        with self._lock:
            found = sorted(key for owner, key in self._objects if owner == bucket and key.startswith(prefix))
        yield from found

    def abort_multipart(self, bucket: str, before: datetime) -> int:  # noqa: ARG002
        """Nothing: objects are only put whole here."""
        return 0

    def presign_put(self, bucket: str, key: str, seconds: int, conditions: UploadConditions) -> str:  # noqa: ARG002
        """An address that only names the object: nothing listens in memory."""
        return f"memory://{bucket}/{key}"

    def _find(self, bucket: str, key: str) -> tuple[bytes, str]:
        with self._lock:
            try:
                return self._objects[bucket, key]
            except KeyError:
                raise NotFoundError(f"no object {key!r}") from None
