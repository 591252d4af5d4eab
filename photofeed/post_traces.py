"""The trace of a post that fan-out delivered, for the next feed that shows it. Kept only for posts that are traced."""

KEPT_SECONDS = 3_600


def trace_key(post_id: int) -> str:
    """The key in Redis of a post's trace: the context in which fan-out delivered it."""
    return f"trace:post:{post_id}"
