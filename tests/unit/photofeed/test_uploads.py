from datetime import UTC, datetime

import pytest

from ingestion.photos.pipeline import photo_of
from photofeed.events import Envelope
from photofeed.ids import decode_id
from photofeed.uploads import uploaded

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PHOTO, OWNER = 914601970446387767, 871079169041335717

# As they lie in logs: they must be readable for ever. The first is from before the ids of the API were added.
WITHOUT_REFS = (
    b'{"id":"0192b","type":"photo.uploaded","version":1,"occurredAt":"2026-03-01T12:30:15.123456+00:00",'
    b'"key":"914601970446387767","payload":{"photoId":914601970446387767,'
    b'"s3Key":"completed/871079169041335717/914601970446387767","userId":871079169041335717}}'
)
WITH_REFS = WITHOUT_REFS.replace(
    b'"userId":871079169041335717', b'"userId":871079169041335717,"photoRef":"15Ysya4x6LX","userRef":"12LYDFtb0jN"'
)


@pytest.mark.parametrize("golden", [WITHOUT_REFS, WITH_REFS])
def test_messages_of_every_age_are_read(golden: bytes) -> None:
    envelope = Envelope.decode(golden)
    assert (envelope.type, envelope.occurred_at, photo_of(envelope)) == ("photo.uploaded", MOMENT, PHOTO)


def test_the_message_is_written_byte_for_byte_like_this() -> None:
    envelope = uploaded(PHOTO, f"completed/{OWNER}/{PHOTO}", OWNER, at=MOMENT)
    assert envelope.encode().replace(envelope.id.encode(), b"0192b") == WITH_REFS


def test_the_ids_of_the_api_name_the_same_photo_and_person() -> None:
    payload = uploaded(PHOTO, "", OWNER).payload
    assert (decode_id(payload["photoRef"]), decode_id(payload["userRef"])) == (PHOTO, OWNER)
