"""The bit-sliced kernel: rows are the SIMD dimension, one bit each, in blocks of 512 rows.

Stages, the first one per block, the others per tree:
 1 bin       each value becomes a byte, its rank among the model's thresholds; each category a one-hot plane
 2 evaluate  each condition that no earlier tree uses becomes one plane of 512 "goes right" bits
 3 route     down the tree: reach[right] = reach[node] & answer; reach[left] = reach[node] ^ reach[right]
 4 index     each bit of the leaf number is an OR of reach planes; the bits become one byte per row
 5 sum       score[row] += leaf[index], float64 in tree order: the same sums as LightGBM's

LLVM vector operations of any width that the CPU has process planes and bytes; numba keys its cache by the CPU. All code
is in one file because numba's cache notices changes of the compiled function's file only.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from photofeed.models.scorer.table_arrays import OR_WIDTH, RANKS_PER_COLUMN, TableArrays

BLOCK = 512  # rows
WORDS = BLOCK // 64  # of a plane: 64 bytes, a cache line
TREES = 8  # summed together, so that a row's score is read and written once for all eight
BYTE_BITS = 8
COARSE_BITS = 4  # of a rank, found by comparing with 16 thresholds; the other bits by binary search
ZERO = np.float32(1e-35)  # LightGBM's kZeroThreshold: values of at most this magnitude are zero
LEVEL_ZERO, LEVEL_NAN = np.uint8(1), np.uint8(2)

_INT1, _INT8, _INT32, _INT64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_BYTES, _BITS, _PLANE = ir.VectorType(_INT8, 64), ir.VectorType(_INT1, 64), ir.VectorType(_INT64, WORDS)
ARRAY, INDEX = types.Array, types.int64  # parameters of LLVM operations
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compile at the first call, to run without the GIL; keep the machine code if numba finds a folder it may write."""
    dispatcher: Any = njit(nogil=True, error_model="numpy", boundscheck=False)(function)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast("Function", dispatcher)


class Scratch(NamedTuple):
    """The buffers of one thread; their content is not used after a call."""

    codes: NDArray[np.uint8]  # (columns, BLOCK)
    one_hot: NDArray[np.uint64]  # planes
    answers: NDArray[np.uint64]  # planes
    reach: NDArray[np.uint64]  # planes
    index_bits: NDArray[np.uint64]  # planes of one tree
    indexes: NDArray[np.uint8]  # (low and high byte, TREES, BLOCK)
    values: NDArray[np.float32]  # of one feature
    ranks: NDArray[np.uint32]
    levels: NDArray[np.uint8]  # 0 plain, 1 zero, 2 NaN
    sums: NDArray[np.float64]


def make_scratch(arrays: TableArrays) -> Scratch:
    """Buffers for these tables; planes are aligned to cache lines."""
    reach = _planes(arrays.slot_count)
    reach[:WORDS] = ~np.uint64(0)  # every row reaches the root
    return Scratch(
        codes=_planes(len(arrays.columns) * WORDS).view(np.uint8),
        one_hot=_planes(arrays.one_hot_count),
        answers=_planes(arrays.answer_count),
        reach=reach,
        index_bits=_planes(2 * BYTE_BITS),
        indexes=_planes(TREES * 2 * WORDS).view(np.uint8),
        values=np.zeros(BLOCK, np.float32),
        ranks=np.zeros(BLOCK, np.uint32),
        levels=np.zeros(BLOCK, np.uint8),
        sums=np.zeros(BLOCK, np.float64),
    )


def _planes(count: int) -> NDArray[np.uint64]:
    words = np.zeros((count + 1) * WORDS, np.uint64)
    first = -words.ctypes.data % 64 // 8
    return words[first : first + count * WORDS]


def _llvm(*parameters: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function that writes instructions with an LLVM builder callable from compiled code.

    One numba type per parameter; an ARRAY of any type is passed as a pointer to its first item.
    """

    def decorate(write: Callable[..., None]) -> Callable[..., None]:
        @wraps(write)  # numba takes the number of parameters from it
        def declare(_: Any, *given: Any) -> tuple[Any, Callable[..., Any]]:
            kinds = [kind if wanted is ARRAY else wanted for kind, wanted in zip(given, parameters, strict=True)]

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                arguments = [
                    context.make_array(kind)(context, builder, value).data if wanted is ARRAY else value
                    for kind, wanted, value in zip(signature.args, parameters, values, strict=True)
                ]
                write(builder, *arguments)
                return context.get_dummy_value()

            return types.void(*kinds), generate

        return cast("Callable[..., None]", intrinsic(declare))

    return decorate


def _vector(builder: Any, items: Any, item: Any, vector: Any) -> Any:
    """Pointer to the vector that starts at `item`."""
    return builder.bitcast(builder.gep(items, [item]), vector.as_pointer())


def _plane(builder: Any, planes: Any, number: Any) -> Any:
    return _vector(builder, planes, builder.mul(number, _INT64(WORDS)), _PLANE)


def _repeat(builder: Any, value: Any, times: int) -> Any:
    """A vector of one value."""
    one = builder.insert_element(ir.VectorType(value.type, times)(ir.Undefined), value, _INT32(0))
    return builder.shuffle_vector(one, one, ir.VectorType(_INT32, times)([0] * times))


@_llvm(ARRAY, INDEX, types.uint8, ARRAY, INDEX)
def _compare_rank(builder: Any, codes: Any, column: Any, rank: Any, planes: Any, plane: Any) -> None:
    """planes[plane] = per row: codes[column, row] > rank."""
    ranks = _repeat(builder, rank, 64)
    for word in range(WORDS):
        code = builder.add(builder.mul(column, _INT64(BLOCK)), _INT64(64 * word))
        above = builder.icmp_unsigned(">", builder.load(_vector(builder, codes, code, _BYTES)), ranks)
        item = builder.add(builder.mul(plane, _INT64(WORDS)), _INT64(word))
        builder.store(builder.bitcast(above, _INT64), builder.gep(planes, [item]))


@_llvm(ARRAY, ARRAY, INDEX, INDEX, INDEX, types.int64, ARRAY, INDEX)
def _or_planes(
    builder: Any, source: Any, numbers: Any, first: Any, end: Any, base: Any, invert: Any, planes: Any, plane: Any
) -> None:
    """planes[plane] = invert ^ the OR of source[base + number] for each of numbers[first:end], OR_WIDTH at a time."""
    union = cgutils.alloca_once_value(builder, _PLANE([0] * WORDS))
    with cgutils.for_range_slice(builder, first, end, _INT64(OR_WIDTH)) as (start, _):
        joined = builder.load(union)
        for step in range(OR_WIDTH):
            number = builder.load(builder.gep(numbers, [builder.add(start, _INT64(step))]))
            number = builder.add(base, builder.zext(number, _INT64))
            joined = builder.or_(joined, builder.load(_plane(builder, source, number)))
        builder.store(joined, union)
    result = builder.xor(builder.load(union), _repeat(builder, invert, WORDS))
    builder.store(result, _plane(builder, planes, plane))


@_llvm(ARRAY, INDEX, INDEX, ARRAY, INDEX)
def _route(builder: Any, reach: Any, slot: Any, right_slot: Any, answers: Any, answer: Any) -> None:
    """Send the rows that reach a split to its children: to the right those whose bit is set in the answer."""
    here = builder.load(_plane(builder, reach, slot))
    right = builder.and_(here, builder.load(_plane(builder, answers, answer)))
    builder.store(right, _plane(builder, reach, right_slot))
    builder.store(builder.xor(here, right), _plane(builder, reach, builder.add(slot, _INT64(1))))


@_llvm(ARRAY, INDEX, INDEX, ARRAY, INDEX)
def _bits_to_bytes(builder: Any, planes: Any, first: Any, end: Any, indexes: Any, line: Any) -> None:
    """indexes[line, row] = the byte whose bits, lowest first, are the row's in planes[first:end]."""
    for word in range(WORDS):
        values = cgutils.alloca_once_value(builder, _BYTES([0] * 64))
        bit = cgutils.alloca_once_value(builder, _INT8(1))
        with cgutils.for_range_slice(builder, first, end, _INT64(1)) as (plane, _):
            item = builder.add(builder.mul(plane, _INT64(WORDS)), _INT64(word))
            rows = builder.bitcast(builder.load(builder.gep(planes, [item])), _BITS)
            added = builder.select(rows, _repeat(builder, builder.load(bit), 64), _BYTES([0] * 64))
            builder.store(builder.or_(builder.load(values), added), values)
            builder.store(builder.shl(builder.load(bit), _INT8(1)), bit)
        item = builder.add(builder.mul(line, _INT64(BLOCK)), _INT64(64 * word))
        builder.store(builder.load(values), _vector(builder, indexes, item, _BYTES))


@_compiled
def score_rows(matrix: NDArray[np.float32], scores: NDArray[np.float64], tables: TableArrays, scratch: Scratch) -> None:
    """Write the raw score of each row of `matrix` to `scores`."""
    for first_row in range(0, len(matrix), BLOCK):
        rows = min(BLOCK, len(matrix) - first_row)  # buffers beyond these rows hold old values, which are not read
        _bin(matrix, first_row, rows, tables, scratch)
        _mark_categories(matrix, first_row, rows, tables, scratch)
        _sum_trees(rows, tables, scratch)
        for row in range(rows):
            scores[first_row + row] = scratch.sums[row]


@_compiled
def _bin(matrix: NDArray[np.float32], first_row: int, rows: int, tables: TableArrays, scratch: Scratch) -> None:
    """Stage 1 for float features: the number of thresholds below each value, as the code bytes of columns."""
    values, ranks, levels = scratch.values, scratch.ranks, scratch.levels
    for feature in tables.numeric_features:
        for row in range(rows):
            values[row] = matrix[first_row + row, feature.feature]
        for row in range(BLOCK):  # a constant number of rows, so that LLVM vectorizes the loop
            value = values[row]
            is_nan, is_zero = value != value, abs(value) <= ZERO  # noqa: PLR0124  NaN alone differs from itself
            values[row] = np.float32(0) if is_nan | is_zero else value
            levels[row] = np.uint8(is_nan) * LEVEL_NAN + np.uint8(is_zero) * LEVEL_ZERO
            ranks[row] = 0
        thresholds = tables.thresholds[feature.first_threshold : feature.first_threshold + (1 << feature.search_bits)]
        coarse_bits = min(feature.search_bits, COARSE_BITS)
        fine_bits = feature.search_bits - coarse_bits
        step = 1 << fine_bits
        for first in range(step - 1, len(thresholds), 4 * step):  # counting instead of searching, which LLVM vectorizes
            lowest, low = thresholds[first], thresholds[first + step]
            high, highest = thresholds[first + 2 * step], thresholds[first + 3 * step]
            for row in range(BLOCK):
                value = values[row]
                below = np.uint32(lowest < value) + np.uint32(low < value)
                ranks[row] += (below + np.uint32(high < value) + np.uint32(highest < value)) << np.uint32(fine_bits)
        for bit in range(fine_bits - 1, -1, -1):  # rows in the inner loop: no step depends on the one before
            middle = thresholds[(1 << bit) - 1 :]
            for row in range(BLOCK):
                rank = ranks[row]
                ranks[row] = rank | np.uint32(middle[np.uint64(rank)] < values[row]) << np.uint32(bit)
        for number in range(feature.first_column, feature.end_column):
            column = tables.columns[number]
            offset, missing_from = np.int32(column.rank_offset), np.uint8(column.missing_from)
            missing_code = np.uint8(column.missing_code)
            codes = scratch.codes[number * BLOCK : (number + 1) * BLOCK]
            for row in range(BLOCK):
                code = min(max(np.int32(ranks[row]) - offset, np.int32(0)), np.int32(RANKS_PER_COLUMN))
                codes[row] = missing_code if levels[row] >= missing_from else np.uint8(code)


@_compiled
def _mark_categories(
    matrix: NDArray[np.float32], first_row: int, rows: int, tables: TableArrays, scratch: Scratch
) -> None:
    """Stage 1 for categorical features: set each row's bit in the plane of its category."""
    one_hot = scratch.one_hot
    one_hot[:] = 0
    for feature in tables.categorical_features:
        for row in range(rows):
            value = np.float64(matrix[first_row + row, feature.feature])
            # LightGBM truncates: (-1, 0] is category 0; NaN, negative and unnamed categories share code 0
            known = value > -1.0 and value < feature.values
            code = tables.category_codes[feature.first_code + int(value)] if known else np.int32(0)
            word = (feature.first_one_hot + code) * WORDS + (row >> 6)
            one_hot[word] |= np.uint64(1) << np.uint64(row & 63)


@_compiled
def _sum_trees(rows: int, tables: TableArrays, scratch: Scratch) -> None:
    """Stages 2 to 5: the leaf of each row in each tree, and the sum of their values."""
    scratch.sums[:] = 0.0
    for first_tree in range(0, len(tables.trees), TREES):
        trees = tables.trees[first_tree : first_tree + TREES]
        for number in range(len(trees)):
            _evaluate(trees[number], tables, scratch)
            _find_leaves(trees[number], number, tables, scratch)
        if len(trees) == TREES and trees["bits"].max() <= BYTE_BITS:
            _add_eight_trees(rows, trees["first_leaf"], tables.leaf_values, scratch.indexes, scratch.sums)
        else:
            for number in range(len(trees)):
                _add_tree(rows, number, trees[number], tables.leaf_values, scratch.indexes, scratch.sums)


@_compiled
def _evaluate(tree: Any, tables: TableArrays, scratch: Scratch) -> None:
    """Stage 2: one "goes right" plane for each condition that no earlier tree uses."""
    codes, one_hot, answers = scratch.codes, scratch.one_hot, scratch.answers
    for above in tables.numeric_conditions[tree.first_numeric : tree.end_numeric]:
        _compare_rank(codes, np.int64(above.column), np.uint8(above.rank), answers, np.int64(above.plane))
    for among in tables.categorical_conditions[tree.first_categorical : tree.end_categorical]:
        first, end, base = np.int64(among.first), np.int64(among.end), np.int64(among.first_one_hot)
        invert, plane = np.int64(among.invert), np.int64(among.plane)
        _or_planes(one_hot, tables.category_planes, first, end, base, invert, answers, plane)


@_compiled
def _find_leaves(tree: Any, number: int, tables: TableArrays, scratch: Scratch) -> None:
    """Stages 3 and 4: the leaf number of each row, as a low and a high byte."""
    reach, answers, index_bits = scratch.reach, scratch.answers, scratch.index_bits
    for split in tables.splits[tree.first_split : tree.end_split]:
        _route(reach, np.int64(split.slot), np.int64(split.right_slot), answers, np.int64(split.plane))
    starts = tables.index_starts[tree.first_bit :]
    for bit in range(tree.bits):
        first, end = np.int64(starts[bit]), np.int64(starts[bit + 1])
        _or_planes(reach, tables.index_terms, first, end, 0, 0, index_bits, bit)
    _bits_to_bytes(index_bits, 0, min(tree.bits, BYTE_BITS), scratch.indexes, number)
    if tree.bits > BYTE_BITS:
        _bits_to_bytes(index_bits, BYTE_BITS, np.int64(tree.bits), scratch.indexes, TREES + number)


@_compiled
def _add_eight_trees(
    rows: int,
    first_leaf: NDArray[np.int32],
    leaf_values: NDArray[np.float64],
    indexes: NDArray[np.uint8],
    sums: NDArray[np.float64],
) -> None:
    """Stage 5 for eight trees of at most 256 leaves; unrolled, so that a row's sum stays in a register."""
    leaves_0, leaves_1 = leaf_values[first_leaf[0] :], leaf_values[first_leaf[1] :]
    leaves_2, leaves_3 = leaf_values[first_leaf[2] :], leaf_values[first_leaf[3] :]
    leaves_4, leaves_5 = leaf_values[first_leaf[4] :], leaf_values[first_leaf[5] :]
    leaves_6, leaves_7 = leaf_values[first_leaf[6] :], leaf_values[first_leaf[7] :]
    for row in range(rows):
        total = sums[row]
        total += leaves_0[indexes[row]]
        total += leaves_1[indexes[BLOCK + row]]
        total += leaves_2[indexes[2 * BLOCK + row]]
        total += leaves_3[indexes[3 * BLOCK + row]]
        total += leaves_4[indexes[4 * BLOCK + row]]
        total += leaves_5[indexes[5 * BLOCK + row]]
        total += leaves_6[indexes[6 * BLOCK + row]]
        total += leaves_7[indexes[7 * BLOCK + row]]
        sums[row] = total


@_compiled
def _add_tree(
    rows: int,
    number: int,
    tree: Any,
    leaf_values: NDArray[np.float64],
    indexes: NDArray[np.uint8],
    sums: NDArray[np.float64],
) -> None:
    """Stage 5 for one tree of any size."""
    low, high = indexes[number * BLOCK :], indexes[(TREES + number) * BLOCK :]
    for row in range(rows):
        index = np.int64(low[row])
        if tree.bits > BYTE_BITS:
            index += np.int64(high[row]) << BYTE_BITS
        sums[row] += leaf_values[tree.first_leaf + index]
