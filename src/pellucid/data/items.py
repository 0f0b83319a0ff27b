"""How one item of a program's data is read: what the model is given, what is the target, and what comes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.data.collated import Collate, collated
from pellucid.data.images import picture_of_tensor
from pellucid.data.inputs import has_axis_of_one, is_number, tensors_of, value_of
from pellucid.data.naming import plain_name
from pellucid.data.signature import Signature
from pellucid.data.targets import target_of
from pellucid.errors import DataError
from pellucid.types import Example, Scalar

INPUT_KEYS = ("input", "inputs", "image", "pixel_values", "x")
TARGET_KEYS = ("target", "label", "labels", "y")
_SCALARS = str | int | float | bool | None
_SHOWN = 5


@dataclass(frozen=True)
class Entries:
    """The entries of a mapping, told apart.

    Attributes:
        inputs: what the model is given: one entry's value alone, or several by name.
        named: the entries that `inputs` holds.
        target: the entry that is the target; None where there is none.
        columns: what comes along.
    """

    inputs: Any
    named: tuple[str, ...]
    target: Any
    columns: Mapping[str, Scalar]


@dataclass(frozen=True)
class Reading:
    """How items become examples.

    Attributes:
        signature: of the forward of the model that is given them; None where no model is known.
        names: of the classes in order of index, for targets that are text; None where they are not known.
        collate: what a DataLoader makes batches with; None where that is torch's own.
    """

    signature: Signature | None = None
    names: tuple[str, ...] | None = None
    collate: Collate | None = None

    def example(self, item: Any, row: int) -> Example:
        """An item as an example. Raises: DataError: it is nothing that a model takes."""
        if isinstance(item, Example):
            return item if item.media is not None else _pictured(item)
        item = self._collated(item)
        inputs, target, name, columns = item, None, str(row), {}
        if isinstance(item, Mapping):
            entries = self.entries(item, row)
            inputs, columns = entries.inputs, dict(entries.columns)
            target = None if entries.target is None else item[entries.target]
            name = str(value_of(item.get("id", row)))
        elif isinstance(item, tuple | list) and len(item) == 2:
            inputs, target = item
        elif isinstance(item, tuple | list):
            self._check_parts(item, row)
        one, soft, classes = target_of(self._class_of(target, row), f"example {row}")
        found = tensors_of(inputs, self.signature, row)
        return _pictured(Example(name, found, one, columns=columns, soft=soft, classes=classes))

    def words(self, item: Any, row: int) -> str:
        """What was made of an item, to be read after the error of a model that was given it; "" where nothing is to be said."""
        if isinstance(item, Example):
            return ""
        given, item = item, self._collated(item)
        sentences = []
        if self.collate is not None and item is given:
            sentences.append(
                "The collate_fn of the DataLoader is not used, for of one example it makes no batch of one: let the data set give "
                "what the model takes."
            )
        if isinstance(item, Mapping):
            entries = self.entries(item, row)
            parts = [] if entries.target is None else [f"{entries.target!r} is the target"]
            if entries.columns:
                parts.append(f"{_listed(tuple(entries.columns))} came along as {_columns(len(entries.columns))}")
            parts.append(f"the model was given {_listed(entries.named)}")
            sentences.append(
                f"Of the entries of an example, {'; '.join(parts)}. Items (inputs, target) say it otherwise."
            )
        if has_axis_of_one(self.example(item, row).inputs):
            sentences.append(
                "Its inputs begin with an axis of 1: if that is a batch axis, leave it out (x[0]), for one is added to every "
                "example."
            )
        return " ".join(sentences)

    def entries(self, item: Mapping[Any, Any], row: int) -> Entries:
        """The entries of a mapping. Raises: DataError: none is an input, or one would be left out that is no single number."""
        target = next((key for key in TARGET_KEYS if key in item), None)
        rest = {str(key): value_of(part) for key, part in item.items() if key not in (target, "id")}
        takes = self.signature
        given = [name for name in rest if takes is not None and name in takes.named]
        if takes is not None and given:
            given += _more(takes, rest, given, row)
        else:
            given = self._unnamed(rest)
        if not any(rest[name] is not None for name in given):
            kinds = ", ".join(f"{name} ({type(part).__name__})" for name, part in rest.items())
            raise DataError(
                f"Example {row} has no entry that is an input: it has {kinds or 'none'} beside the target. Expected tensors, "
                "arrays or numbers: make them of texts and images first."
            )
        columns = {name: _column(part) for name, part in rest.items() if name not in given}
        if len(given) == 1 and given[0] in INPUT_KEYS and self._comes_first(given[0]):
            return Entries(rest[given[0]], (given[0],), target, columns)
        return Entries({name: rest[name] for name in given}, tuple(given), target, columns)

    def _unnamed(self, rest: Mapping[str, Any]) -> list[str]:
        """The inputs where forward names none: an entry called so where all else is single, all tensors, or all numbers."""
        tensors = [name for name, part in rest.items() if not isinstance(part, _SCALARS)]
        lone = [name for name in INPUT_KEYS if name in tensors]
        by_name = self.signature is None or self.signature.any_name
        if lone and all(name == lone[0] or (not by_name and is_number(rest[name])) for name in tensors):
            return lone[:1]
        return tensors or [name for name, part in rest.items() if isinstance(part, int | float)]

    def _comes_first(self, name: str) -> bool:
        """Whether a lone input is forward's first argument, as far as anybody knows."""
        takes = self.signature
        if takes is None or takes.positional[:1] == (name,):
            return True
        return name not in takes.named and bool(takes.positional or takes.any_number)

    def _check_parts(self, item: Sequence[Any], row: int) -> None:
        """Refuses inputs of several parts where the last looks like a target, or forward takes fewer. Raises: DataError."""
        if len(item) < 3 or all(isinstance(part, int | float) for part in item):
            return
        takes = self.signature
        most = None if takes is None or takes.any_number else len(takes.positional)
        single = [part is None or isinstance(part, str) or is_number(part) for part in item]
        if (not single[-1] or all(single)) and (most is None or len(item) <= most):
            return
        names = ["first", "second", "third", "fourth", "fifth"]
        parts = names[: len(item)] if len(item) <= len(names) else ["first", "...", "last"]
        raise DataError(
            f"An item of {len(item)} parts is {len(item)} inputs, and the last of example {row} ({_shown(item[-1])}) looks like a "
            + ("target" if most is None or len(item) <= most else f"target: the model's forward takes {most}")
            + f". Give (inputs, target): (({', '.join(parts[:-1])}), {parts[-1]}), such as ((ids, mask), label); or "
            f"(({', '.join(parts)}), None) if the model takes them all."
        )

    def _class_of(self, target: Any, row: int) -> Any:
        """The class that a target names in text; another target as it is. Raises: DataError: no class has that name."""
        if not isinstance(target, str) or self.names is None:
            return target
        if target in self.names:
            return self.names.index(target)
        plain = [plain_name(name) for name in self.names]
        if plain_name(target) in plain:
            return plain.index(plain_name(target))
        raise DataError(
            f"The target of example {row} is {target!r}, which is no name of a class. They are {_listed(self.names)}."
        )

    def _collated(self, item: Any) -> Any:
        return item if self.collate is None or isinstance(item, Example) else collated(self.collate, item)


def _more(takes: Signature, rest: Mapping[str, Any], given: Sequence[str], row: int) -> list[str]:
    """Entries that are inputs beside those that forward names: tensors, where it takes any. Raises: DataError: it does not."""
    others = [name for name, part in rest.items() if name not in given and not isinstance(part, _SCALARS)]
    if takes.any_name:
        return others
    whole = [name for name in others if not is_number(rest[name])]
    if whole:
        raise DataError(
            f"Example {row} has {_listed(whole)} beside {_listed(given)}, and the model's forward takes no argument of that "
            f"name: it takes {', '.join(takes.positional)}. Leave it out of the examples, rename it, or say what the "
            "inputs are: (inputs, target)."
        )
    return []


def _column(part: Any) -> Scalar:
    return part if isinstance(part, _SCALARS) else part.item()


def _pictured(example: Example) -> Example:
    inputs = example.inputs
    if isinstance(inputs, Mapping):
        inputs = next((inputs[key] for key in INPUT_KEYS if key in inputs), inputs)
    return replace(example, media=picture_of_tensor(inputs))


def _columns(number: int) -> str:
    return "a column" if number == 1 else "columns"


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{few} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else few


def _shown(part: Any) -> str:
    shape = tuple(getattr(part, "shape", ()))
    if isinstance(part, _SCALARS) or not shape:
        return repr(value_of(part)) if isinstance(value_of(part), _SCALARS) else f"{part.item():g}"
    return f"of shape {shape}"
