"""Object storage: credentials, buckets, who may read and write them, the upload address, and the clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from photofeed.doctor.clocks import clock
from photofeed.doctor.finding import Finding, first_line, ok, wrong
from photofeed.object_store import bucket_address, s3_client
from photofeed.settings import Settings

_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"}
_MISSING = {"404", "NoSuchBucket", "NotFound"}
_WHOLE_SECONDS = 1.0  # the resolution of the header Date


def buckets(settings: Settings, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check object storage."""
    with closing(s3_client(settings)) as client:
        try:
            for bucket in (settings.bucket_originals, settings.bucket_variants, settings.bucket_lake):
                yield from _bucket(client, bucket, settings.s3_region)
            yield from _cors(client, settings)
            before = now()
            reply = client.list_objects_v2(Bucket=settings.bucket_lake, MaxKeys=1)
            date = reply["ResponseMetadata"]["HTTPHeaders"].get("date", "")
            if date:
                seconds = parsedate_to_datetime(date).timestamp()
                yield from clock("objects", seconds, before, now(), resolution=_WHOLE_SECONDS)
            yield from strangers(settings)
        except ClientError as error:
            if _code(error) in _REFUSED:
                yield wrong(
                    "objects.credentials",
                    first_line(error),
                    "correct PHOTOFEED_S3_ACCESS_KEY and PHOTOFEED_S3_SECRET_KEY, or the rights of that key",
                )
            elif _code(error) not in _MISSING and _region(error.response) in {None, settings.s3_region}:
                # missing buckets and those of other regions are reported by name
                yield wrong("objects.connection", first_line(error), "see the log of the object storage")
        except BotoCoreError as error:
            yield wrong("objects.connection", first_line(error), "start it, or correct PHOTOFEED_S3_ENDPOINT_URL")
    yield from upload_address(settings)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def _region(reply: Any) -> str | None:
    """The region of a bucket, if the storage tells it."""
    found: str | None = reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return found


def _elsewhere(bucket: str, region: str | None, wanted: str) -> Iterator[Finding]:
    """boto3 follows a bucket to its region. Addresses for uploads are signed before, and refused there."""
    if region not in {None, wanted}:
        yield wrong(
            "objects.region",
            f"{bucket} is in {region}, and PHOTOFEED_S3_REGION is {wanted}, so uploads are refused",
            f"set PHOTOFEED_S3_REGION={region}, and PHOTOFEED_S3_ENDPOINT_URL to the address of that region",
        )


def _bucket(client: Any, bucket: str, region: str) -> Iterator[Finding]:
    try:
        reply = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        yield from _elsewhere(bucket, _region(error.response), region)
        if _code(error) not in _MISSING:
            raise
        yield wrong("objects.bucket", f"there is no bucket {bucket}", f"create it: aws s3 mb s3://{bucket}")
    else:
        yield ok("objects.bucket", f"{bucket} exists")
        yield from _elsewhere(bucket, _region(reply), region)


def _cors(client: Any, settings: Settings) -> Iterator[Finding]:
    """Browsers upload from the settings' origins. Other origins must not, unless the settings allow all."""
    origins = settings.upload_origins
    mend = f"set a CORS rule on {settings.bucket_originals}: AllowedOrigins {list(origins)}, AllowedMethods [PUT]"
    try:
        rules = client.get_bucket_cors(Bucket=settings.bucket_originals).get("CORSRules", [])
    except ClientError as error:
        if _code(error) != "NoSuchCORSConfiguration":
            raise
        rules = []
    allowed = {origin for rule in rules if "PUT" in rule["AllowedMethods"] for origin in rule["AllowedOrigins"]}
    refused = sorted(set(origins) - allowed)
    if "*" in allowed and "*" not in origins:
        yield wrong("objects.cors", "pages of any origin may use upload addresses", mend)
    elif refused and "*" not in allowed:
        yield wrong("objects.cors", f"browsers may not upload from {', '.join(refused)}", mend)
    else:
        yield ok("objects.cors", f"uploads from {', '.join(origins)} are allowed")


def strangers(settings: Settings) -> Iterator[Finding]:
    """Originals have locations and faces of people; nobody reads them without a signature."""
    address = bucket_address(settings, settings.bucket_originals)
    try:
        reply = httpx.get(address, params={"list-type": "2", "max-keys": "1"}, timeout=5)
    except httpx.HTTPError as error:
        yield wrong("objects.connection", first_line(error), "start it, or correct PHOTOFEED_S3_ENDPOINT_URL")
        return
    if reply.is_success:
        yield wrong(
            "objects.private",
            f"anybody may list {settings.bucket_originals}",
            "remove the bucket's public access (policy and ACL)",
        )
    else:
        yield ok("objects.private", f"{settings.bucket_originals} needs a signature")


def upload_address(settings: Settings) -> Iterator[Finding]:
    """Clients upload to the endpoint itself, so they have to reach it."""
    host = urlsplit(settings.s3_endpoint_url).hostname or ""
    if settings.env != "dev" and _is_loopback(host):
        yield wrong(
            "objects.address",
            f"upload addresses begin with {settings.s3_endpoint_url}, which only this machine reaches",
            "set PHOTOFEED_S3_ENDPOINT_URL to an address that clients reach",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
