import pytest

from serving.api.versions import entity_tags, names_version
from serving.feed.version import PageVersion

SLATE = "01890a5d-ac96-774b-bcce-b302099a8057"


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
        ('"a", b', []),
        ('"a", b"c"', []),
        ('"a", "b', []),
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


def test_a_page_of_other_posts_or_for_other_relations_is_another_version() -> None:
    pages: list[tuple[str, int, list[int], bytes]] = [
        (SLATE, 20, [1, 2], b"follows 5"),
        (SLATE[::-1], 20, [1, 2], b"follows 5"),
        (SLATE, 21, [1, 2], b"follows 5"),
        (SLATE, 20, [2, 1], b"follows 5"),
        (SLATE, 20, [1], b"follows 5"),
        (SLATE, 20, [1, 2], b"follows 6"),
    ]
    assert len({PageVersion.of(*page) for page in pages}) == len(pages)
    assert len({PageVersion.of(*page).etag for page in pages}) == len(pages)
    assert PageVersion.of(*pages[0]) == PageVersion.of(*pages[0])


def test_a_version_is_read_from_its_tag_and_from_no_other() -> None:
    version = PageVersion.of(SLATE, 20, [1, 2], b"")
    (tag,) = entity_tags(version.etag)
    assert PageVersion.read(tag) == version
    for other in (tag[1:], tag.replace(".20.", ".20000."), tag.replace(".20.", "."), tag[:-2] + '"', '"x"'):
        assert PageVersion.read(other) is None
