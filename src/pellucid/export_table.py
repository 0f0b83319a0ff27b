"""The examples table of a large record in few bytes: what an exported file holds of a million rows.

Columns lie one after the other, each cut into planes of bytes (all first bytes, then all second ones), which compress
well. Of most rows the prediction is the target, the rank 0 and the confidence exp(-loss): those are kept only for the
other rows. Fractions are rounded to so many binary digits as fit; `packed` says to how many.

Layout: uint32 little-endian, the length of a JSON header (`_Header`); the header; the planes. `web/src/record/packed.ts`
reads it.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

PACKED_FROM = 100_000  # rows; fewer are kept as they are
# Binary digits behind the point of loss and confidence, and of the other fractions; the finest first.
DIGITS = (
    (23, 23),
    (16, 16),
    (12, 12),
    (11, 10),
    (10, 9),
    (10, 8),
    (9, 8),
    (9, 7),
    (8, 7),
    (8, 6),
    (7, 6),
    (7, 5),
    (6, 5),
)
_ALL = 23  # what a float32 has
FRACTIONS = ("loss", "log_loss", "confidence", "entropy", "margin", "brier")
FINER = ("loss", "log_loss", "confidence", "brier")
_SAMPLE = 1 << 16  # rows whose size tells that of all
_MOST_TEXTS = 4096
_CLOSE = 1e-5  # a confidence that lies as near to exp(-loss) is that
_NUMBERED = re.compile(r"^(.*?)(\d{1,15})$", re.DOTALL)

Described: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PackedTable:
    """A table in few bytes.

    Attributes:
        content: what the app reads.
        rounded: binary digits behind the point that columns of fractions keep, where they do not keep all: they are off by
            at most 2^-(digits + 1) of their value.
        left_out: names of the columns that it does not hold.
    """

    content: bytes
    rounded: dict[str, int]
    left_out: list[str]


@dataclass
class _Planes:
    """The header's columns and the bytes behind it, as they are added."""

    rows: int
    columns: list[Described] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    def add(self, codes: NDArray[np.uint64], **said: Any) -> None:
        """Whole numbers >= 0, in as many planes as the largest needs."""
        largest = int(codes.max()) if len(codes) else 0
        width = max(1, (largest.bit_length() + 7) // 8)
        octets = np.ascontiguousarray(codes.astype("<u8")).view(np.uint8).reshape(len(codes), 8)
        self.pieces += [np.ascontiguousarray(octets[:, plane]).tobytes() for plane in range(width)]
        self.columns.append({**said, "planes": width, "length": len(codes)})

    def content(self) -> bytes:
        header = msgspec.json.encode({"rows": self.rows, "columns": self.columns})
        return b"".join([struct.pack("<I", len(header)), header, *self.pieces])


def packed(table: pa.Table, most: int, media: dict[int, str]) -> PackedTable:
    """The table in at most about so many bytes, its fractions as fine as fit.

    Args:
        table: an examples table; its lists are left out.
        most: bytes that it may take, compressed; the coarsest rounding may take more.
        media: names of pictures that are kept, by row.

    Returns: what was packed, and what it does not hold.
    """
    rows = table.num_rows
    start = max(0, (rows - _SAMPLE) // 2)
    sample = table.slice(start, _SAMPLE)
    # A sample's compressed size is off by a percent or two, for which room is kept.
    share = max(1, sample.num_rows) / max(1, rows)
    fits = (digits for digits in DIGITS if _size(sample, digits) <= 0.97 * most * share)
    digits = next(fits, DIGITS[-1])
    content, left_out = _packed(table, digits, media)
    kept = {name: _digits_of(name, digits) for name in table.column_names if _is_fraction(table, name)}
    return PackedTable(content, {name: some for name, some in kept.items() if some < _ALL}, left_out)


def _size(table: pa.Table, digits: tuple[int, int]) -> int:
    return len(zlib.compress(_packed(table, digits, {})[0], 9))


def _is_fraction(table: pa.Table, name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(table[name].type)) and table[name].null_count < table.num_rows


def _digits_of(name: str, digits: tuple[int, int]) -> int:
    """Most is computed from loss and confidence: the others may be coarser. What came along is left as it is."""
    if name not in FRACTIONS:
        return _ALL
    finer, coarser = digits
    return finer if name in FINER else coarser


# --- columns --------------------------------------------------------------------------------------------------


def _packed(table: pa.Table, digits: tuple[int, int], media: dict[int, str]) -> tuple[bytes, list[str]]:
    import pyarrow as pa

    planes = _Planes(table.num_rows)
    left_out: list[str] = []
    odd = _odd_rows(table)
    planes.add(np.packbits(odd).astype(np.uint64), name="", kind="odd")
    for name in table.column_names:
        column = table[name].combine_chunks()
        kind = column.type
        if name == "row":
            continue
        if name == "media":
            some = {row: text for row, text in media.items() if row < table.num_rows}
            planes.columns.append({"name": name, "kind": "sparse", "rows": list(some), "values": list(some.values())})
        elif pa.types.is_nested(kind):
            if column.null_count < len(column):
                left_out.append(name)
        elif pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_large_string(kind):
            _add_texts(planes, name, column)
        elif pa.types.is_integer(kind):
            _add_whole(planes, name, column, odd, {"prediction": "target", "rank": "zero"}.get(name))
        elif pa.types.is_floating(kind):
            otherwise = "exp(-loss)" if name == "confidence" else None
            _add_fractions(planes, name, column, odd, otherwise, _digits_of(name, digits))
        else:
            left_out.append(name)
    return planes.content(), left_out


def _odd_rows(table: pa.Table) -> NDArray[np.bool_]:
    """Rows whose prediction, rank and confidence do not follow from target and loss."""
    import pyarrow as pa

    if not pa.types.is_integer(table["target"].type):
        return np.ones(table.num_rows, bool)
    target, prediction, rank = (_whole(table[name]) for name in ("target", "prediction", "rank"))
    confidence, loss = (_real(table[name]) for name in ("confidence", "loss"))
    with np.errstate(invalid="ignore", over="ignore"):
        follows = np.abs(confidence - np.exp(-loss)) <= _CLOSE * confidence
    odd: NDArray[np.bool_] = (target < 0) | (target != prediction) | (rank != 0) | ~follows
    return odd


def _whole(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """int64[row], -1 where null."""
    import pyarrow.compute as pc

    values: NDArray[np.int64] = pc.fill_null(column, -1).to_numpy().astype(np.int64)
    return values


def _real(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """float64[row], NaN where null."""
    values: NDArray[np.float64] = column.to_numpy().astype(np.float64)
    return values


def _add_whole(planes: _Planes, name: str, column: pa.Array, odd: NDArray[np.bool_], otherwise: str | None) -> None:
    """Whole numbers less the least of them; code 0 is null."""
    import pyarrow.compute as pc

    null = np.asarray(column.is_null())
    values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    least = int(values[~null].min()) if not null.all() else 0
    codes = np.where(null, 0, values - least + 1).astype(np.uint64)
    kept = codes[odd] if otherwise else codes
    planes.add(kept, name=name, kind="whole", least=least, otherwise=otherwise)


def _add_fractions(
    planes: _Planes,
    name: str,
    column: pa.Array,
    odd: NDArray[np.bool_],
    otherwise: str | None,
    digits: int,
) -> None:
    """The leading bits of float32, less the least; code 0 is null. Infinity and NaN are kept as they are."""
    null = np.asarray(column.is_null())
    values = column.to_numpy(zero_copy_only=False).astype(np.float32)
    bits = values.view(np.uint32).astype(np.int64)
    if digits < _ALL:
        shift = _ALL - digits
        finite = np.isfinite(values)
        # To the nearest; what would round up to infinity is cut instead.
        raised = np.where(finite, bits + (1 << (shift - 1)), bits)
        full = 0x7F800000
        bits = np.where((raised & full) == full, bits, raised) >> shift
    least = int(bits[~null].min()) if not null.all() else 0
    codes = np.where(null, 0, bits - least + 1).astype(np.uint64)
    kept = codes[odd] if otherwise else codes
    planes.add(kept, name=name, kind="fraction", least=least, digits=digits, otherwise=otherwise)


def _add_texts(planes: _Planes, name: str, column: pa.Array) -> None:
    """Texts that count up by their rule; few different ones by their place; any others one after the other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    boolean = pa.types.is_boolean(column.type)
    counted = None if boolean or column.null_count or not len(column) else _numbered(column)
    if counted:
        planes.columns.append({"name": name, "kind": "numbered", **counted})
        return
    encoded = column.dictionary_encode()
    values: list[object] = encoded.dictionary.to_pylist()
    if len(values) <= _MOST_TEXTS:
        codes = pc.fill_null(pc.add(encoded.indices.cast(pa.int64()), 1), 0).to_numpy(zero_copy_only=False)
        planes.add(codes.astype(np.uint64), name=name, kind="among", values=values)
        return
    lengths = pc.fill_null(pc.add(pc.binary_length(column).cast(pa.int64()), 1), 0).to_numpy(zero_copy_only=False)
    planes.add(lengths.astype(np.uint64), name=name, kind="texts", bytes=int(np.maximum(lengths - 1, 0).sum()))
    planes.pieces.append("".join(text for text in column.to_pylist() if text is not None).encode())


def _numbered(column: pa.Array) -> Described | None:
    """What stands before the number in "img0007", "img0008", ..., the first number, and its digits; None for other texts."""
    import pyarrow.compute as pc

    found = _NUMBERED.match(column[0].as_py())
    if not found:
        return None
    prefix, digits = found.group(1), found.group(2)
    first = int(digits)
    last = f"{prefix}{first + len(column) - 1:0{len(digits)}d}"
    if column[-1].as_py() != last:
        return None
    numbers = np.arange(first, first + len(column)).astype(str)
    width = len(digits) if digits.startswith("0") or len(digits) == len(str(first + len(column) - 1)) else 0
    expected = np.char.add(prefix, np.char.zfill(numbers, width) if width else numbers)
    import pyarrow as pa

    same = pc.all(pc.equal(column, pa.array(expected).cast(column.type))).as_py()
    return {"prefix": prefix, "first": first, "digits": width} if same else None
