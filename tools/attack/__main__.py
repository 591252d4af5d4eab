"""`make attack`: attack a fresh stack; a line per attack, then JSON.

Exit code 1 if anything broke, 3 if everything held and something could not be measured.
"""

import math
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from tools.attack import ATTACKS, BrokenError, callers, content
from tools.attack.cells import cells
from tools.attack.figures import park, parked_bytes_after, private_image_seconds, ranks_moved, slowdown
from tools.attack.stale_keys import stale_key_seconds
from tools.attack.world import World, running_world

_LIMITS = {
    "rankShift": 5.0,
    "privateImageSeconds": 60.0,
    "staleKeySeconds": 300.0,
    "feedSlowdown": 1.2,
    "parkedBytesAfter": 0.0,
}
_NOT_MEASURED = 3
_MODULES = (callers, content)  # their functions are the attacks


def _attacks(world: World) -> int:
    """Carry out the attacks; returns how many were held off."""
    held = 0
    for one in ATTACKS:
        try:
            one.run(world)
        except (BrokenError, KeyError, ValueError) as error:
            sys.stdout.write(f"BROKEN\t{one.row}\t{one.name}\t{type(error).__name__}: {error}\n")
        else:
            held += 1
            sys.stdout.write(f"held\t{one.row}\t{one.name}\n")
        sys.stdout.flush()
    return held


def _measured(figure: Callable[[], float | None]) -> float | None:
    """A figure, or infinity if something broke while it was measured; the line says what."""
    try:
        return figure()
    except (BrokenError, TimeoutError, httpx.HTTPError) as error:
        sys.stdout.write(f"BROKEN\tfigure\t{type(error).__name__}: {error}\n")
        return math.inf


def main() -> int:
    """Attack, then print the figures."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as aside, running_world(Path(name)) as world:
        park(world)
        stale = aside.submit(_measured, partial(stale_key_seconds, world))
        held = _attacks(world)
        tried = list(cells(world))
        figures: dict[str, Any] = {
            "attacks": len(ATTACKS),
            "held": held,
            "cells": len(tried),
            "cellsHeld": tried.count(None),
            "rankShift": _measured(partial(ranks_moved, world)),
            "privateImageSeconds": _measured(partial(private_image_seconds, world)),
            "staleKeySeconds": stale.result(),
            "feedSlowdown": _measured(partial(slowdown, world)),
            "parkedBytesAfter": _measured(partial(parked_bytes_after, world)),
        }
    sys.stdout.writelines(f"BROKEN\tpolicy\t{wrong}\n" for wrong in tried if wrong)
    missing = [name for name in _LIMITS if figures[name] is None]
    over = [name for name, most in _LIMITS.items() if name not in missing and figures[name] > most]
    sys.stdout.writelines(f"not measured\t{name}\n" for name in missing)
    sys.stdout.writelines(f"BROKEN\tfigure\t{name}: {figures[name]}, not {_LIMITS[name]} or less\n" for name in over)
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    if held < len(ATTACKS) or any(tried) or over:
        return 1
    return _NOT_MEASURED if missing else 0


if __name__ == "__main__":
    sys.exit(main())
