"""Which keys, members and rows name a person. Ids of others that contain the digits of theirs do not."""

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.erasure import Subject
from ingestion.erasure.lake import LakeStore, _about
from ingestion.erasure.memory import MemoryStore, _is_packed_row_of, _text_pattern, _value_pattern, _without
from photofeed.errors import NotFoundError, RetryableError
from photofeed.ids import encode_id
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.posts import PostRef
from tests.doubles.object_store import InMemoryObjectStore

NOTHING: Any = None
ME, OTHER = 123456789012345678, 987654321098765432
PERSON = Subject(ME, datetime(2026, 3, 1, tzinfo=UTC), frozenset({55, 66}))
TWO = [PERSON, Subject(OTHER, PERSON.requested_at, frozenset({77}))]


@pytest.mark.parametrize("key", [f"tl:{ME}", f"{ME}", f"a:{ME}:b", f"rate:{encode_id(ME)}", f"{encode_id(ME)}/x"])
def test_a_text_names_a_person_by_either_spelling(key: str) -> None:
    assert _text_pattern([OTHER, ME]).search(key.encode())


@pytest.mark.parametrize("key", [f"tl:1{ME}", f"tl:{ME}1", f"x{encode_id(ME)}", f"{encode_id(ME)}x", "tl:", ""])
def test_a_longer_word_names_somebody_else(key: str) -> None:
    assert not _text_pattern([ME]).search(key.encode())


@pytest.mark.parametrize("order", ["<q", ">q"])
def test_a_value_names_a_person_in_either_order_of_bytes(order: str) -> None:
    assert _value_pattern([ME]).search(b"ab" + struct.pack(order, ME) + b"c")
    assert not _value_pattern([ME]).search(b"ab" + struct.pack(order, ME + 1) + b"c")
    assert _value_pattern([ME]).search(f'{{"by": {ME}}}'.encode())


def test_a_packed_row_names_a_person_at_the_places_of_its_ids_alone() -> None:
    ids = {struct.pack("<q", ME)}
    for keys in ([ME], [OTHER, ME], [ME, OTHER]):
        assert _is_packed_row_of(b"tagtag" + struct.pack(f"<{len(keys)}q", *keys), ids)
    assert not _is_packed_row_of(b"tagtag" + struct.pack("<q", OTHER), ids)
    assert not _is_packed_row_of(b"tagtag" + b"abcd" + struct.pack("<q", ME) + b"abcd", ids)  # not at a place of an id
    assert not _is_packed_row_of(b"tagtag" + struct.pack("<q", ME) + b"more", ids)
    assert not _is_packed_row_of(b"tag" + struct.pack("<q", ME), ids)


def test_a_pool_is_kept_without_the_posts_of_a_person() -> None:
    members = [PostRef(1, OTHER, 7, 0).member(), PostRef(2, ME, 7, 0).member(), PostRef(3, OTHER, 8, 0).member()]
    assert _without(b"".join(members), _value_pattern([ME])) == members[0] + members[2]


def test_nobody_is_named_by_nothing() -> None:
    MemoryStore(NOTHING).erase([])  # without asking Redis: the pattern of no ids would match every key


def test_rows_of_the_lake_are_about_a_person_by_any_column_of_people_and_posts() -> None:
    columns = {
        "user_id": [ME, 1, 1, 1, None, ME + 1, 1],
        "creator_id": [2, ME, 2, 2, None, 2, 2],
        "post_id": [5, 5, 55, 66, None, 5, ME],
        "topic_id": [1, 1, 1, 1, 1, 55, 55],
    }
    assert _about(pa.table(columns), [PERSON]).to_pylist() == [True, True, True, True, False, False, False]
    assert _about(pa.table({"user_id": [1, OTHER, ME], "post_id": [77, 1, 1]}), TWO).to_pylist() == [True] * 3
    assert _about(pa.table({"topic_id": [55]}), [PERSON]).to_pylist() == [False]


def test_a_quarantined_row_is_about_a_person_if_their_id_is_a_number_in_it() -> None:
    rows = [f'{{"user": {ME}}}', f"{ME}", f"1{ME}", f"{ME}1", f"[{OTHER},1]", None, "{}"]
    about = _about(pa.table({"row": pa.array(rows, pa.string())}), TWO).to_pylist()
    assert about == [True, True, False, False, True, False, False]


class Merging:
    """A lake whose parts are merged while they are listed, for some of the attempts."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def list_parts(self, *_: object) -> str:
        self.attempts -= 1
        if self.attempts >= 0:
            raise NotFoundError("merged")
        return "listed"


def test_a_folder_is_listed_again_when_a_part_was_merged_meanwhile() -> None:
    folder: Any = "engagement"
    for attempts in (0, 1, 9):
        lake: Any = Merging(attempts)
        listed: Any = LakeStore(lake, "lake")._listing(folder, NOTHING)
        assert listed == "listed"
    always: Any = Merging(10)
    with pytest.raises(RetryableError, match="engagement"):
        LakeStore(always, "lake")._listing(folder, NOTHING)


def test_erased_rows_are_gone_from_the_mirror_too(tmp_path: Path) -> None:
    lake, folder, at = Lake(InMemoryObjectStore(), tmp_path), LakeFolder("lake", "engagement"), PERSON.requested_at
    lake.append(folder, pa.table({"user_id": [ME, OTHER], "occurred_at": [at, at]}), "occurred_at")
    store, (mirrored,) = LakeStore(lake, "lake"), lake.mirror(folder)
    assert {one.name: one.count for one in store.find(PERSON)} == {"engagement": 1, "engagement (mirror)": 1}
    store.erase([PERSON])
    assert list(store.find(PERSON)) == []
    assert not mirrored.exists()
    assert [row["user_id"] for row in store.rows(TWO[1])] == [OTHER]
