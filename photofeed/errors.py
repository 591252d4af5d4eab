"""The errors of photofeed, one hierarchy.

PhotofeedError
├── RetryableError        the same work may succeed later: a worker tries again
│   └── QuotaError        somebody has had all that is allowed for now
├── PermanentError        the work can never succeed as asked
│   ├── NotFoundError     no such thing, or not for this caller to know of
│   ├── ForbiddenError    known, but not allowed
│   ├── UnauthenticatedError  no token, or one that does not hold
│   ├── ConflictError     the thing is in a state that does not allow it
│   └── InvalidError      the request itself is wrong
└── PoisonError           a message nobody can read: straight to the dead letters
"""


class PhotofeedError(Exception):
    """Base of every error photofeed raises on purpose.

    `code` is stable and meant for programs, the message is for people.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class RetryableError(PhotofeedError):
    """A dependency failed for now; the same work may succeed later."""

    code = "try_again"


class QuotaError(RetryableError):
    """Somebody has had all that is allowed for now; `retry_after_seconds` says when there will be more."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after_seconds: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(PhotofeedError):
    """The work can never succeed as asked."""

    code = "permanent"


class NotFoundError(PermanentError):
    """No such thing, or not one this caller may know of."""

    code = "not_found"


class ForbiddenError(PermanentError):
    """Known, but not allowed for this caller."""

    code = "forbidden"


class UnauthenticatedError(PermanentError):
    """No token, or one that does not hold."""

    code = "unauthenticated"


class ConflictError(PermanentError):
    """The thing is in a state that does not allow what was asked."""

    code = "conflict"


class InvalidError(PermanentError):
    """The request itself is wrong."""

    code = "invalid"


class PoisonError(PhotofeedError):
    """A message that cannot be read; retrying or waiting changes nothing."""

    code = "poison"
