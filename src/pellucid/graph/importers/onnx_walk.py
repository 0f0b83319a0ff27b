"""Walks an ONNX model's operators in order: into branches, loops and functions, with the names of the modules around them."""

from __future__ import annotations

import heapq
from collections import ChainMap
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pellucid.errors import ModelError
from pellucid.graph.importers import scopes
from pellucid.graph.importers.building import Builder, Draft, Kind, Scope, Value, text
from pellucid.graph.importers.onnx_loops import may_stop
from pellucid.graph.importers.onnx_operators import NOT_LEARNED, flops_of, multiplies, pool_in, role_of, steps_of
from pellucid.graph.importers.onnx_values import (
    FEW,
    initialisers,
    kind_of,
    setting_of,
    tensor_kind,
    tensor_size,
    told,
    whole_numbers,
)
from pellucid.graph.names import function_path

_OWN_DOMAINS = ("", "ai.onnx")
# Shapes, places and numbers of steps; weights that are quantised are of smaller types.
_NEVER_LEARNED = frozenset({"int64", "uint64", "bool", "string"})
_Values: TypeAlias = MutableMapping[str, Value]
_Kinds: TypeAlias = MutableMapping[str, Kind]
# Gives the body of a function for a call, with the kinds of what is in it.
Body: TypeAlias = Callable[[Any, Any, Sequence[Kind]], tuple[Sequence[Any], _Kinds]]
# Whether ONNX has an operator of that name in that version of its operators.
Defines: TypeAlias = Callable[[str, int], bool]


@dataclass(frozen=True)
class _Place:
    """Where an operator stands: the module opened around it, the pieces of that one's name, the functions it lies in."""

    path: str = ""
    pieces: tuple[str, ...] = ()
    functions: tuple[tuple[str, str, str], ...] = ()
    named: str = ""  # put before the names of parameters that belong to a branch

    def scopes(self, node: Any) -> tuple[tuple[Scope, ...], str]:
        """The modules around an operator, below this place, and what names the operator itself."""
        written = {entry.key: entry.value for entry in node.metadata_props}
        pieces, own = scopes.split(node.name, node.op_type)
        held = None
        if "pkg.torch.onnx.name_scopes" in written:
            held = scopes.listed(
                written["pkg.torch.onnx.name_scopes"], written.get("pkg.torch.onnx.class_hierarchy", "")
            )
            own = "" if held is not None else own
        if held is None:
            same = 0
            while same < min(len(pieces), len(self.pieces)) and pieces[same] == self.pieces[same]:
                same += 1
            held = scopes.nested(pieces[same:])
        if self.path:
            held = tuple(replace(scope, path=f"{self.path}.{scope.path}") for scope in held)
        return held, text(own)


class Walk:
    """Fills a builder with a model's operators.

    Attributes:
        domains: of operators that are not ONNX's, in order of appearance.
        undefined: operators that are said to be ONNX's and that it does not have, by the version that the model uses.
        missing: names that are read and that nothing makes.
    """

    def __init__(self, model: Any, builder: Builder, body: Body, defines: Defines) -> None:
        self.builder = builder
        self.domains: dict[str, None] = {}
        self.undefined: dict[int, dict[str, None]] = {}
        self.missing: list[str] = []
        self._model, self._body, self._defines = model, body, defines
        self._functions = {(one.domain, one.name, one.overload): one for one in model.functions}

    def model(self) -> None:
        """The whole of it: inputs, operators, outputs."""
        graph = self._model.graph
        values: _Values = {}
        self._parameters(graph, values, _Place())
        for held in graph.input:
            if held.name not in values:
                values[held.name] = self.builder.input(held.name, kind_of(held.type))
        self._nodes(graph.node, values, _kinds(graph), _Place())
        self.builder.output([self._read(values, held.name) for held in graph.output])

    def _parameters(self, graph: Any, values: _Values, place: _Place) -> None:
        for name, tensor in initialisers(graph):
            kind, size, whole = tensor_kind(tensor), tensor_size(tensor), whole_numbers(tensor)
            if kind.dtype in _NEVER_LEARNED:
                values[name] = Value(kind, whole=whole)
            else:
                values[name] = self.builder.parameter(place.named + name, size, kind, whole)

    def _nodes(self, nodes: Sequence[Any], values: _Values, kinds: _Kinds, place: _Place) -> None:
        for node, reader in _in_order(nodes, values):
            self._node(node, reader, values, kinds, place)

    def _node(self, node: Any, reader: Any, values: _Values, kinds: _Kinds, place: _Place) -> None:
        reads = [self._read(values, name) for name in node.input if name]
        around, own = place.scopes(node)
        if reader is not node and not around:
            around = place.scopes(reader)[0]
        self.builder.within(around)
        above = around[-1].path if around else place.path
        label = text(node.op_type)
        path = (f"{above}.{own}" if above else own) if own else function_path(above, label)
        key = (node.domain, node.op_type, node.overload)
        inside = replace(place, path=path, pieces=scopes.split(node.name, node.op_type)[0])
        if key in self._functions:
            made = self._call(node, key, reads, inside)
        else:
            if node.domain not in _OWN_DOMAINS:
                self.domains[text(node.domain)] = None
                label = f"{text(node.domain)}::{label}"
            elif (version := self._version(place)) and not self._defines(node.op_type, version):
                self.undefined.setdefault(version, {})[label] = None
            draft = self._draft(node, Draft("function", path, label, None, reads=reads))
            wanted = [kinds.get(name, Kind()) for name in node.output]
            graphs = [(text(held.name), held.g) for held in node.attribute if held.HasField("g")]
            graphs += [(f"{text(held.name)}[{place}]", one) for held in node.attribute
                       for place, one in enumerate(held.graphs)]  # fmt: skip
            if graphs:
                graphs.sort(key=lambda one: one[0] == "else_branch")
                made = self._around(node, draft, graphs, wanted, ChainMap({}, values), inside)
            else:
                made = self._operator(node, draft, wanted, inside)
        for name, value in zip(node.output, made, strict=False):
            if name:
                values[name] = value

    def _draft(self, node: Any, draft: Draft) -> Draft:
        """An operator with what its attributes and its metadata say."""
        attributes = {held.name: held for held in node.attribute}
        settings = {name: setting for name, held in attributes.items() if (setting := setting_of(held)) is not None}
        draft.role, draft.activation = role_of(node.op_type, settings, draft.reads)
        draft.arguments = told(attributes, settings)
        draft.steps = steps_of(node.op_type, settings, draft.reads)
        trace = next((held.value for held in node.metadata_props if held.key == "pkg.torch.onnx.stack_trace"), "")
        draft.source = scopes.source_line(trace) if trace else None
        return draft

    def _operator(self, node: Any, draft: Draft, kinds: Sequence[Kind], place: _Place) -> list[Value]:
        settings = {held.name: setting for held in node.attribute if (setting := setting_of(held)) is not None}
        draft.flops = flops_of(node.op_type, settings, draft.reads, kinds, self.builder.batch)
        draft.uncounted = draft.flops is None and multiplies(node.op_type, settings, draft.role)
        if draft.role == "pool" and draft.reads and kinds:
            draft.pool = pool_in(node.op_type, settings, draft.reads[0].kind, kinds[0])
        given = iter(draft.reads)
        for argument, name in enumerate(node.input):
            value = next(given, None) if name else None
            if value is not None and argument in NOT_LEARNED.get(node.op_type, ()):
                self.builder.forget(value)
        made = self.builder.operation(draft, kinds)
        if node.op_type == "Constant" and node.attribute and made:
            held = node.attribute[0]
            made[0].whole = _whole(held)
            if held.HasField("t") and tensor_size(held.t) > FEW and "float" in tensor_kind(held.t).dtype:
                # Exporters that fold everything leave the weights in constants.
                self.builder.keep(draft, f"{place.named}{node.output[0]}", tensor_size(held.t))
        return made

    # --- branches, loops, functions ---------------------------------------------------------------------------

    def _around(
        self, node: Any, draft: Draft, graphs: Sequence[tuple[str, Any]], kinds: Sequence[Kind], values: _Values, place: _Place
    ) -> list[Value]:  # fmt: skip
        """An operator that holds graphs: a module around them, and in it the operator, which reads what they give."""
        loop = node.op_type in ("Loop", "Scan")
        steps = _steps(node, draft.reads) if loop else None
        module = self.builder.open(
            Draft(
                "module", draft.path, draft.operation, None, steps=steps, source=draft.source, arguments=draft.arguments,
                holds="loop" if loop else "choice" if node.op_type == "If" else "all", early=may_stop(node),
            )
        )  # fmt: skip
        given: list[Value] = []
        for name, graph in graphs:
            within = replace(place, named=f"{place.named}{place.path}.{name}/")
            inner: _Values = ChainMap({}, values)
            self._parameters(graph, inner, within)
            state = self._starts(node, graph, draft.reads, inner) if loop else []
            if loop:
                self._nodes(graph.node, inner, _kinds(graph), within)
            else:
                path = f"{place.path}.{name}"
                branch = self.builder.open(Draft("module", path, name, None))
                self._nodes(graph.node, inner, _kinds(graph), replace(within, path=path))
                self.builder.close(branch)
            ends = [self._read(inner, held.name) for held in graph.output]
            # Of a Loop, whether to go on comes first; then, as of a Scan, what the next step starts with.
            for value, end in zip(state, ends[1:] if node.op_type == "Loop" else ends, strict=False):
                value.feeds_back.append(end)
            given += ends
        draft.path, draft.steps, draft.arguments = function_path(draft.path, "result"), steps, {}
        draft.reads = [*draft.reads, *given]
        made = self.builder.operation(draft, kinds)
        self.builder.close(module)
        return made

    def _starts(self, node: Any, graph: Any, reads: Sequence[Value], inner: _Values) -> list[Value]:
        """Lets the names inside stand for what the first step starts with; gives what is fed back, in order."""
        given = iter(reads)
        outer: list[Value | None] = [next(given) if name else None for name in node.input]
        if node.op_type == "Loop":
            if outer:
                outer[0] = None  # the number of steps comes in, and the number of the step goes on
            fed = range(2, len(graph.input))
        else:
            fed = range(len(graph.input) - _scanned(node))
        state: list[Value] = []
        for place, held in enumerate(graph.input):
            start = outer[place] if place < len(outer) else None
            value = inner[held.name] = Value(kind_of(held.type), follows=[start] if start is not None else [])
            if place in fed:
                state.append(value)
        return state

    def _call(self, node: Any, key: tuple[str, str, str], reads: list[Value], place: _Place) -> list[Value]:
        """A function of the model's own: a module that holds what it is made of."""
        function = self._functions[key]
        module = self.builder.open(Draft("module", place.path, text(key[1]), None))
        given = iter(reads)
        by_place = [next(given) if name else Value() for name in node.input]
        inner: _Values = dict(zip(function.input, by_place, strict=False))
        nodes, kinds = self._body(function, node, [value.kind for value in by_place])
        self._nodes(
            nodes, inner, kinds, replace(place, functions=(*place.functions, key), named=f"{key[0]}::{key[1]}/")
        )
        made = [self._read(inner, name) for name in function.output]
        self.builder.close(module)
        return made

    def _version(self, place: _Place) -> int:
        """The version of ONNX's operators that is used there; 0 where the model does not say."""
        holders = [self._functions[place.functions[-1]]] if place.functions else []
        for holder in (*holders, self._model):
            for opset in holder.opset_import:
                if opset.domain in _OWN_DOMAINS:
                    return int(opset.version)
        return 0

    def _read(self, values: _Values, name: str) -> Value:
        if name not in values:
            self.missing.append(text(name))
            values[name] = Value()
        return values[name]


def _kinds(graph: Any) -> dict[str, Kind]:
    return {held.name: kind_of(held.type) for part in (graph.value_info, graph.output) for held in part}


def _whole(attribute: Any) -> tuple[int, ...] | None:
    """The numbers of a Constant, where they are whole and few."""
    if attribute.name == "value" and attribute.HasField("t"):
        return whole_numbers(attribute.t)
    held = setting_of(attribute)
    if isinstance(held, int):
        return (held,)
    return tuple(one for one in held if isinstance(one, int)) if isinstance(held, tuple) and len(held) <= 8 else None


def _steps(node: Any, reads: Sequence[Value]) -> int | None:
    """How often a Loop runs where its count is a constant; over how many places a Scan goes."""
    if node.op_type == "Loop":
        count = reads[0].whole if reads and node.input and node.input[0] else None
        return count[0] if count is not None and len(count) == 1 and 0 <= count[0] < 2**31 else None
    scanned = _scanned(node)
    shape = reads[-1].kind.shape if 0 < scanned <= len(reads) else None
    axes = next((held.ints for held in node.attribute if held.name == "scan_input_axes"), ())
    axis = axes[-1] if axes else 0
    length = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    return length if isinstance(length, int) and length >= 0 else None


def _scanned(node: Any) -> int:
    return next((int(held.i) for held in node.attribute if held.name == "num_scan_inputs"), 0)


def _in_order(nodes: Sequence[Any], values: _Values) -> list[tuple[Any, Any]]:
    """Operators so that each comes after what it reads, as ONNX demands; files that do not are put in order.

    What depends on nothing (constants, wherever an exporter left them) comes before the first that reads it. Each operator
    has that reader beside it, or itself where it keeps its place.

    Raises: ModelError: they read each other in a circle.
    """
    made: dict[str, int] = {}
    for place, node in enumerate(nodes):
        for name in node.output:
            if name and name not in values:
                made.setdefault(name, place)
    needs = [sorted({made[name] for name in _names_read(node) if name in made}) for node in nodes]
    order = _sorted(nodes, needs)
    free = [not any(node.input) and not any(_graphs(node)) for node in nodes]
    placed = [False] * len(nodes)
    ordered: list[tuple[Any, Any]] = []
    for place in order:
        if free[place]:
            continue
        for needed in needs[place]:
            if free[needed] and not placed[needed]:
                placed[needed] = True
                ordered.append((nodes[needed], nodes[place]))
        ordered.append((nodes[place], nodes[place]))
    # Those that only the graph's outputs read, or nothing.
    ordered += [(nodes[place], nodes[place]) for place in order if free[place] and not placed[place]]
    return ordered


def _sorted(nodes: Sequence[Any], needs: Sequence[Sequence[int]]) -> Sequence[int]:
    if all(place > max(needed, default=-1) for place, needed in enumerate(needs)):
        return range(len(nodes))
    waiting = [len(needed) for needed in needs]
    readers: list[list[int]] = [[] for _ in nodes]
    for place, needed in enumerate(needs):
        for one in needed:
            readers[one].append(place)
    ready = [place for place, count in enumerate(waiting) if not count]
    ordered: list[int] = []
    while ready:
        place = heapq.heappop(ready)
        ordered.append(place)
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(ordered) < len(nodes):
        stuck = next(place for place, count in enumerate(waiting) if count)
        raise ModelError(
            f"The operator '{text(nodes[stuck].name or nodes[stuck].op_type)}' of this ONNX model reads what is made from "
            "its own output: there is no order to run it in. The file is damaged."
        )
    return ordered


def _graphs(node: Any) -> Iterable[Any]:
    """The graphs in an operator's attributes."""
    for held in node.attribute:
        if held.HasField("g"):
            yield held.g
        yield from held.graphs


def _names_read(node: Any) -> Iterable[str]:
    """What an operator reads, and what the graphs in it read from around them."""
    yield from (name for name in node.input if name)
    for graph in _graphs(node):
        for inner in graph.node:
            yield from _names_read(inner)
        yield from (output.name for output in graph.output)
