"""Why a photo was refused: a stable code for programs, and a sentence for its owner."""

from typing import Literal

from photofeed.errors import PermanentError

RejectionCode = Literal[
    "empty",
    "too_large",
    "not_an_image",
    "unsupported_format",
    "truncated",
    "damaged",
    "too_many_pixels",
    "unprocessable",
    "moderation_rejected",
]


class PhotoRejected(PermanentError):  # noqa: N818  an outcome that users see, not a fault
    """The photo can never be published. `code` is stable; the message is for its owner."""

    code: RejectionCode

    def __init__(self, code: RejectionCode, message_for_user: str) -> None:
        super().__init__(message_for_user, code=code)
        self.message_for_user = message_for_user
