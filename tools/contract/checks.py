"""A check for Schemathesis: what the document allows is not refused as invalid.

Its own check does not accept any 422. This API refuses valid requests by 422 for what they ask, such as to follow
yourself or to go on from another list's cursor; each such refusal has a code of its own.
"""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, Response


@schemathesis.check
def valid_requests_are_not_called_invalid(ctx: CheckContext, response: Response, case: Case[Any]) -> None:  # noqa: ARG001
    """Fail if a request that the document allows is refused with the code `invalid`."""
    valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if valid and response.status_code == 422 and response.json()["code"] == "invalid":  # noqa: PLR2004
        raise AssertionError(f"the document allows what is refused: {response.json()['detail']}")
