"""The kernel reads tables without bounds checks: a bad file must be refused, or a server dies or scores nonsense."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photofeed.models.scorer import ScoringTables, TablesError, build_tables
from photofeed.models.scorer.table_bounds import _multiples, _one_after_another, _runs, _within

Check = Callable[[str, Any, Any, int], None]


@pytest.fixture(scope="module")
def tables(ranker_text: str) -> ScoringTables:
    return build_tables(ranker_text)


def test_saved_and_loaded_tables_are_equal(tables: ScoringTables, tmp_path: Path) -> None:
    tables.save(tmp_path / "tables")  # no suffix is added

    loaded = ScoringTables.load(tmp_path / "tables")

    assert (loaded.model_sha256, loaded.features) == (tables.model_sha256, tables.features)
    for name, array in tables.arrays._asdict().items():
        assert np.array_equal(getattr(loaded.arrays, name), array), name
        assert getattr(loaded.arrays, name).dtype == array.dtype, name


def test_no_pickle_is_needed(tables: ScoringTables, tmp_path: Path) -> None:
    tables.save(tmp_path / "tables.npz")

    with np.load(tmp_path / "tables.npz", allow_pickle=False) as members:
        types = [members[name].dtype for name in members.files]
    assert len(types) > len(tables.arrays)
    assert object not in types


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ScoringTables.load(tmp_path / "tables.npz")


@pytest.mark.parametrize("damage", [b"", b"tables?", bytes(1000)])
def test_another_kind_of_file(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "tables.npz").write_bytes(damage)

    with pytest.raises(TablesError, match=r"tables\.npz: damaged"):
        ScoringTables.load(tmp_path / "tables.npz")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_cut_or_altered_file_is_refused_or_harmless(
    tables: ScoringTables, tmp_path: Path, share: float, cut: bool
) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)
    whole = path.read_bytes()
    place = int(share * len(whole))
    path.write_bytes(whole[:place] if cut else whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])

    try:
        loaded = ScoringTables.load(path)
    except TablesError:
        return
    assert not cut
    for name, array in tables.arrays._asdict().items():  # a byte nobody reads, such as a date
        assert np.array_equal(getattr(loaded.arrays, name), array), name


def rewrite(path: Path, alter: Callable[[dict[str, Any]], None]) -> None:
    with np.load(path) as members:
        contents = {name: members[name] for name in members.files}
    alter(contents)
    np.savez(path, **contents)


def test_another_format_version(tables: ScoringTables, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)
    rewrite(path, lambda contents: contents.update(format_version=np.int64(99)))

    with pytest.raises(TablesError, match="table format 99, this engine reads 1"):
        ScoringTables.load(path)


def test_a_missing_array(tables: ScoringTables, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)
    rewrite(path, lambda contents: contents.pop("splits"))

    with pytest.raises(TablesError, match="splits"):
        ScoringTables.load(path)


def test_an_array_of_another_type(tables: ScoringTables, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)
    rewrite(path, lambda contents: contents.update(leaf_values=contents["leaf_values"].astype(np.float32)))

    with pytest.raises(TablesError, match="leaf_values: not a vector of float64"):
        ScoringTables.load(path)


@pytest.mark.parametrize("value", [-1, 2**31 - 1])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, fields in {
            "numeric_features": ["feature", "first_threshold", "search_bits", "first_column", "end_column"],
            "columns": ["rank_offset", "missing_code"],
            "categorical_features": ["feature", "first_code", "values", "first_one_hot", "codes"],
            "numeric_conditions": ["column", "rank", "plane"],
            "categorical_conditions": ["first", "end", "first_one_hot", "plane"],
            "splits": ["slot", "right_slot", "plane"],
            "trees": [
                "first_numeric",
                "end_categorical",
                "first_split",
                "end_split",
                "first_bit",
                "bits",
                "first_leaf",
            ],
        }.items()
        for field in fields
    ],
)
def test_an_index_that_leads_out_of_its_array(
    tables: ScoringTables, tmp_path: Path, name: str, field: str, value: int
) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)

    def alter(contents: dict[str, Any]) -> None:
        contents[name][field][-1] = value

    rewrite(path, alter)

    with pytest.raises(TablesError):
        ScoringTables.load(path)


@pytest.mark.parametrize("name", ["category_codes", "category_planes", "index_starts", "index_terms"])
def test_an_item_that_leads_out_of_its_array(tables: ScoringTables, tmp_path: Path, name: str) -> None:
    path = tmp_path / "tables.npz"
    tables.save(path)

    def alter(contents: dict[str, Any]) -> None:
        contents[name][-1] = np.iinfo(contents[name].dtype).max

    rewrite(path, alter)

    with pytest.raises(TablesError):
        ScoringTables.load(path)


@pytest.mark.parametrize("values", [[], [0, 4]])
def test_indices_within_their_array_are_taken(values: list[int]) -> None:
    _within("index", np.array(values, np.int32), 5)


@pytest.mark.parametrize("values", [[5], [0, 5], [-1, 4]])
def test_the_first_index_beyond_an_array_is_refused(values: list[int]) -> None:
    with pytest.raises(TablesError, match="must be in 0 to 4"):
        _within("index", np.array(values, np.int32), 5)


@pytest.mark.parametrize(
    ("check", "first", "lengths"),
    [
        (_runs, [0, 3], [3, 3]),
        (_runs, [0, -1], [3, 2]),
        (_runs, [0, 3], [3, -1]),
        (_one_after_another, [0, 2], [3, 2]),
        (_one_after_another, [0, 4], [3, 2]),
        (_one_after_another, [1, 3], [2, 2]),
        (_one_after_another, [0, 3], [3, 1]),
        (_one_after_another, [0, 6], [6, -1]),
    ],
)
def test_runs_end_with_their_array(check: Check, first: list[int], lengths: list[int]) -> None:
    check("run", np.array([0, 3], np.int32), np.array([3, 2], np.int32), 5)
    with pytest.raises(TablesError, match="run"):
        check("run", np.array(first, np.int32), np.array(lengths, np.int32), 5)


def test_runs_that_are_read_four_at_a_time_are_padded() -> None:
    _multiples("run", np.array([0, 4, 8]))
    with pytest.raises(TablesError, match="padded"):
        _multiples("run", np.array([4, 6]))
