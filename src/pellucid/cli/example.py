"""What a model is called with to draw its graph: `--input` as it was typed, its own example, or what its recipe makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pellucid.cli.options import whole_numbers
from pellucid.errors import OptionError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pellucid.graph import Graph
    from pellucid.models import Inputs, OpenedModel

_TYPES = {"int": "int64", "float": "float32", "bool": "bool"}
_FORM = "--input takes [NAME=]SHAPE[:TYPE], like 1,3,224,224 or 1,16:int or mask=1,16:bool"
# What torch says where whole numbers are needed: a sentence that names one of these types.
_WANTS_WHOLE = re.compile(r"\b(long|longtensor|int64|int32/int64)\b", re.IGNORECASE)
# Layers that take an example without a batch axis where one axis is missing.
_OVER_SPACE = re.compile(r"(?:conv|pool)\w*?([123])d$", re.IGNORECASE)


@dataclass(frozen=True)
class Argument:
    """Zeros that one argument of the forward is given.

    Attributes:
        name: of the argument; "" by place.
        shape: of the zeros.
        type: of torch, by its name; "" where none was typed: floating-point numbers, unless the forward wants others.
    """

    name: str
    shape: tuple[int, ...]
    type: str = ""

    def zeros(self) -> torch.Tensor:
        """The argument itself. Raises: OptionError: it is larger than any tensor, or than memory."""
        import torch

        try:
            return torch.zeros(self.shape, dtype=getattr(torch, self.type or "float32"))
        except (RuntimeError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise OptionError(f"--input {self.typed} cannot be made: {reason}") from error

    def __str__(self) -> str:
        of = f" of {self.type}" if self.type else ""
        return f"{self.name and f'{self.name} = '}zeros of shape {self.shape}{of}"

    @property
    def typed(self) -> str:
        """As it is typed."""
        shape = ",".join(map(str, self.shape))
        type_ = next((short for short, long in _TYPES.items() if long == self.type), self.type)
        return f"{self.name and f'{self.name}='}{shape}{type_ and f':{type_}'}"


def arguments(typed: Sequence[str]) -> tuple[Argument, ...]:
    """The arguments that `--input` names, in order. Raises: OptionError."""
    found = tuple(map(_argument, typed))
    names = [one.name for one in found if one.name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"--input gives the argument '{twice}' twice.")
    return found


def _argument(typed: str) -> Argument:
    name, named, rest = typed.rpartition("=")
    shape, colon, type_ = rest.partition(":")
    if named and not name.isidentifier():
        raise OptionError(f"{_FORM}; the name {name!r} is none that an argument can have.")
    sizes = whole_numbers(shape, "--input")
    if colon:
        import torch

        type_ = _TYPES.get(type_, type_)
        if not isinstance(getattr(torch, type_, None), torch.dtype):
            raise OptionError(
                f"{_FORM}; the type {type_!r} is not int, float, bool or another of torch's (float16, int32)."
            )
    return Argument(name, sizes or (), type_)


@dataclass(frozen=True)
class Called:
    """A graph and what it was traced with.

    Attributes:
        words: what the model was called with.
        notes: what a person should know about that, in sentences.
    """

    graph: Graph
    words: str
    notes: tuple[str, ...] = ()


def traced(opened: OpenedModel, asked: Sequence[Argument]) -> Called:
    """The graph of a model that was opened.

    Where the forward says that it needs whole numbers and no type was asked for, the arguments that reach the call which
    says so become whole numbers; this is kept where the forward gets further by it, and told.

    Raises: OptionError: nothing says what the model takes.
    """
    from pellucid.graph import trace

    if not asked and opened.example is not None:
        example = opened.example
        graph = trace(opened.model, *example.args, **example.kwargs)
        return Called(replace(graph, batch=example.batch or graph.batch), "the example that comes with it")
    given = tuple(asked) or (Argument("", _prepared(opened)),)
    graph = _traced(opened.model, given)
    told: tuple[str, ...] = ()
    while (whole := _with_whole_numbers(graph, given)) is not None:
        further = _traced(opened.model, whole)
        if further.error is not None and _stopped(further) <= _stopped(graph):
            break
        graph, given = further, whole
        said = " ".join(f"--input {one.typed}" for one in given)
        told = (f"Its forward takes whole numbers, which it was given: {said}",)
    if asked:
        told += tuple(_batch(graph, given))
    return Called(graph, ", ".join(map(str, given)), told)


def _traced(model: nn.Module, given: Sequence[Argument]) -> Graph:
    from pellucid.graph import trace

    inputs = _inputs(given)
    return trace(model, *inputs.args, **inputs.kwargs)


def _inputs(given: Sequence[Argument]) -> Inputs:
    from pellucid.models import Inputs

    by_place = tuple(one.zeros() for one in given if not one.name)
    return Inputs(by_place, {one.name: one.zeros() for one in given if one.name})


def _prepared(opened: OpenedModel) -> tuple[int, ...]:
    """The shape of one image as the model wants it. Raises: OptionError: nothing says it."""
    recipe = opened.recipe
    if recipe is None or (side := recipe.crop or recipe.size) is None:
        raise OptionError(
            "This model does not say what it takes: give the shape of its input, --input 1,3,224,224 (whole numbers: "
            "--input 1,16:int; several arguments: once for each)."
        )
    return (1, 1 if recipe.grayscale else 3, *side)


# --- whole numbers ----------------------------------------------------------------------------------------------


def _with_whole_numbers(graph: Graph, given: Sequence[Argument]) -> tuple[Argument, ...] | None:
    """The arguments with whole numbers where the forward asked for some; None where it did not, or types were asked for."""
    if graph.error is None or not _WANTS_WHOLE.search(graph.error):
        return None
    reaching = _reaching(graph, _stopped(graph))
    changed = tuple(
        replace(one, type="int64") if not one.type and number in reaching else one
        for number, one in zip(_numbers(graph, given), given, strict=True)
    )
    return changed if changed != tuple(given) else None


def _stopped(graph: Graph) -> int:
    """The call in which the forward stopped; others may have raised before, and the model caught it."""
    failed = (node.id for node in reversed(graph.nodes) if node.error and (graph.error or "").startswith(node.error))
    return next(failed, -1)


def _reaching(graph: Graph, target: int) -> set[int]:
    """Every call that a call depends on, and itself."""
    found = {target}
    for edge in sorted(graph.edges, key=lambda edge: edge.target, reverse=True):
        if edge.target in found:
            found.add(edge.source)
    return found


def _numbers(graph: Graph, given: Sequence[Argument]) -> Iterator[int | None]:
    """The graph's input that each argument is: by its name, or the next by place."""
    inputs = [node for node in graph.nodes if node.kind == "input"]
    names = {one.name for one in given if one.name}
    by_place = iter([node.id for node in inputs if node.path not in names])
    named = {node.path: node.id for node in inputs}
    for one in given:
        yield named.get(one.name) if one.name else next(by_place, None)


# --- the batch --------------------------------------------------------------------------------------------------


def _batch(graph: Graph, given: Sequence[Argument]) -> Iterator[str]:
    """Says what the first axis was taken for, where it is not one example."""
    first = given[0]
    if first.shape[0] == 1 or graph.batch != first.shape[0]:
        return
    each = f"of shape {','.join(map(str, first.shape[1:]))}" if first.shape[1:] else "of one number each"
    said = f"The first axis of --input counts examples: {first.typed} is {first.shape[0]:,} examples {each}"
    bare = next((node for node in graph.nodes if node.inputs and _takes_no_batch(node.operation, node.inputs[0])), None)
    if bare is None:
        yield f"{said}."
        return
    one = replace(first, shape=(1, *first.shape))
    yield f"{said}. But {bare.name} ({bare.operation}) read it as one without that axis: give --input {one.typed}"


def _takes_no_batch(operation: str, shape: Sequence[int]) -> bool:
    axes = _OVER_SPACE.search(operation)
    return axes is not None and len(shape) == int(axes.group(1)) + 1
