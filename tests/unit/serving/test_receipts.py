from base64 import b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from photofeed.errors import InvalidError
from photofeed.ids import uuid7
from photofeed.settings import Settings
from serving.feed.paging import Progress
from serving.feed.slate import Cursor, CursorSigner
from serving.image_addresses import ImageAddresses
from serving.receipts import RECEIPT_LENGTH, RECEIPT_SECONDS, ReceiptSealer, ServedAt

SETTINGS = Settings(env="dev")
SEALER = ReceiptSealer(SETTINGS)
SLATE = uuid7()
IDS = st.integers(1, 2**63 - 1)


def _code(receipt: str, person: int = 1, post: int = 2, sealer: ReceiptSealer = SEALER) -> str:
    with pytest.raises(InvalidError) as refusal:
        sealer.read(receipt, person, post)
    return refusal.value.code


@given(IDS, st.uuids().map(str), st.integers(0, 200), st.lists(IDS, max_size=30))
def test_receipts_hold_the_place_of_each_post(person: int, slate: str, first: int, posts: list[int]) -> None:
    receipts = SEALER.seal_page(person, slate, first, posts)
    assert [SEALER.read(receipt, person, post) for receipt, post in zip(receipts, posts, strict=True)] == [
        ServedAt(slate, first + number) for number in range(len(posts))
    ]
    assert {len(receipt) for receipt in receipts} <= {RECEIPT_LENGTH}


def test_a_receipt_of_another_person_or_post_is_refused() -> None:
    first, second = SEALER.seal_page(1, SLATE, 0, [2, 3])
    assert _code(first, person=4) == _code(first, post=3) == _code(second) == "receipt_invalid"


@given(st.text(max_size=100))
def test_a_text_that_is_no_receipt_is_refused(text: str) -> None:
    assert _code(text) == "receipt_invalid"


@given(st.integers(0, 37), st.integers(1, 255))
def test_a_receipt_that_was_changed_anywhere_is_refused(index: int, bits: int) -> None:
    (receipt,) = SEALER.seal_page(1, SLATE, 7, [2])
    sealed = bytearray(b64decode(receipt + "=", altchars=b"-_"))
    sealed[index] ^= bits
    assert _code(urlsafe_b64encode(sealed).decode()) == "receipt_invalid"


def test_a_receipt_expires() -> None:
    now = [1_000_000.0]
    sealer = ReceiptSealer(SETTINGS, clock=lambda: now[0])
    (receipt,) = sealer.seal_page(1, SLATE, 0, [2])
    now[0] += RECEIPT_SECONDS - 1
    assert sealer.read(receipt, 1, 2) == ServedAt(SLATE, 0)
    now[0] += 1
    assert _code(receipt, sealer=sealer) == "receipt_expired"


def test_another_secret_and_a_cursor_seal_no_receipts() -> None:
    other = ReceiptSealer(SETTINGS.model_copy(update={"cursor_secret": SecretStr("another secret of another server")}))
    (receipt,) = other.seal_page(1, SLATE, 0, [2])
    cursor = CursorSigner(SETTINGS).sign(Cursor(SLATE, 1, Progress()))
    assert _code(receipt) == _code(cursor) == "receipt_invalid"


def test_seals_of_receipts_and_images_have_purposes_of_their_own() -> None:
    addresses = ImageAddresses(SETTINGS)
    assert SEALER._keyed.digest() != addresses._keyed.digest()
