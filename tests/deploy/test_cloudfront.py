"""deploy/edge/cloudfront: its function treats requests as the tested Varnish does, and its behaviours keep as long."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from photofeed.photo_sizes import IMAGE_NAMES
from serving.image_addresses import SIGNATURE_LENGTH
from tests.deploy.spellings import ACCEPTS, WRONG_NAMES
from tools.nginx import KEPT_SECONDS
from tools.varnish import EDGE

NODE = shutil.which("node")
RUN = "const event = JSON.parse(process.argv[1]); console.log(JSON.stringify(handler(event)));"
SIGNED = {"s": {"value": "a" * SIGNATURE_LENGTH}}

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: it runs CloudFront's function")


def handled(
    uri: str, accept: str | None = None, query: dict[str, Any] | None = None, *, method: str = "GET"
) -> dict[str, Any]:
    """What the function makes of a request."""
    headers = {} if accept is None else {"accept": {"value": accept}}
    request = {"method": method, "uri": uri, "headers": headers, "querystring": query or {}, "cookies": {}}
    code = (EDGE / "cloudfront.js").read_text() + RUN
    command = [str(NODE), "--eval", code, json.dumps({"request": request})]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_node
@pytest.mark.parametrize(("accept", "asked"), ACCEPTS)
def test_the_origin_sees_which_of_its_formats_a_client_shows(accept: str, asked: str) -> None:
    assert handled("/photos/7Kb/640", accept)["headers"] == {"accept": {"value": asked}}


@needs_node
@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_an_image_goes_to_the_origin_signed_or_not(name: str) -> None:
    for query in ({}, SIGNED):
        request = handled(f"/photos/7Kb/{name}", "image/webp", query)
        assert (request["uri"], request["querystring"]) == (f"/photos/7Kb/{name}", query)
        assert ("accept" in request["headers"]) is ("." not in name)


@needs_node
@pytest.mark.parametrize("name", [name for name in WRONG_NAMES if "?" not in name])
def test_another_spelling_is_not_found(name: str) -> None:
    assert handled(f"/photos/7Kb/{name}")["statusCode"] == 404


@needs_node
@pytest.mark.parametrize(
    "query",
    [
        {"x": {"value": "1"}},
        {"s": {"value": "short"}},
        SIGNED | {"x": {"value": "1"}},
        {"s": {"value": "a" * SIGNATURE_LENGTH, "multiValue": [{"value": "a"}, {"value": "b"}]}},
    ],
    ids=str,
)
def test_another_query_is_not_found(query: dict[str, Any]) -> None:
    assert handled("/photos/7Kb/640.jpg", query=query)["statusCode"] == 404


@needs_node
@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/readyz"])
def test_what_operators_ask_is_not_public(path: str) -> None:
    assert handled(path)["statusCode"] == 404


@needs_node
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/events"), ("GET", "/v1/feed"), ("GET", "/metricsx")])
def test_the_api_is_passed_through_as_it_is(method: str, path: str) -> None:
    request = handled(path, "application/json", {"limit": {"value": "30"}}, method=method)
    assert request["headers"] == {"accept": {"value": "application/json"}}
    assert request["querystring"] == {"limit": {"value": "30"}}


def _resources() -> dict[str, Any]:
    document = yaml.safe_load((EDGE / "cloudfront.yaml").read_text())
    return {name: resource["Properties"] for name, resource in document["Resources"].items()}


def test_images_are_kept_a_minute_under_the_key_of_the_vcl() -> None:
    policy = _resources()["Images"]["CachePolicyConfig"]
    assert policy["MaxTTL"] == KEPT_SECONDS
    assert policy["MinTTL"] == 0  # so that `private` is not kept
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["Accept"]}
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "whitelist", "QueryStrings": ["s"]}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}


def test_the_behaviours_are_the_paths_of_the_vcl() -> None:
    distribution = _resources()["Distribution"]["DistributionConfig"]
    behaviours = {one["PathPattern"]: one for one in distribution["CacheBehaviors"]}
    cached = re.search(r'bereq\.url !~ "\^/\((.+?)\)/"', (EDGE / "varnish.vcl").read_text())
    assert cached is not None
    assert set(behaviours) == {f"/{name}/*" for name in cached[1].split("|")}
    others = distribution["DefaultCacheBehavior"]
    assert others["FunctionAssociations"] == behaviours["/photos/*"]["FunctionAssociations"]
    assert {"POST", "PUT", "PATCH", "DELETE"} <= set(others["AllowedMethods"])
    errors = {one["ErrorCode"]: one["ErrorCachingMinTTL"] for one in distribution["CustomErrorResponses"]}
    assert errors == {404: 1, 410: 1, 500: 0, 502: 0, 503: 0, 504: 0}


def test_function_and_vcl_know_the_same_images() -> None:
    sizes = re.compile(r"\(150\|[0-9|]+\)\(\\\.\([a-z|]+\)\)\?")
    found = {tuple(sizes.findall((EDGE / name).read_text())) for name in ("varnish.vcl", "cloudfront.js")}
    assert len(found) == 1
    assert found != {()}
