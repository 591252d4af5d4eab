from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from photofeed.embedded.stack import EmbeddedStack


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator["EmbeddedStack"]:
    """Object storage of its own, without a broker."""
    from photofeed.embedded.stack import EmbeddedStack  # kafka-python warns, which a conftest may not

    with_storage = EmbeddedStack(tmp_path_factory.mktemp("storage"))
    with_storage.start(servers=("seaweedfs",))
    yield with_storage
    with_storage.stop()


@pytest.fixture(scope="module")
def client(storage: "EmbeddedStack") -> "S3Client":
    from photofeed.object_store import s3_client

    made: S3Client = s3_client(storage.settings())
    return made
