"""`make contract`: call the API in thousands of ways made up from its document, and generate clients from it.

The last line is JSON; the exit code is 1 if a reply was not as declared or a generated body has no type.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import orjson

from tools.contract.cases import Scope, Tried, try_calls
from tools.contract.document import has_examples, has_schemas, operations, with_ids
from tools.contract.generated import unknown_types
from tools.contract.world import World, running_world

_UV = Path(sys.prefix) / "uv" / "bin" / "uv"
_EXAMPLES, _SEED = 5, 16  # a run of CI: the same calls every time, more than 3,000 in a few minutes
_SERVICE_ONLY = ("createUser",)  # a person's token is refused


def _tried(document: dict[str, Any], world: World, folder: Path, scope: Scope) -> Tried:
    """The calls of a person, who is also a moderator, and those of a service."""
    file = folder / "openapi.json"
    file.write_bytes(orjson.dumps(with_ids(document, world.ids)))
    person, service = (f"Authorization: Bearer {token}" for token in (world.token, world.service_token))
    return try_calls(file, world.url, [person], folder / "person.json", scope) + try_calls(
        file, world.url, [service], folder / "service.json", scope, only=_SERVICE_ONLY
    )


def main() -> int:
    """Run the checks, print what failed, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=_EXAMPLES, help="most calls made up per operation and phase; 40 for a long run"
    )
    parser.add_argument("--seed", type=int, default=_SEED, help="another seed makes up other calls")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_world(folder / "stack") as world:
            document = httpx.get(f"{world.url}/openapi.json", timeout=30).raise_for_status().json()
            served = folder / "served.json"
            served.write_bytes(orjson.dumps(document))
            untyped = unknown_types(served, folder, _UV)
            declared = list(operations(document))
            tried = _tried(document, world, folder, Scope(arguments.examples, arguments.seed))
    sys.stderr.write(tried.details)
    for problem in (*tried.failures, *untyped):
        sys.stderr.write(f"{problem}\n")
    figures = {
        "operations": len(declared),
        "withSchemas": sum(map(has_schemas, declared)),
        "withExamples": sum(map(has_examples, declared)),
        "repliesValidated": tried.validated,
        "schemathesisCases": tried.cases,
        "failures": len(tried.failures),
        "unknownTypes": len(untyped),
    }
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return 1 if tried.failures or untyped else 0


if __name__ == "__main__":
    sys.exit(main())
