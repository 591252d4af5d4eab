"""deploy/compose.yaml starts what there is: commands, ports and variables are compared with the code."""

import json
import re
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from compose_spec import models
from typer._click.core import Command  # typer has a copy of click
from typer._click.exceptions import UsageError
from typer.core import TyperGroup

from ingestion.commands import WorkerName
from photofeed.cli import add_service
from photofeed.settings import Settings
from tests.deploy.deployment import (
    DEPLOY,
    OUR_IMAGES,
    asked_for,
    compose,
    dockerfile,
    environment,
    image_variables,
    our_services,
    services,
)
from tools.varnish import ZOOM_SHARE

RUNS_ONCE = ("setup", "trainer")


@pytest.fixture(scope="module")
def command_line() -> Command:
    """`photofeed` with the commands of all services."""
    app = typer.Typer()
    for entry in entry_points(group="photofeed.commands"):
        add_service(app, entry.load())
    return typer.main.get_command(app)


def test_the_file_is_of_the_compose_format() -> None:
    models.ComposeSpecification.model_validate(compose())
    fields = models.Service.model_fields
    known = set(fields) | {field.alias for field in fields.values()}
    for name, service in services().items():
        assert service.keys() - known == set(), name


@pytest.mark.parametrize("name", our_services())
def test_a_command_is_one_of_the_command_line(command_line: Command, name: str) -> None:
    _parse(command_line, "photofeed", our_services()[name]["command"])


def test_a_command_that_does_not_exist_is_found(command_line: Command) -> None:
    for wrong in (["work", "relais"], ["server"], ["retrain", "--promot"]):
        with pytest.raises(UsageError):
            _parse(command_line, "photofeed", wrong)


def _parse(command: Command, name: str, arguments: list[str]) -> None:
    context = command.make_context(name, list(arguments))
    if isinstance(command, TyperGroup):
        found, sub_command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert sub_command is not None
        _parse(sub_command, str(found), rest)


def test_every_worker_runs_and_the_api_twice() -> None:
    commands = [tuple(service["command"]) for service in our_services().values()]
    assert sorted(command[1] for command in commands if command[0] == "work") == sorted(WorkerName)
    assert commands.count(("serve",)) == 2
    assert commands.count(("setup",)) == 1


@pytest.mark.parametrize("name", our_services())
def test_a_service_has_valid_settings_for_production(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    service = our_services()[name]
    given = image_variables(OUR_IMAGES[service["image"]]) | environment(service)
    ours = {variable for variable in given if variable.startswith("PHOTOFEED_")}
    assert ours - {f"PHOTOFEED_{field.upper()}" for field in Settings.model_fields} == set()
    for variable in ours:
        monkeypatch.setenv(variable, given[variable])
    assert Settings().env == "production"


def test_every_address_leads_to_a_port_that_a_service_listens_on() -> None:
    for service in [*our_services().values(), services()["mlflow"]]:
        for value in environment(service).values():
            for address in [value] if "://" in value or value.endswith(":9092") else []:
                parts = urlsplit(address if "://" in address else f"//{address}")
                if parts.scheme == "s3" or parts.hostname == "localhost":
                    continue
                assert str(parts.port) in _listens(str(parts.hostname)), address


def test_what_this_machine_publishes_is_published_on_loopback_only() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert f"127.0.0.1:{urlsplit(environment(services()['relay'])['PHOTOFEED_PUBLIC_URL']).port}:8080" in published


def _listens(host: str) -> list[str]:
    for name, service in services().items():
        networks: Any = service.get("networks", {})
        aliases = networks.get("default", {}).get("aliases", []) if isinstance(networks, dict) else []
        if host in (name, *aliases):
            return list(service.get("expose", []))
    raise AssertionError(f"no service is called {host}")


@pytest.mark.parametrize("name", [name for name, service in services().items() if service["image"] in OUR_IMAGES])
def test_our_containers_can_do_as_little_as_possible(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["build"]["target"] == OUR_IMAGES[service["image"]]
    assert service["build"]["target"] in dockerfile()


def test_what_serves_waits_for_the_set_up() -> None:
    for name, service in our_services().items():
        if name not in RUNS_ONCE:
            assert service["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
    for service in services().values():
        needs = service.get("depends_on", {})
        conditions = needs.items() if isinstance(needs, dict) else []
        for need, condition in conditions:
            checked = services()[need].get("healthcheck") or need.startswith("api-")  # the image has the API's
            assert condition["condition"] != "service_healthy" or checked, need


def test_valkey_evicts_as_photofeed_needs_it_and_the_buckets_are_those_of_the_settings() -> None:
    assert "--maxmemory-policy volatile-ttl" in services()["valkey"]["command"]
    script = services()["buckets"]["command"][0]
    fields = Settings.model_fields
    for bucket in ("bucket_originals", "bucket_variants", "bucket_lake"):
        assert fields[bucket].default in script
    rule = json.loads(script.partition("--cors-configuration \\\n")[2].strip().strip("'"))["CORSRules"][0]
    assert rule["AllowedOrigins"] == [environment(services()["relay"])["PHOTOFEED_PUBLIC_URL"]]
    assert rule["AllowedMethods"] == ["PUT"]


def test_the_example_of_secrets_lists_all_that_are_asked_for_and_has_no_values() -> None:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    listed = [line.partition("=") for line in lines if not line.startswith("#")]
    assert {name for name, _, _ in listed} == asked_for((DEPLOY / "compose.yaml").read_text())
    assert all(not value for _, _, value in listed)


def test_files_that_are_mounted_exist() -> None:
    for service in services().values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                assert source in compose()["volumes"], source


def test_varnish_has_the_storage_that_its_configuration_names() -> None:
    command = services()["varnish"]["command"]
    sizes = dict(re.findall(r"(\w+)=malloc,(\d+)m", " ".join(command)))
    used = re.findall(r"storage\.(\w+)", (DEPLOY / "edge" / "varnish.vcl").read_text())
    assert set(used) == set(sizes)
    assert int(sizes["zoom"]) / sum(map(int, sizes.values())) == ZOOM_SHARE


def test_the_backends_and_the_addresses_of_the_workers_are_those_of_compose() -> None:
    backends = (DEPLOY / "edge" / "backends.vcl").read_text()
    port = image_variables("api")["PHOTOFEED_PORT"]
    for name in ("api-1", "api-2"):
        assert f'{{ .host = "{name}"; .port = "{port}";' in backends
        assert services()[name]["expose"] == [port]
    assert environment(services()["purge"])["PHOTOFEED_CDN_PURGE_URL"] == "http://varnish:8080"
