"""Units of time. Stored times are whole microseconds since 1970 UTC."""

MICROSECONDS = 1_000_000  # in a second
