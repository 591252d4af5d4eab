"""Copies of byte ranges between arrays, and loads of numbers at any byte, for compiled code.

The compiler cannot turn a loop over bytes into a copy, because the arrays may overlap. Nothing here checks bounds.
"""

from typing import Any

import numba.types
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE, _WORD = ir.IntType(8), ir.IntType(64)


@intrinsic  # type: ignore[untyped-decorator]
def copy_bytes(_: Any, target: Any, target_at: Any, source: Any, source_at: Any, count: Any) -> Any:
    """Copy `count` bytes from byte `source_at` of one contiguous array to byte `target_at` of another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        addresses = [_address(context, builder, signature.args[n], arguments[n], arguments[n + 1]) for n in (0, 2)]
        cgutils.raw_memcpy(builder, *addresses, arguments[4], 1)
        return context.get_dummy_value()

    return numba.types.void(target, target_at, source, source_at, count), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_big_endian(_: Any, source: Any, at: Any) -> Any:
    """The 8 bytes from byte `at` of a contiguous array as a big-endian unsigned number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.bitcast(_address(context, builder, signature.args[0], *arguments), _WORD.as_pointer())
        return builder.bswap(builder.load(address, align=1))

    return numba.types.uint64(source, at), generate


def _loader(kind: Any, returned: Any) -> Any:
    """A function that loads a little-endian number from byte `at` of a contiguous array."""

    @intrinsic  # type: ignore[untyped-decorator]
    def load(_: Any, source: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address = _address(context, builder, signature.args[0], *arguments)
            return builder.load(builder.bitcast(address, kind.as_pointer()), align=1)

        return returned(source, at), generate

    return load


def _address(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(builder.bitcast(data, _BYTE.as_pointer()), [at])


load_float64 = _loader(ir.DoubleType(), numba.types.float64)
load_float32 = _loader(ir.FloatType(), numba.types.float32)
load_int64 = _loader(_WORD, numba.types.int64)
load_int32 = _loader(ir.IntType(32), numba.types.int32)
