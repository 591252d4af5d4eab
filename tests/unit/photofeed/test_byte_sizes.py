import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed.byte_sizes import human_size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1 KB"),
        (2**20 - 1, "1 MB"),
        (2**20, "1 MB"),
        (50 * 2**20, "50 MB"),
        (50 * 2**20 + 1, "50.1 MB"),
        (3 * 2**29, "1.5 GB"),
        (2**50, "1,024 TB"),
    ],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert human_size(count) == words


@given(st.integers(0, 2**60))
def test_a_size_over_a_limit_of_whole_megabytes_never_reads_like_it(count: int) -> None:
    whole = -(-count // 2**20) * 2**20 - 2**20  # the next whole number of megabytes below
    if whole > 0 and count < 2**30:
        assert human_size(count) != human_size(whole)
