"""How far the clock of a server is from the clock here."""

from collections.abc import Iterator

from photofeed.doctor.finding import Finding, ok, wrong

MOST_SKEW_SECONDS = 2.0
"""Counters decay by event time, and tokens and upload addresses expire by it. A fetch takes less than a second."""


def clock(
    system: str, server_seconds: float, before: float, after: float, resolution: float = 0.0
) -> Iterator[Finding]:
    """Compare a server's time with the times here before and after it was asked, all in seconds since 1970.

    `resolution` is how much later than it says the server's time may be, as with whole seconds.
    """
    early, late = before - (server_seconds + resolution), server_seconds - after
    skew = max(early, late, 0.0)
    name = f"{system}.clock"
    if skew > MOST_SKEW_SECONDS:
        direction = "ahead of" if late > early else "behind"
        yield wrong(name, f"the server's clock is {skew:.1f} s {direction} this machine's", "run NTP on both")
    else:
        yield ok(name, "the clocks agree")
