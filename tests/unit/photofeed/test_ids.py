import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed import ids as ids_module
from photofeed.errors import NotFoundError
from photofeed.ids import EPOCH_MS, IdGenerator, decode_id, encode_id, topic_id, uuid7
from tests.doubles.module_time import patch_time

IDS = st.integers(min_value=0, max_value=2**63 - 1)


@given(IDS)
def test_an_id_survives_the_way_to_a_client_and_back(value: int) -> None:
    assert decode_id(encode_id(value)) == value


@given(IDS, IDS)
def test_encoded_ids_sort_like_the_posts_they_name(one: int, other: int) -> None:
    assert (encode_id(one) < encode_id(other)) == (one < other)


@given(st.text(max_size=20))
def test_what_is_no_id_is_not_found_rather_than_an_error(text: str) -> None:
    try:
        value = decode_id(text)
    except NotFoundError:
        return
    assert encode_id(value) == text


@pytest.mark.parametrize("text", ["", "zzzzzzzzzzz", "000000000000", "0000000000!"])
def test_ids_that_were_never_given_out_are_refused(text: str) -> None:
    with pytest.raises(NotFoundError):
        decode_id(text)


def test_ids_of_one_process_are_unique_and_ordered() -> None:
    generator = IdGenerator()
    ids = [generator.next() for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_ids_keep_the_time_they_were_made_and_their_order_when_the_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator, seconds = IdGenerator(), datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    ids = []
    for offset in (0, 1, -10, 0, 2):
        patch_time(monkeypatch, ids_module, time=lambda at=seconds + offset: at)
        ids.append(generator.next())
    assert ids == sorted(set(ids))
    assert [(one >> 22) + EPOCH_MS for one in ids] == [round((seconds + offset) * 1000) for offset in (0, 1, 1, 1, 2)]


def test_nobody_guesses_an_id_from_the_one_before_it() -> None:
    generator, moment = IdGenerator(), datetime(2026, 3, 1, tzinfo=UTC)
    low_bits = [generator.at(moment) & (2**22 - 1) for _ in range(500)]
    steps = [(after - before) % 2**22 for before, after in itertools.pairwise(low_bits)]
    assert len(set(steps)) > 490
    for bit in range(22):  # of 500 throws of a coin fewer than 150 heads come once in 10^19 times
        assert 150 < sum(low >> bit & 1 for low in low_bits) < 350


def test_an_imported_id_sorts_with_things_of_its_time() -> None:
    generator = IdGenerator()
    now = datetime.now(UTC)
    assert generator.at(now - timedelta(days=2)) < generator.at(now - timedelta(days=1)) < generator.next()


@pytest.mark.parametrize("year", [1, 1869, 1969])
def test_an_id_of_before_1970_is_valid_and_sorts_before_all_later_ones(year: int) -> None:
    generator = IdGenerator()
    old = generator.at(datetime(year, 12, 31, tzinfo=UTC))
    assert 0 <= old < generator.at(datetime(1971, 1, 1, tzinfo=UTC))
    assert decode_id(encode_id(old)) == old


def test_imported_ids_of_one_moment_never_meet() -> None:
    generator, moment = IdGenerator(), datetime(2026, 3, 1, tzinfo=UTC)
    assert len({generator.at(moment) for _ in range(4096)}) == 4096


def test_topics_are_one_whatever_their_case_and_distinct_otherwise() -> None:
    assert topic_id("Sea") == topic_id(" sea ")
    assert len({topic_id(name) for name in ("sea", "city", "night", "")}) == 4


def test_event_ids_are_versioned_unique_and_sort_by_time_of_making() -> None:
    made = [uuid7() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {uuid.UUID(one).version for one in made} == {7}


@given(st.lists(st.integers(0, int(datetime(2021, 1, 1, tzinfo=UTC).timestamp())), min_size=2))
def test_ids_of_imported_history_are_positive_and_in_order_of_time_at_any_age(seconds: list[int]) -> None:
    generator = IdGenerator()
    ids = [generator.at(datetime.fromtimestamp(second, UTC)) for second in sorted(seconds)]
    assert all(0 <= one < 2**63 for one in ids)
    milliseconds = [one >> 22 for one in ids]
    assert milliseconds == sorted(milliseconds)
