from http import HTTPStatus

from serving.api.status_names import status_name


def test_names_do_not_depend_on_the_version_of_python() -> None:
    assert [status_name(HTTPStatus(code)) for code in (404, 413, 414, 416, 422)] == [
        "Not Found",
        "Content Too Large",
        "URI Too Long",
        "Range Not Satisfiable",
        "Unprocessable Content",
    ]
