"""Numbers of bytes in words for people."""

import math

_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1024


def human_size(count: int) -> str:
    """A number of bytes such as "50 MB", in units of 1,024, rounded up to a tenth.

    A size just over a limit never reads like the limit.
    """
    power = max((count.bit_length() - 1) // 10, 0)
    power = min(power, len(_UNITS) - 1)
    tenths = -(-count * 10 // _STEP**power)
    if tenths >= 10 * _STEP and power < len(_UNITS) - 1:  # rounded up to the next unit
        power, tenths = power + 1, math.ceil(tenths / _STEP)
    whole, tenth = divmod(tenths, 10)
    return f"{whole:,}{f'.{tenth}' if tenth else ''} {_UNITS[power]}"
