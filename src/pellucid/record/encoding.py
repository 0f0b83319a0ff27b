"""Answers as bytes, the same bytes for the same answers, and what a focus file says of itself."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.errors import RecordError
from pellucid.record import schema

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
LensState: TypeAlias = tuple[Mapping[str, Json], Arrays]


def focus_bytes(focus: schema.Focus, tensors: Arrays) -> bytes:
    """A focus file: a safetensors file whose header holds the focus as JSON under the key "focus"."""
    return safetensors_bytes(tensors, {"focus": msgspec.json.encode(focus).decode()})


def focus_of(content: bytes) -> schema.Focus:
    """The focus in the header of a focus file.

    Raises: ValueError, KeyError, TypeError or msgspec.DecodeError: the bytes are no focus file.
    """
    if len(content) < 8:
        raise ValueError("it is too short for a header")
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    return msgspec.json.decode(header["__metadata__"]["focus"], type=schema.Focus)


def safetensors_bytes(arrays: Arrays, metadata: dict[str, str] | None = None) -> bytes:
    """Arrays as a safetensors file; one entry of metadata at most, for the library shuffles them."""
    from safetensors.numpy import save

    # The library reads the memory as it lies: a transposed or sliced view must be laid out first.
    content: bytes = save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata)
    return content


def state_json(lens: str, values: Mapping[str, Json]) -> bytes:
    """A lens's state as JSON. Raises: RecordError: it holds NaN, infinity or something that is no JSON."""
    try:
        return json.dumps(values, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise RecordError(
            f"The state of the lens '{lens}' does not fit in JSON: {error}. Keep what may be NaN or infinite in arrays."
        ) from error
