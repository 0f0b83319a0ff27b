"""Tracing a model: one forward in eager mode, watched from three places.

A patched `nn.Module.__call__` sees the hierarchy, a TorchFunctionMode the functions that modules call themselves, a
TorchDispatchMode the operators beneath them, which are counted. No model needs to be scripted, exported or symbolic.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pellucid.errors import ModelError
from pellucid.graph import flops
from pellucid.graph.axes import CHANNEL_LAST_FUNCTIONS, channel_last_after, module_channel_last
from pellucid.graph.dataflow import Dataflow, Source, alias, mapped, named_tensors, tensors_in, versions
from pellucid.graph.guard import ParameterGuard, untouched
from pellucid.graph.interception import Functions, Operators, call_site, module_calls
from pellucid.graph.names import (
    CallNames,
    Role,
    function_name,
    function_path,
    function_role,
    is_opaque,
    module_paths,
    module_role,
    operation_of,
)
from pellucid.graph.points import capture_points
from pellucid.graph.structure import Edge, Graph, Node, Shape

_LOCK = threading.RLock()


def trace(model: nn.Module, *args: Any, **kwargs: Any) -> Graph:
    """The model's graph, from one forward on an example.

        graph = pellucid.graph(model, torch.zeros(1, 3, 224, 224))
        [layer.name for layer in graph.layers]

    The model runs once, in evaluation mode and without gradients, and is left as it was. Where its parameters are on
    the meta device, nothing is computed: the graph of a model of any size costs no memory.

    Args:
        model: any module; wrappers of torch.compile and DataParallel are looked through.
        *args: what its forward takes, with a batch axis; tensors are brought to the model's device.
        **kwargs: the same by name.

    Returns: the graph; where the forward raised, what there was until then and the reason in `error`.
    Raises: ModelError: a parameter has no shape yet (a lazy module that was never called).
    """
    model = _unwrapped(model)
    parameters = list(model.parameters())
    if any(isinstance(parameter, nn.parameter.UninitializedParameter) for parameter in parameters):
        raise ModelError(
            f"{type(model).__name__} has lazy parameters without a shape: tracing would give them one. Call the model "
            "once on an example first."
        )
    anchor = next((tensor for tensor in (*parameters, *model.buffers())), None)
    device = anchor.device if anchor is not None else None

    def own(tensor: Tensor) -> Tensor:
        # A copy: the forward may write to its inputs.
        copy = tensor.detach().clone()
        return copy if device is None else copy.to(device)

    arguments, named = mapped(args, own), mapped(kwargs, own)
    run = _Trace(model)
    error: str | None = None
    with _LOCK, untouched(model):
        guard = ParameterGuard(model)
        try:
            with (
                module_calls(run.called),
                torch.no_grad(),
                Operators(guard.before, run.operated),
                Functions(run.function),
            ):
                run.begin(arguments, named)
                run.end(model(*arguments, **named))
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}" + (f" (in {run.failed})" if run.failed else "")
        finally:
            guard.restore()
    return run.graph("meta" if device is not None and device.type == "meta" else "real", error)


def _unwrapped(model: nn.Module) -> nn.Module:
    while True:
        inner: object = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


@dataclass
class _Frame:
    """A node that is being made."""

    id: int
    name: str
    path: str
    operation: str
    kind: Literal["module", "function", "input", "output"]
    parent: int | None
    call: int
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    input_dtypes: tuple[str, ...] = ()
    output_dtypes: tuple[str, ...] = ()
    module: nn.Module | None = None
    flops: int | None = None
    memory: int = 0
    source: str | None = None
    role: Role = "other"
    activation: str | None = None
    origin: int | None = None
    channel_last: bool | None = None
    reached: bool = False
    floating: bool = False
    children: int = 0
    sources: list[tuple[int, Source, Shape]] = field(default_factory=list)

    def came_out(self, tensors: list[Tensor]) -> None:
        self.outputs = tuple(tuple(tensor.shape) for tensor in tensors)
        self.memory = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self.output_dtypes = _dtypes(tensors)
        self.floating = bool(tensors) and tensors[0].is_floating_point()


class _Trace:
    """What has been seen so far."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.frames: list[_Frame] = []
        self.edges: list[Edge] = []
        self.failed = ""
        self.stack: list[_Frame] = []
        self.opaque = 0
        self._paths = module_paths(model)
        self._names = CallNames()
        self._flow = Dataflow()
        self._parameters = {id(parameter) for parameter in model.parameters()}
        self._read: set[int] = set()
        self._flops: int | None = None
        self._batch = 1

    # --- begin and end ----------------------------------------------------------------------------------------

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Makes a node of every tensor that goes in."""
        try:
            named: dict[str, Any] = dict(inspect.signature(self.model.forward).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            named = {"inputs": args, **kwargs}
        for index, (name, tensor) in enumerate(named_tensors(named)):
            if index == 0 and tensor.ndim:
                self._batch = tensor.shape[0]
            frame = self._frame(name, name, "input", "input", 1)
            frame.reached, frame.origin = True, frame.id
            frame.came_out([tensor])
            self._flow.made(tensor, frame.id, 0)

    def end(self, output: Any) -> None:
        """Makes the node that everything which comes out flows into."""
        frame = self._frame("output", "output", "output", "output", 1)
        self._read_by(frame, list(tensors_in(output)))
        self._link(frame)

    # --- modules ----------------------------------------------------------------------------------------------

    def called(self, module: nn.Module, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a module's call and makes a node of it."""
        path = self._paths.get(id(module))
        if path is None or self.opaque:
            return call(module, *args, **kwargs)
        opaque = is_opaque(module)
        if path == "" and not opaque and not self.stack:
            # The model itself is the graph, not a node in it.
            return call(module, *args, **kwargs)
        name, number = self._names.module(path)
        frame = self._frame(name, path, operation_of(module), "module", number)
        frame.module, frame.source = module, call_site()
        inputs = list(tensors_in((args, kwargs)))
        if isinstance(module, torch.jit.ScriptModule):
            self._read.update(id(parameter) for parameter in module.parameters())
        with torch._C.DisableTorchFunction():  # what is asked here is no function of the model's
            self._read_by(frame, inputs)
            before = versions(inputs)
        self.stack.append(frame)
        self.opaque += opaque
        try:
            output = call(module, *args, **kwargs)
        except BaseException:
            self.failed = self.failed or name
            raise
        finally:
            self.opaque -= opaque
            self.stack.pop()
        with torch._C.DisableTorchFunction():
            return self._returned(frame, inputs, before, output)

    def _returned(self, frame: _Frame, inputs: list[Tensor], before: list[int], output: Any) -> Any:
        if frame.children == 0:
            assert frame.module is not None  # noqa: S101 - for mypy: only modules return here
            frame.role, frame.activation = module_role(frame.module)
            frame.channel_last = module_channel_last(frame.module)
            return self._made(frame, inputs, before, output)
        tensors = list(tensors_in(output))
        frame.came_out(tensors)
        for index, tensor in enumerate(tensors):
            source = self._flow.source(tensor)
            if source is None and id(tensor) not in self._parameters:
                # Made out of sight (NumPy, another thread): the module is all that is known of its origin.
                self._flow.made(tensor, frame.id, index)
                frame.reached = frame.reached or any(self.frames[s.node].reached for _, s, _ in frame.sources)
                source = self._flow.source(tensor)
            if index == 0 and source is not None:
                frame.origin = source.node
        return output

    # --- functions --------------------------------------------------------------------------------------------

    def function(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a function that a module calls itself and makes a node of it, if it makes or changes a tensor."""
        inputs = list(tensors_in((args, kwargs)))
        if self.opaque:
            result = func(*args, **kwargs)
            self._reads(inputs, result)
            return result
        before = versions(inputs)
        frame = self._frame("", "", function_name(func), "function", 1)
        self._read_by(frame, inputs)
        self.stack.append(frame)
        self.opaque += 1
        try:
            result = func(*args, **kwargs)
        finally:
            self.opaque -= 1
            self.stack.pop()
        changed = versions(inputs) != before
        outputs = list(tensors_in(result))
        same = not changed and all(any(output is given for given in inputs) for output in outputs)
        if same or (not outputs and not changed):
            # A question about a tensor, or a conversion that had nothing to convert.
            self._forget(frame)
            return result
        self._reads(inputs, result)
        module = next((above for above in reversed(self.stack) if above.kind == "module"), None)
        frame.path = function_path(module.path if module else "", frame.operation)
        frame.name, frame.call = self._names.function(module.path if module else "", frame.operation)
        frame.source = call_site()
        frame.role, frame.activation = function_role(frame.operation)
        if frame.operation in ("mean", "amax") and outputs and inputs and inputs[0].ndim == 4 > 2 >= outputs[0].ndim:
            frame.role = "pool"
        if frame.role in ("compute", "norm", "pool"):
            frame.channel_last = frame.operation in CHANNEL_LAST_FUNCTIONS
        elif frame.role == "pass" and frame.sources and outputs:
            known = self.frames[frame.sources[0][1].node].channel_last
            frame.channel_last = channel_last_after(frame.operation, args, kwargs, inputs[0], outputs[0], known)
        return self._made(frame, inputs, before, result, alias_too=False)

    # --- operators --------------------------------------------------------------------------------------------

    def operated(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Counts an operator in, for the node at work and all that enclose it."""
        self._reads(list(tensors_in((args, kwargs))), result)
        count = flops.count(operator, args, kwargs, result)
        if count is None:
            return
        self._flops = (self._flops or 0) + count
        for frame in self.stack:
            frame.flops = (frame.flops or 0) + count

    # --- how --------------------------------------------------------------------------------------------------

    def _frame(
        self, name: str, path: str, operation: str, kind: Literal["module", "function", "input", "output"], call: int
    ) -> _Frame:
        above = self.stack[-1] if self.stack else None
        frame = _Frame(len(self.frames), name, path, operation, kind, above.id if above else None, call)
        self.frames.append(frame)
        if above is not None:
            above.children += 1
        return frame

    def _forget(self, frame: _Frame) -> None:
        """Takes back the newest frame; nothing was made under it."""
        self.frames.pop()
        if self.stack:
            self.stack[-1].children -= 1

    def _read_by(self, frame: _Frame, inputs: list[Tensor]) -> None:
        frame.inputs = tuple(tuple(tensor.shape) for tensor in inputs)
        frame.input_dtypes = _dtypes(inputs)
        for argument, tensor in enumerate(inputs):
            source = self._flow.source(tensor)
            if source is not None:
                frame.sources.append((argument, source, tuple(tensor.shape)))

    def _reads(self, inputs: list[Tensor], result: Any) -> None:
        """Notes parameters that went into a tensor; asking for a shape is no use of them."""
        if next(tensors_in(result), None) is not None:
            self._read.update(key for tensor in inputs if (key := id(tensor)) in self._parameters)

    def _link(self, frame: _Frame) -> None:
        for argument, source, shape in frame.sources:
            self.edges.append(Edge(source.node, frame.id, source.output, argument, shape))
            before = self.frames[source.node]
            if before.reached:
                frame.reached = True
                if frame.channel_last is None and frame.outputs and frame.outputs[0] == shape:
                    frame.channel_last = before.channel_last  # element by element: the axes stay what they were

    def _made(self, frame: _Frame, inputs: list[Tensor], before: list[int], output: Any, alias_too: bool = True) -> Any:
        """A node without children has run: who reads what it returned reads it."""
        given = {id(tensor): place for place, tensor in enumerate(inputs)}
        after = versions(inputs)
        frame.origin = frame.id
        for place, tensor in enumerate(inputs):
            if before[place] != after[place]:
                self._flow.wrote(tensor, frame.id, 0)

        def own(tensor: Tensor) -> Tensor:
            place = given.get(id(tensor))
            if place is None or before[place] != after[place] or not alias_too:
                return tensor
            # It returned its own input. Under another name, for whoever reads the input itself (a skip connection)
            # does not read this node.
            self.opaque += 1
            try:
                return alias(tensor)
            finally:
                self.opaque -= 1

        output = mapped(output, own)
        tensors = list(tensors_in(output))
        frame.came_out(tensors or [tensor for place, tensor in enumerate(inputs) if before[place] != after[place]])
        self._link(frame)
        for index, tensor in enumerate(tensors):
            place = given.get(id(tensor), -1)
            known = place < 0 and self._flow.knows(tensor)
            if (place < 0 and not known) or (place >= 0 and before[place] != after[place]):
                self._flow.made(tensor, frame.id, index)
        return output

    def graph(self, backend: Literal["meta", "real"], error: str | None) -> Graph:
        """What was seen, sealed."""
        nodes = tuple(self._node(frame) for frame in self.frames)
        parameters = list(self.model.parameters())
        return Graph(
            nodes=nodes,
            edges=tuple(self.edges),
            parameters=sum(parameter.numel() for parameter in parameters),
            trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            flops=self._flops,
            unused=tuple(name for name, parameter in self.model.named_parameters() if id(parameter) not in self._read),
            backend=backend,
            error=error,
            batch=self._batch,
            layers=capture_points(nodes, self.edges, self._batch),
        )

    def _node(self, frame: _Frame) -> Node:
        below = list(frame.module.parameters()) if frame.module is not None else []
        own = list(frame.module.parameters(recurse=False)) if frame.module is not None else []
        return Node(
            id=frame.id,
            name=frame.name,
            path=frame.path,
            operation=frame.operation,
            kind=frame.kind,
            parent=frame.parent,
            call=frame.call,
            inputs=frame.inputs,
            outputs=frame.outputs,
            input_dtypes=frame.input_dtypes,
            output_dtypes=frame.output_dtypes,
            parameters=sum(parameter.numel() for parameter in below),
            own_parameters=sum(parameter.numel() for parameter in own),
            trainable=sum(parameter.numel() for parameter in below if parameter.requires_grad),
            flops=frame.flops,
            memory=frame.memory,
            source=frame.source,
            role=frame.role,
            activation=frame.activation,
            origin=frame.origin,
            channel_last=frame.channel_last,
            reached=frame.reached,
            floating=frame.floating,
        )


def _dtypes(tensors: list[Tensor]) -> tuple[str, ...]:
    return tuple(str(tensor.dtype).removeprefix("torch.") for tensor in tensors)
