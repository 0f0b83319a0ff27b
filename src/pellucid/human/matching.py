"""Which examples of a record people saw: found by id, by file name, or by the picture's checksum."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.human.images import image_name, plain_condition
from pellucid.human.people import People
from pellucid.record.schema import HumanMatchedBy

if TYPE_CHECKING:
    import pyarrow as pa

CONDITION = "condition"
_CHECKSUM = re.compile(r"([0-9a-f]{64})(?:\.\w+)?")
_ENDING = re.compile(r"\.(?:png|jpe?g|webp|bmp|gif|tiff?|ppm|pgm)$", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """int64[image]: the place of each image in the examples table, -1 where it is not there; `by` how most were found.

    `conditions_apart`: none is, for people saw images under several conditions, and the record does not say which are the model's.
    """

    rows: NDArray[np.int64]
    by: HumanMatchedBy
    conditions_apart: bool = False


def found_in(people: People, examples: pa.Table, *, numbered: bool = False) -> Found:
    """Finds the images in a record.

    Where the record has a column "condition", an image is found under the same condition only. Where it has none and people saw
    images under several, the model's answer is to one picture and not to the others: then an image is found by its id alone, and
    only where that was answered under one condition.

    Args:
        people: their answers.
        examples: the record's table.
        numbered: the images are named by their numbers from 0, as an array without ids has them.
    """
    missing = np.full(len(people.names), -1, np.int64)
    own = CONDITION in examples.column_names
    apart = not own and len(people.conditions) > 1
    if apart and len(set(people.names)) < len(people.names):
        return Found(missing, "none", conditions_apart=True)
    number = examples.num_rows
    shown = (
        [plain_condition(str(one)) for one in examples[CONDITION].to_pylist()]
        if own and len(people.conditions) > 1
        else [""] * number
    )
    wanted = [people.conditions[place] if own and len(people.conditions) > 1 else "" for place in people.condition]
    ids = [str(one) for one in examples["id"].to_pylist()]
    media = examples["media"].to_pylist()
    ways: list[tuple[HumanMatchedBy, Mapping[tuple[str, str], int], Sequence[str | None]]] = [
        ("id", _unique(zip(ids, shown, strict=True)), people.names),
        (
            "file name",
            _unique(zip(map(_file_name, ids), shown, strict=True)),
            [_file_name(one) for one in people.names],
        ),
        (
            "content",
            _unique(zip((_checksum(one or "") for one in media), shown, strict=True)),
            [_checksum(one) for one in people.names],
        ),
    ]
    if numbered:
        ways.append(("row", {(str(row), ""): row for row in range(number)}, people.names))
    if apart:
        ways = ways[:1]
    rows = missing
    taken: Counter[HumanMatchedBy] = Counter()
    for by, known, names in ways:
        for image in np.flatnonzero(rows < 0).tolist():
            place = known.get((names[image] or "", wanted[image]), -1) if names[image] else -1
            if place >= 0:
                rows[image] = place
                taken[by] += 1
    rows = _once(rows)
    return Found(rows, taken.most_common(1)[0][0] if taken else "none", conditions_apart=apart and not taken)


def _unique(keys: Iterable[tuple[str | None, str]]) -> dict[tuple[str, str], int]:
    """The place of each key that is there once."""
    places: dict[tuple[str, str], int] = {}
    for place, (name, condition) in enumerate(keys):
        if name:
            key = (name, condition)
            places[key] = -1 if key in places else place
    return places


def _file_name(text: str) -> str:
    """The last part of a path, without an ending that says how the picture is encoded."""
    return _ENDING.sub("", image_name(PurePosixPath(text.replace("\\", "/")).name))


def _checksum(text: str) -> str | None:
    found = _CHECKSUM.fullmatch(PurePosixPath(text).name)
    return found[1] if found else None


def _once(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """An example that two images claim is neither's."""
    claims = Counter(rows[rows >= 0].tolist())
    return np.array([row if row < 0 or claims[int(row)] == 1 else -1 for row in rows], np.int64)
