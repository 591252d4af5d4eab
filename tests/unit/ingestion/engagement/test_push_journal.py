"""The journal of pushes keeps the latest ones, and is written by one worker."""

import pytest

from ingestion.engagement import push_journal
from ingestion.engagement.counted_events import FencedError
from ingestion.engagement.push_journal import Push, StoredPushJournal
from tests.doubles.object_store import InMemoryObjectStore


def _push(post: int) -> Push:
    return Push([], [{"photoId": post}])


def test_the_latest_pushes_are_kept_and_older_ones_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_journal, "KEPT", 3)
    journal = StoredPushJournal(InMemoryObjectStore(), "lake")
    assert (journal.last(), journal.newest) == (Push(), 0)
    assert [journal.write(_push(post)) for post in range(1, 6)] == [1, 2, 3, 4, 5]
    assert sorted(journal.numbers()) == [3, 4, 5]
    assert journal.last() == _push(5)
    assert journal.after(2) == [_push(3), _push(4), _push(5)]
    assert journal.after(1) is None
    assert journal.after(5) == []


def test_a_second_writer_is_fenced() -> None:
    objects = InMemoryObjectStore()
    former, later = StoredPushJournal(objects, "lake"), StoredPushJournal(objects, "lake")
    assert (former.newest, later.write(_push(1))) == (0, 1)
    with pytest.raises(FencedError):
        former.write(_push(2))
    assert later.last() == _push(1)


def test_journals_of_partitions_are_apart() -> None:
    objects = InMemoryObjectStore()
    journals = [StoredPushJournal(objects, "lake", partition) for partition in (None, 1, 11)]
    for post, journal in enumerate(journals):
        journal.write(_push(post))
    assert [(list(journal.numbers()), journal.last()) for journal in journals] == [
        ([1], _push(0)),
        ([1], _push(1)),
        ([1], _push(2)),
    ]
