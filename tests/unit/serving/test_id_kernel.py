import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from serving.feed.candidates import among
from serving.feed.id_kernel import best_of_each, contained, occurrences, warm
from tests.long_lists import lists_up_to

_FEW = st.integers(-3, 3)
_ANY = st.one_of(_FEW, st.integers(-(2**63), 2**63 - 1))
_POOL = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 300)


def _drawn(seed: int, length: int, different: int) -> NDArray[np.int64]:
    """`length` of the first ids of the pool, so that two draws share ids."""
    return np.random.default_rng(seed).choice(_POOL[:different], length)


_MANY = st.builds(_drawn, st.integers(0, 2**32 - 1), st.integers(0, 600), st.integers(1, len(_POOL)))
_IDS = st.one_of(arrays(np.int64, st.integers(0, 60), elements=_ANY, fill=st.nothing()), _MANY)


@given(_IDS, _IDS)
def test_contained_is_isin(ids: NDArray[np.int64], others: NDArray[np.int64]) -> None:
    assert np.array_equal(contained(ids, others), np.isin(ids, others))


@given(_IDS, _IDS)
def test_occurrences_are_counts(ids: NDArray[np.int64], others: NDArray[np.int64]) -> None:
    assert occurrences(ids, others).tolist() == [int(np.count_nonzero(others == one)) for one in ids]


@given(lists_up_to(st.tuples(_FEW, st.integers(0, 8)), 60))
def test_the_row_of_the_lowest_rank_is_the_best_and_the_first_of_equals(rows: list[tuple[int, int]]) -> None:
    ids, ranks = np.array([one for one, _ in rows], np.int64), np.array([rank for _, rank in rows], np.int64)
    best = {min((rank, row) for row, (other, rank) in enumerate(rows) if other == one)[1] for one, _ in rows}
    assert best_of_each(ids, ranks).tolist() == sorted(best)


def test_ids_that_hash_to_neighbouring_slots_stay_apart() -> None:
    ids = np.arange(5_000, dtype=np.int64) << 40
    assert contained(ids, ids).all()
    assert not contained(ids + 1, ids).any()


def test_ids_of_other_layouts_are_copied() -> None:
    """A compiled loop for read-only or strided arrays would be compiled during a request."""
    warm()
    compiled = len(contained.signatures)  # type: ignore[attr-defined]
    read_only = np.frombuffer(np.arange(6, dtype=np.int64).tobytes(), np.int64)
    strided = np.arange(12, dtype=np.int64)[::2]
    for ids in (read_only, strided):
        assert among(ids, ids).all()
    assert len(contained.signatures) == compiled  # type: ignore[attr-defined]
