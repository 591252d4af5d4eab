from base64 import b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from photofeed.errors import InvalidError
from photofeed.settings import Settings
from serving.feed.paging import Progress
from serving.feed.slate import KEPT_SECONDS, Cursor, CursorSigner

SETTINGS = Settings()
SIGNER = CursorSigner(SETTINGS)


PLACES = st.lists(st.integers(0, 2**63 - 1), max_size=3).map(tuple)


@given(st.integers(1, 2**63 - 1), st.builds(Progress, st.integers(0, 150), st.integers(0, 150), PLACES, PLACES))
def test_a_cursor_holds_the_progress_of_its_owner(user: int, progress: Progress) -> None:
    cursor = Cursor("slate", user, progress)
    assert SIGNER.read(SIGNER.sign(cursor), user) == cursor


@given(st.text(max_size=100))
def test_a_text_without_a_valid_signature_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        SIGNER.read(text, 1)
    assert refusal.value.code == "cursor_invalid"


def test_another_users_cursor_is_refused() -> None:
    with pytest.raises(InvalidError):
        SIGNER.read(SIGNER.sign(Cursor("slate", 1, Progress())), 2)


def test_a_cursor_is_refused_as_expired_when_its_time_is_over() -> None:
    now = [1_000.0]
    signer = CursorSigner(SETTINGS, clock=lambda: now[0])
    signed = signer.sign(Cursor("slate", 1, Progress()))
    now[0] += KEPT_SECONDS - 1
    assert signer.read(signed, 1).slate_id == "slate"
    now[0] += 1
    with pytest.raises(InvalidError) as refusal:
        signer.read(signed, 1)
    assert refusal.value.code == "cursor_expired"


@given(st.data())
def test_a_cursor_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    signed = bytearray(b64decode(SIGNER.sign(Cursor("slate", 1, Progress(30, 30))) + "==", altchars=b"-_"))
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidError) as refusal:
        SIGNER.read(urlsafe_b64encode(signed).decode(), 1)
    assert refusal.value.code == "cursor_invalid"


def test_a_cursor_under_another_secret_is_refused() -> None:
    other = CursorSigner(SETTINGS.model_copy(update={"cursor_secret": SecretStr("another secret of another server")}))
    with pytest.raises(InvalidError):
        SIGNER.read(other.sign(Cursor("slate", 1, Progress())), 1)
