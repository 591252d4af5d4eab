import socket
from dataclasses import asdict

import pytest

from photofeed.embedded.errors import PortTakenError
from photofeed.embedded.ports import GRPC_OFFSET, LOOPBACK, WITH_GRPC, Ports, is_free, wanted_ports


def listeners(ports: Ports) -> list[int]:
    named = asdict(ports)
    return [*named.values(), *(named[name] + GRPC_OFFSET for name in WITH_GRPC)]


def test_every_listener_gets_a_free_port_of_its_own() -> None:
    chosen = listeners(Ports().still_free({}))
    assert len(set(chosen)) == len(chosen)
    assert all(is_free(port) for port in chosen)


def test_urls_stay_the_same_across_restarts_while_the_ports_are_free() -> None:
    first = Ports().still_free({})
    assert Ports.kept(asdict(first)).still_free({}) == first


@pytest.mark.parametrize("offset", [0, GRPC_OFFSET], ids=["http", "grpc"])
def test_only_a_port_that_another_program_took_is_chosen_anew(offset: int) -> None:
    first = Ports().still_free({})
    with socket.create_server((LOOPBACK, first.s3 + offset)):
        again = first.still_free({})
    assert again.s3 != first.s3
    assert asdict(again) | {"s3": 0} == asdict(first) | {"s3": 0}


def test_a_setting_wins_over_the_kept_port_and_over_whatever_else_had_it() -> None:
    first = Ports().still_free({})
    again = first.still_free({"api": first.kafka})
    assert again.api == first.kafka
    assert again.kafka != first.kafka


def test_a_setting_that_asks_for_a_taken_port_is_named() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"{port} \(PHOTOFEED_PORT\)"):
            Ports().still_free({"api": port})


def test_a_port_that_cannot_exist_is_refused_as_well() -> None:
    with pytest.raises(PortTakenError, match="PHOTOFEED_S3_ENDPOINT_URL"):
        Ports().still_free({"s3": 60_000})  # its gRPC port would be 70,000


def test_ports_are_read_from_the_settings_that_name_this_machine() -> None:
    environ = {
        "PHOTOFEED_PORT": "8080",
        "PHOTOFEED_DATABASE_URL": "postgresql://me:1:2@localhost:5433/photofeed",
        "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9093",
        "PHOTOFEED_MLFLOW_TRACKING_URI": "http://127.0.0.1:5001",
        "PHOTOFEED_S3_ENDPOINT_URL": "https://storage.example:9000",
        "PHOTOFEED_REDIS_URL": "redis://127.0.0.1",
    }
    assert wanted_ports(environ) == {"api": 8080, "postgres": 5433, "kafka": 9093, "mlflow": 5001}
