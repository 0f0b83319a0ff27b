"""What a forward does, as it is seen: calls of modules and functions, who made what they read, operators beneath."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.graph.arguments import bound, texts
from pellucid.graph.axes import CHANNEL_LAST_FUNCTIONS, channel_last_after, module_channel_last
from pellucid.graph.callsites import CallSites
from pellucid.graph.dataflow import gathered, named_tensors, versions
from pellucid.graph.fake import Fake, ValuesNeededError
from pellucid.graph.frames import Frame
from pellucid.graph.guard import writes_to_arguments
from pellucid.graph.inside import computes
from pellucid.graph.leaves import Leaves
from pellucid.graph.looks import shape_of
from pellucid.graph.loops import steps_of
from pellucid.graph.names import (
    function_name,
    function_path,
    function_role,
    is_opaque,
    module_role,
    operation_of,
)
from pellucid.graph.nodes import unseen
from pellucid.graph.outcomes import Part, Ran, Recalled
from pellucid.graph.parts import Parts, own_parameters
from pellucid.graph.pooling import pool_of_function
from pellucid.graph.recalled import Key
from pellucid.graph.structure import Shape
from pellucid.graph.valueless import Valueless, operator_name, really_asks

# Functions that read values past every operator.
_READERS = frozenset({"numpy", "tolist", "__array__", "data_ptr", "__dlpack__"})
# Of these, those that hand them to other libraries, which may hand back a tensor that nobody has made.
_LEAVING = frozenset({"numpy", "array", "dlpack"})


class Recording(Leaves):
    """What has been seen so far.

    Args:
        parts: of what runs.
        until: where its forward is begun.
        valueless: runs its operators; None where they run with values.

    Attributes:
        questions: where the forward asked for values that depend on its inputs; question: where it last asked for any.
        hidden: ids of the modules that were called out of sight: inside a leaf of the graph, or by another thread.
        apart: paths of those that another thread called.
        left: where values left torch, for NumPy or whoever reads memory.
    """

    def __init__(self, parts: Parts, until: CodeType, valueless: Valueless | None = None) -> None:
        super().__init__(parts, valueless)
        self.parts = parts
        self.model = parts.model
        self._sites = CallSites(parts, until)
        self.paths = parts.paths
        self.batch = 1
        self.questions: dict[str, None] = {}
        self.question = ""
        self.hidden: set[int] = set()
        self.apart: dict[str, None] = {}
        self.left: dict[str, None] = {}

    # --- begin and end ----------------------------------------------------------------------------------------

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Makes a node of every tensor that goes in."""
        try:
            named: dict[str, Any] = dict(inspect.signature(self.model.forward).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            named = {"inputs": args, **kwargs}
        with torch._C.DisableTorchFunction():  # what is asked here is no function of the model's
            for index, (name, tensor) in enumerate(named_tensors(named)):
                if index == 0 and tensor.ndim:
                    self.batch = tensor.size(0)  # which nested tensors know, who have no shape
                frame = self._frame(name, name, "input", "input", 1)
                frame.reached, frame.origin = True, frame.id
                frame.came_out([tensor])
                self._flow.made(tensor, frame.id, 0)

    def end(self, output: Any) -> None:
        """Makes the node that everything which comes out flows into."""
        with torch._C.DisableTorchFunction():
            frame = self._frame("output", "output", "output", "output", 1)
            self._read_by(frame, gathered(output))
            self.link(frame)

    def elsewhere(self, module: nn.Module) -> None:
        """Another thread calls a module; of the model's, what it makes is out of sight."""
        path = self.paths.get(id(module))
        if path is None:
            return
        self._elsewhere = True
        self.apart.setdefault(path)
        self.hidden.add(id(module))
        self.read.update(map(id, own_parameters(module).values()))

    # --- modules ----------------------------------------------------------------------------------------------

    def called(self, module: nn.Module, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a module's call and makes a node of it."""
        path = self.paths.get(id(module))
        if self._opaque:
            self.hidden.add(id(module))
        if path is None or self._opaque:
            return call(module, *args, **kwargs)
        opaque = is_opaque(module)
        if path == "" and not opaque and not self._stack:
            # The model itself is the graph, not a node in it.
            return call(module, *args, **kwargs)
        key = None
        if opaque and not kwargs:
            with torch._C.DisableTorchFunction():
                key = self._recall.module(module, args)
                known = self._recall.known.get(key) if key is not None else None
            if known is not None:
                return self._layer_as_before(path, module, known, call, args)
        name, number = self._names.module(path)
        frame = self._frame(name, path, operation_of(module), "module", number)
        frame.module, frame.source = module, self._sites.here(module, 2)
        frame.computes = computes(module)
        if isinstance(module, torch.jit.ScriptModule):
            self.read.update(id(parameter) for parameter in module.parameters())
        with torch._C.DisableTorchFunction():
            inputs = gathered((args, kwargs) if kwargs else args)
            if len(inputs) == 1 and type(inputs[0]) is Fake:
                frame.went_in(inputs)  # of which nothing runs that could be taken for the model's
                self._came_from(frame, inputs)
            else:
                self._read_by(frame, inputs)
            before = versions(inputs)
            frame.steps = steps_of(module, args, kwargs)
            self._watch(frame, module, inputs, opaque)
        if key is None:
            output = self._run(frame, opaque, call, (module, *args), kwargs)
        else:
            output = self._done(frame, key, inputs, before, call, (module, *args), kwargs)
        with torch._C.DisableTorchFunction():
            self._watched(frame, output)
            if frame.children and type(output) is Fake and (source := self._flow.source(output)) is not None:
                frame.came_out([output])
                frame.origin = source.node
                return output
            return self._returned(frame, inputs, before, output)

    def _layer_as_before(
        self, path: str, module: nn.Module, known: Ran, call: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """What a layer returns of which a call like this one is known."""
        with torch._C.DisableTorchFunction():
            part = known.part
            if part is None:
                last, steps = module_channel_last(module), steps_of(module, args, {})
                part = known.part = Part(operation_of(module), *module_role(module), last, steps)
            name, number = self._names.module(path)
            frame = self._frame(name, path, part.operation, "module", number)
            frame.module, frame.source, frame.recalled = module, self._sites.here(module, 3), known
            frame.steps, frame.computes = part.steps, part.operation
            inputs: list[Any] = [args[0]] if len(args) == 1 and type(args[0]) is Fake else gathered(args)
            if known.read:
                parameters = module._parameters
                self.read.update([id(parameters[name]) for name in known.read])
            if known.operators:
                self._reads(inputs)
            if isinstance(known, Recalled):
                _plays(frame, part)
                return self._retold(frame, known, inputs)
            self._given(frame, known, inputs)
            result = self._unheard(frame, known, call, (module, *args), {})
            _plays(frame, part)  # one that raises plays none
            if known.same:
                return self._made(frame, inputs, versions(inputs), result)
            outputs = gathered(result)
            self._gave(frame, known, outputs)
            self._come_new(frame, inputs, outputs)
            return result

    @unseen
    def _returned(self, frame: Frame, inputs: list[Tensor], before: list[int], output: Any) -> Any:
        if frame.children == 0 and frame.module is not None:
            frame.role, frame.activation = module_role(frame.module)
            frame.channel_last = module_channel_last(frame.module)
            return self._made(frame, inputs, before, output)
        tensors = gathered(output)
        frame.came_out(tensors)
        for index, tensor in enumerate(tensors):
            source = self._flow.source(tensor)
            if source is None and id(tensor) not in self._parameters:
                # Made out of sight (NumPy, another thread): the module is all that is known of its origin.
                self._flow.made(tensor, frame.id, index, inputs)
                frame.reached = frame.reached or any(self.frames[s.node].reached for _, s, _ in frame.sources)
                source = self._flow.source(tensor)
            if index == 0 and source is not None:
                frame.origin = source.node
        return output

    # --- functions --------------------------------------------------------------------------------------------

    def function(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a function that a module calls itself and makes a node of it, if it makes or changes a tensor."""
        name = getattr(func, "__name__", "")
        if name in _READERS:
            self._reads_values(func, args)
        elif name == "__set__" and type(args[0]) is Fake:
            args[0].forget()  # `x.data = y` gives it another shape
        if self._opaque:
            return self._inside(func, args, kwargs)
        key = self._recall.function(func, args, kwargs)
        operation = function_name(func)
        known = None if key is None else self._recall.known.get(key)
        if isinstance(known, Recalled):
            return self._function_as_before(operation, func, args, kwargs, known)
        if known is not None:
            return self._function_again(operation, func, args, kwargs, known)
        return self._node(operation, func, args, kwargs, lambda: bound(func, args, kwargs), key)

    def _function_as_before(
        self, operation: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], known: Recalled
    ) -> Any:
        """What a function returns of which a call like this one is known."""
        inputs = gathered((args, kwargs) if kwargs else args)
        if known.same:
            # A question about a tensor, or a conversion that had nothing to convert.
            self._goes_on()
            self._counted(self._stack[-1] if self._stack else None, known)
            tensors = [inputs[one] for one in known.outputs if type(one) is int]
            return tensors[0] if known.container is None else known.container(tensors)
        frame = self._frame("", "", operation, "function", 1)
        frame.computes = operation
        with torch._C.DisableTorchFunction():
            frame.inputs, frame.outputs = known.given.shapes, known.looks.shapes
            frame.reads = self._reads(inputs)
            self._name(frame, count=True)
            self._describe(frame, lambda: bound(func, args, kwargs), known)
            self._came_from(frame, inputs)
            self._play(frame, args, kwargs, frame.outputs[0])
            return self._retold(frame, known, inputs, alias_too=False)

    def _function_again(
        self, operation: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], known: Ran
    ) -> Any:
        """Runs a function that runs what one before ran, of which nobody needs to hear again."""
        inputs = gathered((args, kwargs) if kwargs else args)
        frame = self._frame("", "", operation, "function", 1)
        frame.computes = operation
        self._given(frame, known, inputs)
        if known.looks is None:
            self._asks(operation, args, follow=True, by=frame)
        try:
            result = self._unheard(frame, known, func, args, kwargs)
        except BaseException:
            self._name(frame, count=False)
            raise
        if known.same:
            self._forget(frame)
            return result
        frame.reads = self._reads(inputs)
        self._name(frame, count=True)
        outputs = gathered(result)
        self._gave(frame, known, outputs)
        self._describe(frame, lambda: bound(func, args, kwargs), known)
        self._play(frame, args, kwargs, frame.outputs[0] if outputs else None)
        self._come_new(frame, inputs, outputs)
        return result

    def differentiable(self, cls: type, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a custom `torch.autograd.Function`: one node with its name. Checkpointing only wraps what it calls."""
        if self._opaque or cls.__module__ == "torch.utils.checkpoint":
            self._cannot_follow()
            return call(*args, **kwargs)
        counting, self._counting = self._counting, True
        try:
            return self._node(cls.__name__, call, args, kwargs, dict)
        finally:
            self._counting = counting

    def _node(
        self, operation: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        settings: Callable[[], dict[str, Any]], key: Key | None = None,
    ) -> Any:  # fmt: skip
        inputs = gathered((args, kwargs) if kwargs else args)
        before = versions(inputs)
        frame = self._frame("", "", operation, "function", 1)
        frame.computes = "" if settings is dict else operation
        self._read_by(frame, inputs)
        try:
            if key is None:
                result = self._run(frame, True, func, args, kwargs)
            else:
                result = self._done(frame, key, inputs, before, func, args, kwargs)
        except BaseException:
            self._name(frame, count=False)
            raise
        changed = versions(inputs) != before
        outputs = gathered(result)
        same = not changed and all(any(output is given for given in inputs) for output in outputs)
        if same or (not outputs and not changed):
            # A question about a tensor, or a conversion that had nothing to convert.
            self._forget(frame)
            return result
        frame.reads = self._reads(inputs)
        self._name(frame, count=True)
        known = None if key is None else self._recall.known.get(key)
        frame.outputs = tuple([shape_of(one) for one in outputs])
        self._describe(frame, settings, known)
        self._play(frame, args, kwargs, frame.outputs[0] if outputs else None)
        return self._made(frame, inputs, before, result, alias_too=False)

    def _describe(self, frame: Frame, settings: Callable[[], dict[str, Any]], known: Ran | None) -> None:
        """Notes a function's settings; those of one that was told from another are that one's."""
        if known is not None and known.arguments is not None:
            frame.arguments, frame.pool = known.arguments, known.pool
            return
        given = settings()
        frame.arguments = texts(given)
        if frame.inputs and frame.outputs:
            frame.pool = pool_of_function(frame.operation, given, frame.inputs[0], frame.outputs[0])
        if known is not None:
            known.arguments, known.pool = frame.arguments, frame.pool

    def _play(self, frame: Frame, args: tuple[Any, ...], kwargs: dict[str, Any], made: Shape | None) -> None:
        """Notes which part a function plays, and where what it made has its channels."""
        frame.role, frame.activation = function_role(frame.operation)
        if frame.pool is not None:
            frame.role = "pool"
        if frame.role in ("compute", "norm", "pool"):
            frame.channel_last = frame.operation in CHANNEL_LAST_FUNCTIONS
        elif frame.role in ("pass", "join") and frame.sources and made is not None:
            known = self.frames[frame.sources[0][1].node].channel_last
            frame.channel_last = channel_last_after(frame.operation, args, kwargs, frame.inputs[0], made, known)

    def _name(self, frame: Frame, count: bool) -> None:
        inside = ""
        for above in reversed(self._stack):
            if above.kind == "module":
                inside = above.path
                break
        frame.source = self._sites.here(skip=4)
        frame.path = function_path(inside, frame.operation)
        # A call that raised is not counted: the model may catch the error and call again.
        frame.name, frame.call = self._names.module(frame.path) if count else (frame.path, 1)

    # --- operators --------------------------------------------------------------------------------------------

    def before(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hears of an operator that is about to run, which may ask for values or write to what it is given."""
        if writes_to_arguments(operator):
            self._writes += 1
        if really_asks(operator, args, kwargs):
            self._asks(operator_name(operator), args, follow=True)

    def _reads_values(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        name = function_name(func)
        self._asks(name, args, follow=name == "tolist")
        if name in _LEAVING and any(self._flow.source(tensor) is not None for tensor in gathered(args)):
            self.left.setdefault(self.question)
        if any(type(tensor) is Fake for tensor in gathered(args)):
            raise ValuesNeededError(name)

    def _asks(self, name: str, args: tuple[Any, ...], follow: bool, by: Frame | None = None) -> None:
        """The forward asks for values, by the call at work or another; `follow` where Python then goes on with them."""
        self._asked += 1
        frame = by or (self._stack[-1] if self._stack else None)
        if frame is not None and frame.kind == "function":
            name = frame.operation
            nodes = [source.node for _, source, _ in frame.sources]
        else:
            found = [self._flow.source(tensor) for tensor in gathered(args)]
            nodes = [source.node for source in found if source is not None]
            if frame is not None and self._opaque:
                nodes += [source.node for _, source, _ in frame.sources]
        self.question = f"{name}() at {self._sites.here() or 'an unknown place'}"
        if follow and any(self.frames[node].reached for node in nodes):
            self.questions[self.question] = None


def _plays(frame: Frame, part: Part) -> None:
    frame.role, frame.activation, frame.channel_last = part.role, part.activation, part.channel_last
