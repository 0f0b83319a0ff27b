"""Graphs from programs of torch.export: from memory, or from a .pt2 file, which unpickles when it is opened."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import fx

from pellucid.errors import ModelError, TrustError
from pellucid.graph.arguments import texts
from pellucid.graph.importers.building import Builder, Draft, Kind, Scope, Value, text
from pellucid.graph.importers.operator_flops import flops_of_call
from pellucid.graph.importers.scopes import source_line
from pellucid.graph.names import function_path, function_role
from pellucid.graph.pooling import pool_of_function
from pellucid.graph.structure import Graph

_NESTED = {"cond": "branch", "while_loop": "loop", "scan": "loop", "map_impl": "loop"}
_HOLDS: dict[str, Literal["choice", "loop"]] = {
    "cond": "choice", "while_loop": "loop", "scan": "loop", "map_impl": "loop", "associative_scan": "loop",
}  # fmt: skip
_SCANNED = {"scan": 2, "map_impl": 1}  # which argument is walked through, along its first axis
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def read_program(path: Path, *, trust: bool = False) -> Graph:
    """The graph of a program that torch.export.save wrote.

    Raises: TrustError: without `trust`. ModelError: damaged, or written by a torch whose programs this one cannot read.
    """
    if not trust:
        raise TrustError(
            f"{path} is a program of torch.export: opening it unpickles, which can run any code from the file. If you know "
            "where it comes from, open it with --trust. An ONNX file (torch.onnx.export) needs no trust."
        )
    try:
        program = torch.export.load(path)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"{path} cannot be opened as a program of torch.export by torch {torch.__version__}: {type(error).__name__}: "
            f"{text(reason)}. Is the file whole, and was it saved by a torch of about this version?"
        ) from error
    return graph_of_program(program)


def graph_of_program(program: torch.export.ExportedProgram) -> Graph:
    """The graph of an exported program: its operators, in the modules that they were called in.

    An operator that is alone in its module is that module. Sizes that the program leaves open are -1. FLOPs are those of one
    example where the size of the batch is open.
    """
    return _Program(program).graph()


class _Program:
    """One program on its way to a graph."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.signature = program.graph_signature
        batch, self.size = self._batch()
        self.builder = Builder(batch, classes=True)
        self.values: dict[fx.Node, list[Value]] = {}
        self.same: dict[tuple[Any, ...], str] = {}

    def graph(self) -> Graph:
        names = {spec.arg.name: spec for spec in self.signature.input_specs if hasattr(spec.arg, "name")}
        module = self.program.graph_module
        for node in module.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = [self._comes_in(node, names.get(node.name))]
        self._run(module, "")
        return self.builder.seal(batch=self.size)

    def _batch(self) -> tuple[str | None, int]:
        """The name of the size that counts examples, where it is open; else how many there are."""
        wanted = set(self.signature.user_inputs)
        for node in self.program.graph.nodes:
            kinds = _kinds(node.meta.get("val")) if node.op == "placeholder" and node.name in wanted else []
            if kinds and kinds[0].shape:
                first = kinds[0].shape[0]
                return (first, 1) if isinstance(first, str) else (None, first)
        return None, 1

    def _comes_in(self, node: fx.Node, spec: Any) -> Value:
        kind = next(iter(_kinds(node.meta.get("val"))), Kind())
        if spec is None or spec.kind.name == "USER_INPUT":
            return self.builder.input(node.name, kind)
        if spec.kind.name != "PARAMETER":
            return Value(kind)
        tensor = self.program.state_dict.get(spec.target)
        name = str(spec.target)
        if isinstance(tensor, torch.Tensor):
            # Tied parameters are one, whatever they are called.
            place = tensor.data_ptr() if tensor.device.type != "meta" else 0
            key = (place, tuple(tensor.shape), tensor.stride()) if place else (id(tensor),)
            name = self.same.setdefault(key, name)
            return self.builder.parameter(name, tensor.numel(), kind)
        sizes = kind.sizes(None)
        return self.builder.parameter(name, torch.Size(sizes).numel() if sizes is not None else 0, kind)

    def _run(self, module: fx.GraphModule, prefix: str) -> list[Value]:
        """Everything that a graph calls; what it gives."""
        for node in module.graph.nodes:
            if node.op == "call_function":
                self._call(module, node, prefix)
            elif node.op == "output":
                given = self._read(node.args)
                if not prefix:
                    self.builder.output(given)
                return given
        return []

    def _call(self, module: fx.GraphModule, node: fx.Node, prefix: str) -> None:
        if node.target is operator.getitem and isinstance(node.args[0], fx.Node):
            # Which output of several it is: no operation, but the end of an edge.
            made, place = self.values.get(node.args[0], []), node.args[1]
            self.values[node] = [made[place]] if isinstance(place, int) and -len(made) <= place < len(made) else []
            return
        around = _scopes(node, prefix)
        self.builder.within(around)
        above = around[-1].path if around else prefix
        name = _name(node.target)
        draft = Draft("function", function_path(above, name), name, None, reads=self._read((node.args, node.kwargs)))
        draft.source = source_line(node.meta.get("stack_trace") or "")
        draft.role, draft.activation = function_role(name)
        draft.flops, draft.uncounted = flops_of_call(node, self.builder.batch)
        graphs = [one for one in _flat(node.args) if one.op == "get_attr" and _graph_of(module, one) is not None]
        kinds = _kinds(node.meta.get("val"))
        if graphs:
            self.values[node] = self._around(module, node, draft, graphs, kinds)
            return
        settings = _settings(node)
        draft.arguments = texts(settings)
        first = draft.reads[0].kind if draft.reads else Kind()
        if name in _RECURRENT:
            draft.steps = _steps(settings, first)
        if kinds and first.shape is not None and kinds[0].shape is not None:
            draft.pool = pool_of_function(name, settings, first.shown, kinds[0].shown)
            draft.role = "pool" if draft.pool is not None else draft.role
        self.values[node] = self.builder.operation(draft, kinds)

    def _around(
        self, module: fx.GraphModule, node: fx.Node, draft: Draft, graphs: Sequence[fx.Node], kinds: Sequence[Kind]
    ) -> list[Value]:
        """An operator that holds graphs: a module around them, and in it the operator, which reads what they give."""
        kind = _NESTED.get(draft.operation, "branch")
        holder = Draft("module", draft.path, draft.operation, None, source=draft.source)
        holder.holds = _HOLDS.get(draft.operation, "all")
        if draft.operation in _SCANNED and len(node.args) > _SCANNED[draft.operation]:
            holder.steps = _length(self._read(node.args[_SCANNED[draft.operation]]))
        around = self.builder.open(holder)
        given: list[Value] = []
        operands = self._read(node.args[node.args.index(graphs[-1]) + 1 :]) if graphs[-1] in node.args else draft.reads
        carried = node.args[2 if draft.operation == "while_loop" else 1] if kind == "loop" else ()
        count = len(carried) if isinstance(carried, list | tuple) and draft.operation != "map_impl" else 0
        for held in graphs:
            inner = _graph_of(module, held)
            assert inner is not None  # noqa: S101 - for mypy: the list holds those that have one
            path = f"{draft.path}.{text(str(held.target))}"
            branch = self.builder.open(Draft("module", path, text(str(held.target)), None))
            state = self._bind(inner, operands)
            ends = self._run(inner, path)
            self.builder.close(branch)
            if kind == "loop" and len(ends) >= count and held is graphs[-1]:
                for value, end in zip(state[:count], ends, strict=False):
                    value.feeds_back.append(end)
            given += ends
        draft.path, draft.reads = function_path(draft.path, "result"), [*draft.reads, *given]
        made = self.builder.operation(draft, kinds)
        self.builder.close(around)
        return made

    def _bind(self, inner: fx.GraphModule, operands: Sequence[Value]) -> list[Value]:
        """Lets what comes into an inner graph stand for what it is called with."""
        state: list[Value] = []
        coming = iter(operands)
        for node in inner.graph.nodes:
            if node.op == "placeholder":
                start = next(coming, None)
                kind = next(iter(_kinds(node.meta.get("val"))), Kind())
                value = Value(kind, follows=[start] if start is not None else [])
                self.values[node] = [value]
                state.append(value)
        return state

    def _read(self, args: Any) -> list[Value]:
        return [value for node in _flat(args) for value in self.values.get(node, [])]


def _flat(args: Any) -> list[fx.Node]:
    """The nodes among arguments, in order; lists and mappings are looked into."""
    found: list[fx.Node] = []
    fx.map_arg(args, found.append)
    return found


def _graph_of(module: fx.GraphModule, node: fx.Node) -> fx.GraphModule | None:
    held = getattr(module, str(node.target), None)
    return held if isinstance(held, fx.GraphModule) else None


def _name(target: Any) -> str:
    """The plain name of an operator: "relu" of aten.relu_.default."""
    schema = getattr(target, "_schema", None)
    name = schema.name.rpartition("::")[2] if schema is not None else getattr(target, "__name__", str(target))
    return text(name.rstrip("_") or name)


def _scopes(node: fx.Node, prefix: str) -> tuple[Scope, ...]:
    """The modules that an operator was called in, the model itself left out."""
    if prefix:
        return ()
    stack = node.meta.get("nn_module_stack")
    held = list(stack.values()) if isinstance(stack, Mapping) else []
    return tuple(Scope(text(str(path).replace("@", "#"), 1000), text(_class(kind))) for path, kind in held if path)


def _class(kind: Any) -> str:
    written = kind.__qualname__ if isinstance(kind, type) else str(kind)
    return written.rpartition(".")[2] or "Module"


def _kinds(value: Any) -> list[Kind]:
    """Shapes and types of what an operator gives."""
    if isinstance(value, list | tuple):
        return [kind for one in value for kind in _kinds(one)]
    if isinstance(value, torch.Tensor):
        shape = tuple(size if isinstance(size, int) else str(size) for size in value.shape)
        return [Kind(shape, str(value.dtype).removeprefix("torch."))]
    if isinstance(value, bool | torch.SymBool):
        return [Kind((), "bool")]
    if isinstance(value, int | torch.SymInt):
        return [Kind((), "int64")]
    return [Kind((), "float64")] if isinstance(value, float | torch.SymFloat) else [Kind()]


def _settings(node: fx.Node) -> dict[str, Any]:
    """What an operator was called with that is no tensor, by the names of its schema."""
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema is not None else []
    named = {names[place] if place < len(names) else str(place): value for place, value in enumerate(node.args)}
    return {
        str(name): value
        for name, value in {**named, **node.kwargs}.items()
        if value is not None and not _flat((value,)) and not isinstance(value, fx.GraphModule)
    }


def _length(walked: Sequence[Value]) -> int | None:
    """Over how many places a scan goes."""
    length = walked[0].kind.shape[0] if walked and walked[0].kind.shape else None
    return length if isinstance(length, int) else None


def _steps(settings: Mapping[str, Any], first: Kind) -> int | None:
    """Over how many steps a recurrent operator runs."""
    if first.shape is None or len(first.shape) < 2:
        return None
    length = first.shape[1 if settings.get("batch_first") and len(first.shape) == 3 else 0]
    return length if isinstance(length, int) else None
