"""The Helm chart: valid for Kubernetes, and with the commands, variables, ports and groups that the code has.

tests/deploy/rendered has what helm renders, so that these tests need no helm; where it is, it is compared.
"""

import re
from typing import Any

import kubernetes_validate
import pytest

from ingestion.commands import WorkerName
from photofeed.settings import Settings
from photofeed.topics import SUBSCRIPTIONS
from tests.deploy.chart import HELM, KUBERNETES, RENDERED, VALUE_SETS, helm, pods, render, resources
from tests.deploy.deployment import OUR_IMAGES, SECRET, image_variables

needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not installed: go install helm.sh/helm/v3/cmd/helm")
with_each_value_set = pytest.mark.parametrize("values", VALUE_SETS)
URLS = {
    "PHOTOFEED_DATABASE_URL": f"postgresql://photofeed:{SECRET}@postgres/photofeed",
    "PHOTOFEED_REDIS_URL": f"rediss://:{SECRET}@redis/0",
}
URL_KEYS = ",".join(URLS)
ADDRESSES = re.compile(r"(?:^|,)(?:(https?)://)?[\w.-]+(?::(\d+))?")


@needs_helm
@with_each_value_set
def test_the_rendering_is_what_make_chart_writes(values: str) -> None:
    assert (RENDERED / f"{values}.yaml").read_text() == render(values)


@needs_helm
def test_helm_finds_no_fault() -> None:
    for values in VALUE_SETS:
        done = helm("lint", ".", "--strict", "--values", f"values/{values}.yaml")
        assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "secretName: name a Secret"),
        (("--set", "secretName=a,secretKeys=null"), "secretKeys: PHOTOFEED_DATABASE_URL is missing: add it"),
        (("--set", f"secretName=a,secretKeys={{{URL_KEYS}}}"), "secretKeys: PHOTOFEED_CURSOR_SECRET is missing"),
        (
            ("--set", f"secretName=a,secretKeys={{{URL_KEYS},PHOTOFEED_CURSOR_SECRET}}"),
            "secretKeys: PHOTOFEED_S3_SECRET_KEY is missing",
        ),
        (
            ("--set", "secretName=a,settings.PHOTOFEED_KAFKA_SASL_USERNAME=b"),
            "secretKeys: PHOTOFEED_KAFKA_SASL_PASSWORD is missing",
        ),
        (("--set", "secretName=a,settings.PHOTOFEED_JWT_SECRET=b"), "is a secret: put it into the Secret"),
        (("--set", "secretName=a,settings.PHOTOFEED_REDIS_URL=b"), "is a secret: put it into the Secret"),
        (("--set", "secretName=a,settings.PHOTOFEED_DATABASE_DIRECT_URL=b"), "is a secret: put it into the Secret"),
        (("--set", "secretName=a,ingress.enabled=true"), "ingress.host: the name of the site"),
    ],
)
def test_a_chart_without_what_it_needs_says_so(arguments: tuple[str, ...], reason: str) -> None:
    done = helm("template", "photofeed", ".", *arguments)
    assert done.returncode != 0
    assert not done.stdout
    error, *rest = done.stderr.strip().splitlines()
    assert reason in error
    assert not "".join(rest).removeprefix("Use --debug flag to render out invalid YAML")


@with_each_value_set
def test_every_resource_is_valid(values: str) -> None:
    for resource in resources(values):
        if resource["apiVersion"] != "keda.sh/v1alpha1":  # not Kubernetes' own; checked below
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_a_resource_with_a_wrong_field_is_found() -> None:
    resource = resources("small")[0] | {"spek": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


@with_each_value_set
def test_every_role_runs_with_its_image_and_command(values: str) -> None:
    commands = {role: tuple(_container(pod)["args"]) for role, pod in pods(values).items()}
    assert commands == {
        "api": ("serve",),
        "setup": ("setup",),
        "retrain": ("retrain", "--promote"),
        **{name.value: ("work", name.value) for name in WorkerName},
    }
    for role, pod in pods(values).items():
        image = _container(pod)["image"].rpartition(":")[0].rpartition("/")[2]
        assert OUR_IMAGES[image] == {"api": "api", "retrain": "trainer"}.get(role, "worker")


@with_each_value_set
def test_a_pod_has_valid_settings_for_production(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (pod,) = [pod for role, pod in pods(values).items() if role == "relay"]
    entries = _container(pod)["env"]
    given = image_variables("worker") | {
        entry["name"]: entry.get("value") or URLS.get(entry["name"], SECRET) for entry in entries
    }
    ours = {name for name in given if name.startswith("PHOTOFEED_")}
    assert ours - {f"PHOTOFEED_{name.upper()}" for name in Settings.model_fields} == set()
    for name in ours:
        monkeypatch.setenv(name, given[name])
    assert Settings().env == "production"


@with_each_value_set
def test_no_secret_is_in_the_open(values: str) -> None:
    for pod in pods(values).values():
        for entry in _container(pod)["env"]:
            field = Settings.model_fields[entry["name"].removeprefix("PHOTOFEED_").lower()]
            is_secret = "SecretStr" in str(field.annotation)
            assert is_secret == ("valueFrom" in entry), entry["name"]


@with_each_value_set
def test_a_pod_can_do_as_little_as_possible(values: str) -> None:
    for pod in pods(values).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        container = _container(pod)
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


@with_each_value_set
def test_probes_ask_the_port_of_the_image(values: str) -> None:
    for role, pod in pods(values).items():
        container = _container(pod)
        if "ports" not in container:
            assert role in {"setup", "retrain"}
            continue
        (port,) = container["ports"]
        variables = image_variables("api" if role == "api" else "worker")
        number = variables["PHOTOFEED_PORT" if role == "api" else "PHOTOFEED_MANAGEMENT_PORT"]
        assert str(port["containerPort"]) == number
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}


def test_workers_scale_with_the_lag_of_their_own_group_and_not_beyond_its_partitions() -> None:
    scaled = [one for one in resources("managed") if one["kind"] == "ScaledObject"]
    assert scaled
    for one in scaled:
        role = one["metadata"]["labels"]["app.kubernetes.io/component"]
        (trigger,) = one["spec"]["triggers"]
        assert trigger["type"] == "kafka"
        assert trigger["metadata"]["consumerGroup"] == role
        partitions = max(topic.partitions for topic in SUBSCRIPTIONS[role])
        assert one["spec"]["minReplicaCount"] <= one["spec"]["maxReplicaCount"] <= partitions
        assert one["spec"]["scaleTargetRef"]["name"] == one["metadata"]["name"]


def test_keda_reads_the_lag_with_the_user_of_the_workers() -> None:
    (user,) = [one for one in resources("managed") if one["kind"] == "TriggerAuthentication"]
    (entries,) = [_container(pod)["env"] for role, pod in pods("managed").items() if role == "photos"]
    given = {entry["name"]: entry for entry in entries}
    (name,), (password,) = user["spec"]["env"], user["spec"]["secretTargetRef"]
    assert (name["parameter"], password["parameter"]) == ("username", "password")
    assert given[name["name"]]["value"]
    key = given[password["key"]]["valueFrom"]["secretKeyRef"]
    assert (key["name"], key["key"]) == (password["name"], password["key"])
    for one in resources("managed"):
        if one["kind"] == "ScaledObject":
            (trigger,) = one["spec"]["triggers"]
            assert trigger["authenticationRef"]["name"] == user["metadata"]["name"]
            assert (trigger["metadata"]["tls"], trigger["metadata"]["sasl"]) == ("enable", "scram_sha512")


@with_each_value_set
def test_pods_may_connect_to_every_address_of_their_settings(values: str) -> None:
    (policy,) = [one for one in resources(values) if "Egress" in one["spec"].get("policyTypes", [])]
    allowed = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    entries = next(_container(pod)["env"] for pod in pods(values).values())
    for entry in entries:
        if entry["name"].endswith(("_URL", "_URI", "_SERVERS")) and "value" in entry:
            for scheme, port in ADDRESSES.findall(entry["value"]):
                assert int(port or {"http": 80, "https": 443}[scheme]) in allowed, entry


@pytest.mark.parametrize("values", ["small", "air-gapped"])
def test_without_keda_there_is_nothing_of_it(values: str) -> None:
    assert not [one for one in resources(values) if one["apiVersion"].startswith("keda")]
    for one in resources(values):
        if one["kind"] == "Deployment" and one["metadata"]["name"] != "photofeed-api":
            assert one["spec"]["replicas"] >= 1


@with_each_value_set
def test_the_set_up_runs_before_a_version_and_budgets_select_pods(values: str) -> None:
    (setup,) = [one for one in resources(values) if one["kind"] == "Job"]
    assert setup["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in resources(values) if one["kind"] == "Deployment"]
    for one in resources(values):
        if one["kind"] == "PodDisruptionBudget":
            assert one["spec"]["selector"]["matchLabels"] in labels


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return dict(container)
