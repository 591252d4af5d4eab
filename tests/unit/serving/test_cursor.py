import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed.errors import InvalidError
from photofeed.settings import Settings
from serving.feed.paging import Progress
from serving.feed.slate import Cursor, CursorSigner

SETTINGS = Settings()
SIGNER = CursorSigner(SETTINGS)


PLACES = st.lists(st.integers(0, 2**63 - 1), max_size=3).map(tuple)


@given(st.integers(1, 2**63 - 1), st.builds(Progress, st.integers(0, 150), st.integers(0, 150), PLACES, PLACES))
def test_a_cursor_says_where_its_owner_was(user: int, progress: Progress) -> None:
    cursor = Cursor("slate", user, progress)
    assert SIGNER.read(SIGNER.sign(cursor), user) == cursor


@given(st.text(max_size=100))
def test_what_was_not_signed_here_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        SIGNER.read(text, 1)
    assert refusal.value.code == "cursor_invalid"


def test_somebody_elses_cursor_is_refused() -> None:
    with pytest.raises(InvalidError):
        SIGNER.read(SIGNER.sign(Cursor("slate", 1, Progress())), 2)


def test_an_old_cursor_says_so() -> None:
    secret = SETTINGS.cursor_secret.get_secret_value()
    old = jwt.encode({"s": "slate", "u": 1, "p": [0, 0, [], []], "exp": 1}, secret, algorithm="HS256")
    with pytest.raises(InvalidError) as refusal:
        SIGNER.read(old, 1)
    assert refusal.value.code == "cursor_expired"
