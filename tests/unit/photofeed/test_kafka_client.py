"""Every Kafka client connects with the credentials of the settings, and half-made settings are refused by name."""

from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from pydantic import SecretStr, ValidationError

from photofeed.kafka_client import connection_options
from photofeed.settings import Settings

LOGIN: dict[str, Any] = {"kafka_sasl_username": "photofeed", "kafka_sasl_password": SecretStr("Ui3kd")}


def test_a_cluster_without_security() -> None:
    options = connection_options(Settings())
    assert options["security_protocol"] == "PLAINTEXT"
    assert not [name for name in options if name.startswith(("ssl", "sasl"))]


def test_a_cluster_with_tls_and_a_login(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "certificate", "key")}
    for file in files.values():
        file.touch()
    settings = Settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_ca_file=files["ca"],
        kafka_client_certificate=files["certificate"],
        kafka_client_key=files["key"],
        **LOGIN,
    )
    options = connection_options(settings)
    assert options["ssl_cafile"] == str(files["ca"])
    assert (options["ssl_certfile"], options["ssl_keyfile"]) == (str(files["certificate"]), str(files["key"]))
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-256", "photofeed")
    assert options["sasl_plain_password"] == "Ui3kd"
    for client in (KafkaProducer, KafkaConsumer, KafkaAdminClient):
        assert options.keys() <= client.DEFAULT_CONFIG.keys()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "PHOTOFEED_KAFKA_SASL_PASSWORD"),
        ({"kafka_security_protocol": "SSL", "kafka_client_key": __file__}, "PHOTOFEED_KAFKA_CLIENT_CERTIFICATE"),
        ({"kafka_ca_file": __file__}, "PHOTOFEED_KAFKA_SECURITY_PROTOCOL"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": "/no/such/file"}, "kafka_ca_file"),
        ({"kafka_security_protocol": "TLS"}, "kafka_security_protocol"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "kafka_sasl_mechanism"),
    ],
)
def test_half_made_settings_are_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(given)
