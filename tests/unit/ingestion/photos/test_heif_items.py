"""Items of HEIF files, read from boxes that may say more than they have."""

import struct

import pytest

from ingestion.photos.boxes import Box
from ingestion.photos.heif_items import _Items, _read_references


@pytest.mark.parametrize(("stated", "targets"), [(0, []), (1, [2]), (2, [2, 3]), (1_000, [2, 3])])
def test_a_box_has_no_more_references_than_fit_into_it(stated: int, targets: list[int]) -> None:
    reference = struct.pack(">I4sHHHH", 16, b"dimg", 1, stated, 2, 3)
    data, items = bytes(4) + reference + b"what follows", _Items()
    _read_references(data, Box(b"iref", 0, 4 + len(reference)), items)
    assert items.references == {(1, b"dimg"): targets}
