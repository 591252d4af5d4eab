import pytest

from serving.api.versions import entity_tags, names_version


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ('"a"', ['"a"']),
        ('W/"a"', ['"a"']),
        ('"a", W/"b,c" ,""', ['"a"', '"b,c"', '""']),
        ("a", []),
        ('"a"junk', []),
        ('junk"a"', []),
        ('"a" "b"', []),
        ('"a', []),
        ('w/"a"', []),
    ],
)
def test_an_if_none_match_is_a_list_of_quoted_tags(header: str, tags: list[str]) -> None:
    assert entity_tags(header) == tags


def test_versions_are_compared_weakly() -> None:
    assert names_version('"x", "a"', 'W/"a"')
    assert names_version('W/"a"', '"a"')
    assert names_version(" * ", '"a"')
    assert not names_version('"ab"', '"a"')
    assert not names_version('"*"', '"a"')
