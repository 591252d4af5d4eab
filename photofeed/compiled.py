"""Loops that numba turns into machine code: where numpy would be many small calls, or compare all with all."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call, to run without the GIL; keep the machine code if numba finds a folder it may write.

    Where neither the package's folder nor the user's cache folder is writable, every process compiles for itself. The
    cache notices changes of the function's own file only: what it calls and its constants stand in the same one.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy", boundscheck=False)(function)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast("Function", dispatcher)
