"""Signatures of private images: one address for an hour, valid for 23 to 24 hours, one spelling."""

from dataclasses import dataclass

import pytest

from photofeed.errors import ForbiddenError
from photofeed.settings import Settings
from serving.image_addresses import SIGNATURE_LENGTH, ImageAddresses

HOUR = 3_600
PHOTO, VIEWER = 5, 9


@dataclass
class Clock:
    now: float = 1_000_000 * HOUR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def addresses(clock: Clock) -> ImageAddresses:
    return ImageAddresses(Settings(env="dev"), clock)


def test_an_address_stays_the_same_for_an_hour(addresses: ImageAddresses, clock: Clock) -> None:
    first = addresses.of(PHOTO, [(640, 640, 480)], viewer=VIEWER, is_private=True)
    clock.now += HOUR - 1
    assert addresses.of(PHOTO, [(640, 640, 480)], viewer=VIEWER, is_private=True) == first
    clock.now += 1
    assert addresses.of(PHOTO, [(640, 640, 480)], viewer=VIEWER, is_private=True) != first


@pytest.mark.parametrize("minute", [0, 59])
def test_an_address_is_valid_for_23_to_24_hours(addresses: ImageAddresses, clock: Clock, minute: int) -> None:
    clock.now += 60 * minute
    signature = addresses.sign(PHOTO, VIEWER)
    assert len(signature) == SIGNATURE_LENGTH
    clock.now += 23 * HOUR
    assert addresses.read(PHOTO, signature) == VIEWER
    clock.now += HOUR
    with pytest.raises(ForbiddenError) as refused:
        addresses.read(PHOTO, signature)
    assert refused.value.code == "image_address_expired"


def test_an_address_is_of_one_photo_and_has_one_spelling(addresses: ImageAddresses) -> None:
    signature = addresses.sign(PHOTO, VIEWER)
    last = signature[-1]
    others = [signature[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    for wrong in [f"{signature}=", f" {signature}", "", "ä", *(other for other in others if other[-1] != last)]:
        with pytest.raises(ForbiddenError):
            addresses.read(PHOTO, wrong)
    with pytest.raises(ForbiddenError):
        addresses.read(PHOTO + 1, signature)
