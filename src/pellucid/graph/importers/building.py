"""Makes a graph of what a file lists: operations in order, the scopes they lie in, and the values that pass between them."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias

from pellucid.errors import ModelError
from pellucid.graph.importers.costs import Costs
from pellucid.graph.names import CallNames, Role
from pellucid.graph.structure import Edge, Graph, Node, Shape
from pellucid.record.schema import Pool

# A model of this many operations is none; a file can ask for more in a few bytes, by functions that call functions.
MOST_NODES = 500_000
# Names come from strangers: longer ones are cut, deeper ones stay in one piece.
LONGEST_NAME = 200
DEEPEST = 64

Size: TypeAlias = int | str
_BITS = {"bool": 8, "string": 0, "complex64": 64, "complex128": 128, "": 0}


def text(name: str, longest: int = LONGEST_NAME) -> str:
    """A name from a file as one line of text that ends somewhere; two that are cut stay different."""
    if name.isascii() and name.isprintable() and len(name) <= longest:
        return name
    plain = "".join("\ufffd" if unicodedata.category(one)[0] == "C" else one for one in name[: 4 * longest])
    if len(name) <= longest:
        return plain
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[: longest - 10]}…{mark}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Shape and type of a value. A size that depends on the input is its name; None is a shape that nobody tells."""

    shape: tuple[Size, ...] | None = None
    dtype: str = ""

    @property
    def shown(self) -> Shape:
        """As the graph holds it: -1 for sizes that are not fixed; (-1,) where not even the number of axes is known."""
        return (-1,) if self.shape is None else _shown(self.shape)

    def sizes(self, batch: str | None) -> tuple[int, ...] | None:
        """For one example, where the size of that name counts examples; None where another size is not fixed."""
        return None if self.shape is None else _sizes(self.shape, batch)

    def bytes(self, batch: str | None) -> int:
        """Memory that one such value takes; 0 where it cannot be told."""
        sizes = self.sizes(batch)
        return 0 if sizes is None else (math.prod(sizes) * bits_of(self.dtype) + 7) // 8


@lru_cache(maxsize=4096)
def _shown(shape: tuple[Size, ...]) -> Shape:
    return tuple(size if isinstance(size, int) else -1 for size in shape)


@lru_cache(maxsize=4096)
def _sizes(shape: tuple[Size, ...], batch: str | None) -> tuple[int, ...] | None:
    sizes = tuple(1 if size == batch and isinstance(size, str) else size for size in shape)
    fixed = tuple(size for size in sizes if isinstance(size, int) and size >= 0)
    return fixed if len(fixed) == len(sizes) else None


@lru_cache(maxsize=256)
def bits_of(dtype: str) -> int:
    """Bits of one number of a type by its name ("float32", "float8e5m2", "int4")."""
    if dtype in _BITS:
        return _BITS[dtype]
    digits = "".join(one if one.isdigit() else " " for one in dtype).split()
    return int(digits[0]) if digits and len(digits[0]) < 4 else 0


@dataclass(eq=False, slots=True)
class Value:
    """What one operation makes and others read.

    Attributes:
        source: the draft that makes it and which of its outputs it is; None for parameters.
        parameter: the name of the parameter that it is, as the graph counts it.
        follows: values that it stands for: what a loop starts with, and what it feeds back.
        feeds_back: of those, which come from the step before.
        whole: its numbers, where they are whole, few and known.
    """

    kind: Kind = Kind()
    source: tuple[int, int] | None = None
    parameter: str | None = None
    follows: list[Value] = field(default_factory=list)
    feeds_back: list[Value] = field(default_factory=list)
    whole: tuple[int, ...] | None = None

    def sources(self) -> list[tuple[int, int, bool]]:
        """Who makes it, which output of theirs it is, and whether it comes from the step before."""
        found: dict[tuple[int, int, bool], None] = {}
        seen: set[tuple[int, bool]] = set()
        waiting: list[tuple[Value, bool]] = [(self, False)]
        while waiting:
            value, back = waiting.pop()
            if (id(value), back) in seen:
                continue
            seen.add((id(value), back))
            if value.source is not None:
                found[(*value.source, back)] = None
            waiting += [(one, True) for one in reversed(value.feeds_back)]
            waiting += [(one, back) for one in reversed(value.follows)]
        return list(found)


@dataclass(slots=True)
class Draft:
    """A node that is being made; the words are Node's.

    Attributes:
        holds: how what lies in it runs: all of it once, one of several branches, or a loop of `steps`.
        early: whether the loop may end before its last step.
        uncounted: whether it multiplies matrices and what that costs is not known.
    """

    kind: Literal["module", "function", "input", "output"]
    path: str
    operation: str
    parent: int | None
    scope: bool = False
    reads: list[Value] = field(default_factory=list)
    makes: list[Value] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)
    flops: int | None = None
    source: str | None = None
    role: Role = "other"
    activation: str | None = None
    channel_last: bool | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    pool: Pool | None = None
    error: str | None = None
    holds: Literal["all", "choice", "loop"] = "all"
    early: bool = False
    uncounted: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """A module that encloses operations, as their names tell: its full path and its class, where that is known."""

    path: str
    operation: str = "Module"


class Builder:
    """Collects drafts in order and seals them into a graph.

    Scopes that follow from names open and close by themselves; `open` and `close` put something around what comes next.

    Attributes:
        batch: the name of the size that counts examples; memory is told for one.
        classes: whether an operation that is alone in a scope is called by the scope's class, where that is known.
        sizes: how many numbers each parameter holds, by name.
    """

    def __init__(self, batch: str | None = None, *, classes: bool = False) -> None:
        self.batch, self.classes = batch, classes
        self.sizes: dict[str, int] = {}
        self._drafts: list[Draft] = []
        self._stack: list[int] = []
        self._fixed = 0  # how much of the stack was opened on purpose

    def input(self, name: str, kind: Kind) -> Value:
        """What goes into the model."""
        self._unscope(0)
        shown = text(name) or "input"
        value = Value(kind, (self._add(Draft("input", shown, "input", None)), 0))
        self._drafts[-1].makes.append(value)
        return value

    def output(self, values: Sequence[Value]) -> None:
        """What comes out of it."""
        self._unscope(0)
        self._add(Draft("output", "output", "output", None, reads=list(values)))

    def parameter(self, name: str, size: int, kind: Kind, whole: tuple[int, ...] | None = None) -> Value:
        """A parameter; the same name is the same parameter."""
        self.sizes[name] = size
        return Value(kind, parameter=name, whole=whole)

    def forget(self, value: Value) -> None:
        """What was taken for a parameter is none: a running statistic."""
        if value.parameter is not None:
            self.sizes.pop(value.parameter, None)
            value.parameter = None

    def within(self, scopes: Sequence[Scope]) -> None:
        """Lets what comes next lie in these scopes, outermost first."""
        wanted = scopes[:DEEPEST]
        held = self._stack[self._fixed :]
        same = 0
        while same < min(len(held), len(wanted)) and self._drafts[held[same]].path == wanted[same].path:
            same += 1
        self._unscope(same)
        for scope in wanted[same:]:
            self._push(Draft("module", scope.path, scope.operation, self._top(), scope=True))

    def open(self, draft: Draft) -> int:
        """Begins a module that holds what comes next, until it is closed; gives its number."""
        draft.parent = self._top()
        self._push(draft)
        self._fixed = len(self._stack)
        return self._stack[-1]

    def close(self, number: int) -> None:
        """Ends a module; scopes that it lies in begin anew where they are needed."""
        while self._stack and self._stack.pop() != number:
            pass
        self._fixed = next(
            (place for place in range(len(self._stack), 0, -1) if not self._drafts[self._stack[place - 1]].scope), 0
        )

    def operation(self, draft: Draft, kinds: Iterable[Kind]) -> list[Value]:
        """An operation; what it makes, of these kinds."""
        draft.parent = self._top()
        number = self._add(draft)
        draft.makes = [Value(kind, (number, place)) for place, kind in enumerate(kinds)]
        draft.parameters = {
            value.parameter: self.sizes[value.parameter] for value in draft.reads if value.parameter is not None
        }
        return draft.makes

    def keep(self, draft: Draft, name: str, size: int) -> None:
        """Counts numbers that an operation holds itself as a parameter of its own."""
        self.sizes[name] = draft.parameters[name] = size

    def seal(self, *, batch: int = 1, reason: str = "", error: str | None = None) -> Graph:
        """The graph of all that."""
        return _Sealed(self._drafts, self.sizes, self.batch, self.classes).graph(batch, reason, error)

    # --- how --------------------------------------------------------------------------------------------------

    def _top(self) -> int | None:
        return self._stack[-1] if self._stack else None

    def _unscope(self, kept: int) -> None:
        """Closes all scopes but the first so many."""
        del self._stack[self._fixed + kept :]

    def _push(self, draft: Draft) -> None:
        self._stack.append(self._add(draft))

    def _add(self, draft: Draft) -> int:
        if len(self._drafts) >= MOST_NODES:
            raise ModelError(
                f"The file asks for more than {MOST_NODES:,} operations and modules, functions written out. No graph of "
                "that size can be shown; is the file what it claims to be?"
            )
        self._drafts.append(draft)
        return len(self._drafts) - 1


class _Sealed:
    """Drafts as nodes: scopes around a single operation are that operation."""

    def __init__(self, drafts: list[Draft], sizes: dict[str, int], batch: str | None, classes: bool) -> None:
        self.drafts, self.sizes, self.batch, self.classes = drafts, sizes, batch, classes
        children: list[list[int]] = [[] for _ in drafts]
        for number, draft in enumerate(drafts):
            if draft.parent is not None:
                children[draft.parent].append(number)
        self.gone = {number for number, draft in enumerate(drafts) if self._is_alone(draft, children[number])}
        self.holds = [bool(inside) for inside in children]
        self.ids: list[int] = []
        following = 0
        for number in range(len(drafts)):
            self.ids.append(following)
            following += number not in self.gone
        self.above: list[list[int]] = []  # those that hold a draft, outermost first, without what is gone
        for draft in drafts:
            held = [] if draft.parent is None else self.above[draft.parent]
            self.above.append(held if draft.parent is None or draft.parent in self.gone else [*held, draft.parent])
        count = len(drafts)
        self.entering: list[dict[tuple[int, int], Kind]] = [{} for _ in range(count)]
        self.leaving: list[dict[tuple[int, int], Kind]] = [{} for _ in range(count)]
        self.below: list[dict[str, int]] = [dict(draft.parameters) for draft in drafts]
        self.costs = Costs(drafts)
        self.operators = [int(draft.kind != "input" and draft.kind != "output" and not inside)
                          for draft, inside in zip(drafts, children, strict=True)]  # fmt: skip
        self.reached = [draft.kind == "input" for draft in drafts]

    def _is_alone(self, draft: Draft, inside: list[int]) -> bool:
        """Whether a scope is a name for the only operation in it."""
        return draft.scope and len(inside) == 1 and self.drafts[inside[0]].kind == "function"

    def graph(self, batch: int, reason: str, error: str | None) -> Graph:
        edges = self._edges()
        for number in range(len(self.drafts) - 1, -1, -1):
            parent = self.drafts[number].parent
            if parent is None:
                continue
            self.below[parent].update(self.below[number])
            self.operators[parent] += self.operators[number]
        names = CallNames()
        nodes = tuple(self._node(number, names) for number in range(len(self.drafts)) if number not in self.gone)
        top = [number for number, draft in enumerate(self.drafts) if draft.parent is None]
        total = sum(self.sizes.values())
        read = set().union(*(draft.parameters for draft in self.drafts))
        return Graph(
            nodes=nodes,
            edges=tuple(edges),
            parameters=total,
            trainable=total,
            flops=self.costs.total,
            unused=tuple(text(name) for name in self.sizes if name not in read),
            backend="file",
            error=error,
            batch=batch,
            backend_reason=" ".join(filter(None, (reason, *self.costs.notes))),
            operators=sum(self.operators[number] for number in top),
        )

    def _edges(self) -> list[Edge]:
        """Who reads whom; and what enters and leaves every module by that."""
        edges: list[Edge] = []
        for target, draft in enumerate(self.drafts):
            for argument, value in enumerate(draft.reads):
                for source, output, back in value.sources():
                    maker = self.drafts[source]
                    edges.append(
                        Edge(self.ids[source], self.ids[target], output, argument, value.kind.shown, maker.activation, back)
                    )  # fmt: skip
                    self.reached[target] = self.reached[target] or self.reached[source]
                    self._cross(source, target, output, value.kind)
        return edges

    def _cross(self, source: int, target: int, output: int, kind: Kind) -> None:
        out, into = self.above[source], self.above[target]
        same = 0
        while same < min(len(out), len(into)) and out[same] == into[same]:
            same += 1
        for module in into[same:]:
            self.entering[module].setdefault((source, output), kind)
        for module in out[same:]:
            self.leaving[module].setdefault((source, output), kind)

    def _node(self, number: int, names: CallNames) -> Node:
        draft, holder = self.drafts[number], None
        if draft.parent in self.gone:
            holder = self.drafts[draft.parent]
        path = holder.path if holder is not None else draft.path
        name, call = (path, 1) if draft.kind in ("input", "output") else names.module(path)
        if self.holds[number]:
            inputs, outputs = list(self.entering[number].values()), list(self.leaving[number].values())
            reached = any(self.reached[source] for source, _ in self.leaving[number])
            first = next(iter(self.leaving[number]), None)
            origin = self.ids[first[0]] if first is not None else None
            own = 0
        else:
            inputs, outputs = [value.kind for value in draft.reads], [value.kind for value in draft.makes]
            reached, origin, own = self.reached[number], self.ids[number], sum(draft.parameters.values())
        parameters = sum(self.below[number].values())
        above = self.above[number]
        return Node(
            id=self.ids[number],
            name=name,
            path=path,
            operation=holder.operation if holder and self.classes and holder.operation != "Module" else draft.operation,
            kind="module" if holder is not None else draft.kind,
            parent=self.ids[above[-1]] if above else None,
            call=call,
            inputs=tuple(kind.shown for kind in inputs),
            outputs=tuple(kind.shown for kind in outputs),
            input_dtypes=tuple(kind.dtype for kind in inputs),
            output_dtypes=tuple(kind.dtype for kind in outputs),
            parameters=parameters,
            own_parameters=own,
            trainable=parameters,
            flops=self.costs.flops[number],
            memory=sum(kind.bytes(self.batch) for kind in outputs),
            source=draft.source,
            role=draft.role,
            activation=draft.activation,
            origin=origin,
            channel_last=draft.channel_last,
            reached=reached,
            floating=bool(outputs) and "float" in outputs[0].dtype,
            arguments=draft.arguments,
            operators=self.operators[number],
            steps=draft.steps,
            pool=draft.pool,
            error=draft.error,
        )
