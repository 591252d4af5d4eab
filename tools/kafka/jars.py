"""Where the jars of Apache Kafka are."""

from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
JARS = Path(__file__).parents[2] / ".venv" / "kafka"  # kept by `make clean` for as long as the environment


def are_there() -> bool:
    """Whether `make kafka` has fetched the jars."""
    return any(JARS.glob("kafka_*.jar"))
