"""Loops that numba compiles to machine code, for work that numpy does in many small calls or in quadratic memory."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call, to run without the GIL; cache the machine code if numba finds a writable folder.

    If neither the package's folder nor the user's cache folder is writable, every process compiles for itself. The
    cache notices changes of the function's own file only, so keep a function's constants and callees in its file.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy", boundscheck=False)(function)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast("Function", dispatcher)
