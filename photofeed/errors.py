"""The errors of photofeed, one hierarchy.

PhotofeedError
├── RetryableError        the same work may succeed later: a worker tries again
│   ├── UnavailableError  a server is away or failing over: a worker waits as long as it lasts
│   └── QuotaError        the caller has used up a quota for now
├── PermanentError        the work can never succeed as requested
│   ├── NotFoundError     no such thing, or hidden from this caller
│   ├── ForbiddenError    visible, and not allowed
│   ├── UnauthenticatedError  no token, or an invalid one
│   ├── ConflictError     the state of the thing does not allow the request
│   └── InvalidError      the request itself is wrong
└── PoisonError           an unreadable message: goes to the dead letters at once
"""


class PhotofeedError(Exception):
    """Base of every error photofeed raises on purpose.

    `code` is stable and for programs, the message is for people.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class RetryableError(PhotofeedError):
    """A dependency fails at the moment; the same work may succeed later."""

    code = "try_again"


class UnavailableError(RetryableError):
    """A server is away, overloaded or failing over. Nothing is wrong with the work."""

    code = "unavailable"


class QuotaError(RetryableError):
    """The caller has used up a quota for now; `retry_after_seconds` says when to try again."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after_seconds: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(PhotofeedError):
    """The work can never succeed as requested."""

    code = "permanent"


class NotFoundError(PermanentError):
    """No such thing, or one that is hidden from this caller."""

    code = "not_found"


class ForbiddenError(PermanentError):
    """Visible to this caller, and not allowed."""

    code = "forbidden"


class UnauthenticatedError(PermanentError):
    """No token, or an invalid one."""

    code = "unauthenticated"


class ConflictError(PermanentError):
    """The state of the thing does not allow the request."""

    code = "conflict"


class InvalidError(PermanentError):
    """The request itself is wrong."""

    code = "invalid"


class PoisonError(PhotofeedError):
    """A message that cannot be read; retrying does not help."""

    code = "poison"
