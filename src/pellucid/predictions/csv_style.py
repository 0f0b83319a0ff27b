"""How a CSV file is written: what stands between its values and before its decimals, and which words stand for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.predictions.numbers import MISSING

# Bytes that are looked at; what is beyond them is held against it when it is read.
_SAMPLE = 1 << 16
_QUOTED = re.compile(r'"[^"]*"')
_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_POINT = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")

# Text that is nothing, in any column of text; other words for it may be names there.
_NO_TEXT = ("", "NaN", "nan", "null")


@dataclass(frozen=True)
class Style:
    """How a file is written.

    Attributes:
        separator: between values.
        decimal: before decimals.
        no_number: what stands for a number that is missing; none of the classes.
        no_text: what stands for text that is missing; likewise.
    """

    separator: str
    decimal: str
    no_number: tuple[str, ...]
    no_text: tuple[str, ...]


def style_of(path: Path, classes: Sequence[str] | None) -> Style:
    """Looks at the beginning of a file.

    The separator is what stands in its first line: a comma, or, where there is none, a semicolon or a tab. Where it is not a comma,
    decimals may stand after one: they do where some numbers are written so and none with a point.

    Args:
        path: of the file.
        classes: names of the classes, as far as they are known, which are no missing values.

    Raises: DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            header, _, rest = file.read(_SAMPLE).decode("utf-8-sig", "replace").partition("\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    plain = _QUOTED.sub("", header)
    separator = "\t" if path.suffix == ".tsv" else next((sign for sign in ",;\t" if sign in plain), ",")
    decimal = "."
    if separator != ",":
        cells = {cell.strip('"\r') for line in rest.split("\n") for cell in line.split(separator)}
        if any(map(_COMMA.fullmatch, cells)) and not any(map(_POINT.fullmatch, cells)):
            decimal = ","
    named = set(classes or ())
    return Style(
        separator,
        decimal,
        no_number=tuple(word for word in ("", *MISSING) if word not in named),
        no_text=tuple(word for word in _NO_TEXT if word not in named),
    )
