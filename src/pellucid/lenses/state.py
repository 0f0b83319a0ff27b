"""A lens's state as plain JSON and arrays, without pickle: records are untrusted files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import DamagedError
from pellucid.lenses import Lens, LensContext

L = TypeVar("L", bound=Lens)
_ARRAY = "array"


def dump(lens: Lens) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Every field but the context: (JSON, arrays by path). Floats and integers are kept exactly."""
    arrays: dict[str, np.ndarray] = {}
    values = {name: _plain(getattr(lens, name), name, arrays) for name in _state_fields(lens)}
    return values, arrays


def load(lens_type: type[L], context: LensContext, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> L:
    """The lens that was dumped. Raises: DamagedError: the fields are not those of the lens."""
    lens = lens_type(context)  # type: ignore[call-arg]
    names = _state_fields(lens)
    if set(names) != set(values):
        raise DamagedError(f"The stored state of lens '{lens.name}' has fields {sorted(values)}; expected {names}.")
    for name in names:
        setattr(lens, name, _restored(values[name], arrays))
    return lens


def _state_fields(lens: Lens) -> list[str]:
    return [entry.name for entry in fields(lens) if entry.name != "context"]  # type: ignore[arg-type]


def _plain(value: object, path: str, arrays: dict[str, np.ndarray]) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return {_ARRAY: path}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}.{index}", arrays) for index, item in enumerate(value)]
    if isinstance(value, dict):
        entries = [[key, _plain(item, f"{path}.{index}", arrays)] for index, (key, item) in enumerate(value.items())]
        return {"entries": entries}
    raise TypeError(
        f"A lens's field '{path}' holds a {type(value).__name__}; state is numbers, text, arrays, lists, dicts."
    )


def _restored(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_restored(item, arrays) for item in value]
    if isinstance(value, dict):
        if "float" in value:
            return float.fromhex(value["float"])
        if _ARRAY in value:
            return arrays[value[_ARRAY]].copy()
        return {key: _restored(item, arrays) for key, item in value["entries"]}
    return value
