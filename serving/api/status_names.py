"""The names of HTTP statuses, as RFC 9110 has them.

`HTTPStatus.phrase` depends on the version of Python: before 3.13 three of them have the names of RFC 4918 and RFC 7231.
"""

from http import HTTPStatus

_NAMES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "Range Not Satisfiable",
    HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def status_name(status: HTTPStatus) -> str:
    """The name of a status, the same with every version of Python."""
    return _NAMES.get(status, status.phrase)
