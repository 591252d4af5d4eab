"""A test client that holds every reply against the OpenAPI document: status, media type, headers and body."""

from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator, FormatChecker
from starlette.routing import compile_path

JSON_TYPES = ("application/json", "application/problem+json")


class ContractClient(TestClient):
    """Raises AssertionError for a reply that the document does not declare.

    Attributes:
        validated: (operation id, status) -> how many replies were held against the document.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        self.document = app.openapi()
        self.validated: dict[tuple[str, int], int] = {}
        self._paths = [(compile_path(path)[0], operations) for path, operations in self.document["paths"].items()]

    def send(self, request: httpx2.Request, **arguments: Any) -> httpx2.Response:
        """Send a request; a reply of a declared operation must be as declared."""
        reply = super().send(request, **arguments)
        self.cookies.clear()  # the client is everybody's: tests send the cookies of their person
        for pattern, operations in self._paths:
            operation = operations.get(request.method.lower())
            if operation is not None and pattern.match(request.url.path):
                self._check(operation, reply)
                break
        return reply

    def _check(self, operation: dict[str, Any], reply: httpx2.Response) -> None:
        name, status = operation["operationId"], reply.status_code
        declared = operation["responses"].get(str(status))
        assert declared is not None, f"{name} does not declare status {status}: {reply.text[:300]}"
        for header, about in declared.get("headers", {}).items():
            assert header in reply.headers or not about["required"], f"{name} {status}: the header {header} is missing"
        content = declared.get("content", {})
        media_type = reply.headers.get("content-type", "")
        if not content:
            assert not reply.content, f"{name} {status} declares no body"
        else:
            kind = media_type if media_type in content else media_type.partition(";")[0]
            assert kind in content, f"{name} {status}: {media_type!r} is not declared"
            if kind in JSON_TYPES:
                self._validate(f"{name} {status}", content[kind], reply.json())
        key = (name, status)
        self.validated[key] = self.validated.get(key, 0) + 1

    def _validate(self, what: str, declared: dict[str, Any], body: Any) -> None:
        schema = declared["schema"] | {"components": self.document["components"]}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]
        assert not errors, f"{what}: {errors[:5]}"
        if "examples" in declared:  # of problems, by code
            assert body["code"] in declared["examples"], f"{what}: the code {body['code']} is not declared"
