"""Whether the tests run on Apache Kafka in the place of the embedded broker."""

import os

VARIABLE = "PHOTOFEED_TEST_KAFKA"  # set by `make test-kafka`


def wanted() -> bool:
    """Whether `make test-kafka` runs."""
    return bool(os.environ.get(VARIABLE))
