"""Calls that were made before: which operators a layer of torch or a function of torch runs depends on forms alone.

A network makes the same calls in every block, and is traced again and again. Where a call only makes new tensors, what it
made, how many operators ran for it and what they counted is kept by the forms of all that went in. Without values the next
such call is told from that, and no operator is run for it; with values it is run, and its operators are not watched. Kept
for the whole process, up to a bound, since it depends on no model; but only as long as what layers and functions of torch
call is torch's own, which each trace makes sure of when it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, WrapperDescriptorType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from pellucid.graph.fake import Fake
from pellucid.graph.originals import Originals, calls_are_torch_s
from pellucid.graph.outcomes import Did, Ran, ran, recalled
from pellucid.graph.remembered import DIRECT

Key: TypeAlias = tuple[Any, ...]

MOST = 8192
_module = nn.modules.module
_GLOBAL_HOOKS = (
    _module._global_forward_hooks, _module._global_forward_pre_hooks,
    _module._global_backward_hooks, _module._global_backward_pre_hooks,
)  # fmt: skip
# What every module keeps, in the order in which it comes to keep it.
_IN_ORDER = [*vars(nn.Module())]
_FIRST = len(_IN_ORDER)
_KEPT_BY_ALL = frozenset(_IN_ORDER) - {"training"}
_PLACES = ("torch.nn.functional", "torch.functional", "torch._tensor")
_WRITTEN_IN_C = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
# Layers and functions that look at more than what they are given.
_LEFT_OUT = frozenset({"rnn_relu", "rnn_tanh", "gru", "lstm", "__setitem__", "__get__", "__set__"})
# Of a tensor whose values are known, beside one without, these look at the form alone.
_BY_FORM = frozenset({
    "add", "add_", "addmm", "baddbmm", "batch_norm", "bmm", "conv1d", "conv2d", "conv3d", "div", "group_norm", "layer_norm",
    "linear", "masked_fill", "matmul", "maximum", "minimum", "mul", "mul_", "sub", "where", "__matmul__", "__add__",
    "__radd__", "__mul__", "__rmul__", "__sub__", "__truediv__",
})  # fmt: skip
# Equal values of these are the same.
_ALIKE = frozenset({int, str, type(None), type(Ellipsis)})
_MADE = frozenset({Fake, Tensor})
_ATTENTION = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward"})


class Recall:
    """What calls of this process did, and the keys that one forward's calls have.

    Args:
        parameters: ids of the parameters.
        values: whether the forward runs with values.
    """

    # One of each for the process, by design.
    known: dict[Key, Ran | None] = {}  # noqa: RUF012
    originals = Originals()

    def __init__(self, parameters: Collection[int], values: bool = False) -> None:
        self._parameters = parameters
        self._values = values
        self._modes = torch._C._len_torch_dispatch_stack() + 1
        self._function_modes = torch._C._len_torch_function_stack() + 1
        # Whether uninitialised memory is filled, say, which is an operator more.
        if not self.originals.stand():
            self.known.clear()  # what was kept may have called what is there no more
        self._layers: dict[type, bool] = {}
        # With values a call is run out of sight of every mode: there must be none but the trace's own.
        self._functions_hold = self.originals.own and not (values and self._modes + self._function_modes > 2)
        self._layers_hold = self._functions_hold and calls_are_torch_s()
        self._settings = (torch.are_deterministic_algorithms_enabled(), torch.backends.mkldnn.enabled, values)

    def module(self, module: nn.Module, args: tuple[Any, ...]) -> Key | None:
        """What a call of a layer depends on; None where that is more than forms, or it is not torch's own."""
        kind: Any = type(module)
        forward = getattr(kind, "forward", None)  # a scripted module's class has none
        if not self._layers_hold or forward is None or not _is_layer(kind, forward) or not self._plain():
            return None
        if kind not in self._layers:
            written = self.originals.layer(kind)
            if written is None:
                self.known.clear()
            self._layers[kind] = written is not False and self.originals.layer(kind) is True
        if not self._layers[kind]:
            return None
        if torch._C._len_torch_function_stack() != self._function_modes:
            return None  # a mode of the model's own, which is to see what the layer calls
        own = module.__dict__
        if own["_modules"] or own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"]:
            return None
        if own["_backward_pre_hooks"] or any(_GLOBAL_HOOKS) or "forward" in own:
            return None
        parts: list[Any] = [kind, forward, self._settings, torch.get_default_dtype()]
        names = [*own]
        values: Iterable[tuple[str, Any]] = own.items()
        if names[:_FIRST] == _IN_ORDER:  # nearly always
            names = names[_FIRST:]
            values = zip(names, [*own.values()][_FIRST:], strict=True)
            parts += (tuple(names), bool(own["training"]))
        for name, value in values:
            of = type(value)
            if of in DIRECT:
                parts.append(value)
            elif of is tuple and _ALIKE.issuperset(map(type, value)):
                parts += (tuple, value)
            elif name not in _KEPT_BY_ALL and (of in _MADE or not self._describe(value, parts)):
                return None  # a tensor that is no parameter: who made it is to be seen
        parts += (tuple(own["_parameters"]), tuple(own["_buffers"]))
        for parameter in own["_parameters"].values():
            if type(parameter) in _MADE or not self._describe(parameter, parts):
                return None
        for buffer in own["_buffers"].values():
            if type(buffer) is Tensor and not self._values and buffer.layout is torch.strided:
                # Of values that are known only the form matters beside one that is not.
                parts += (buffer.size(), buffer.stride(), buffer.dtype, buffer.device)
            elif type(buffer) is Fake or not self._describe(buffer, parts):
                return None
        parts.append(len(args))
        unknown = len(parts)
        for one in args:
            look = one.look if type(one) is Fake else None
            if look is not None:
                parts += (look, one.requires_grad)
            elif not self._describe(one, parts):
                return None
        return tuple(parts) if len(parts) > unknown else None

    def function(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Key | None:
        """The same of a call of a function; None where it is not torch's own."""
        if not self._functions_hold or not _is_torch_s(func) or not self._plain():
            return None
        parts: list[Any] = [func, self._settings, torch.get_default_dtype(), len(args)]
        if func.__name__ in _ATTENTION:
            parts += (
                torch._C._get_flash_sdp_enabled(), torch._C._get_mem_efficient_sdp_enabled(),
                torch._C._get_math_sdp_enabled(), torch._C._get_cudnn_sdp_enabled(),
            )  # fmt: skip
        by_form = func.__name__ in _BY_FORM and any(type(one) is Fake for one in args)
        for one in args:
            if by_form and type(one) is Tensor and one.layout is torch.strided and not one.dtype.is_complex:
                parts += (Tensor, one.size(), one.stride(), one.dtype, one.device, one.requires_grad)
            elif not self._describe(one, parts):
                return None
        for name, value in kwargs.items():
            parts.append(name)
            if not self._describe(value, parts):
                return None
        return tuple(parts)

    def keep(
        self,
        key: Key,
        given: list[Tensor],
        inside: list[Tensor],
        written: list[int],
        result: Any,
        did: Did,
    ) -> None:
        """Remembers what a call did, or that it cannot be told from forms.

        Args:
            key: of the call.
            given: the tensors that it was given.
            inside: parameters and buffers of its own.
            written: places of those it was given that it wrote to.
            result: what it returned.
            did: what else was seen of it.
        """
        if len(self.known) >= MOST:
            self.known.clear()
        if not did.operators and _is_in_place(key[0]):
            self.known[key] = None  # `requires_grad_` does something all the same
        elif self._values:
            self.known[key] = ran(key[0], given, written, result, did)
        else:
            self.known[key] = recalled(given, inside, written, result, did)

    def _plain(self) -> bool:
        """Whether nothing around the call changes what it does."""
        return not (
            torch.is_grad_enabled()
            or torch._C._is_any_autocast_enabled()
            or torch.is_inference_mode_enabled()
            or torch._C._len_torch_dispatch_stack() != self._modes
            or torch._C._functorch.peek_interpreter_stack() is not None
            or torch.autograd.forward_ad._current_level >= 0
        )

    def _describe(self, value: Any, parts: list[Any]) -> bool:
        """Adds what the call may depend on; whether that is all."""
        kind = type(value)
        if kind is Tensor and self._values:
            dtype = value.dtype
            if value.layout is not torch.strided or dtype.is_complex or value.is_neg() or value.is_nested:
                return False
            parts += (kind, value.size(), value.stride(), dtype, value.device, value.requires_grad)
            return True
        if kind is Fake:
            look = value.look or value.looks()
            if look is None:
                return False
            parts += (look, value.requires_grad)
            return True
        if kind in DIRECT or value is Ellipsis:
            parts.append(value)
            return True
        if kind is bool or kind is float:
            parts += (kind, value or str(value))  # 0.0 equals -0.0
            return True
        if kind is nn.Parameter:
            dtype = value.dtype
            if id(value) not in self._parameters or value.layout is not torch.strided or dtype.is_complex:
                return False
            if self._values and value.is_neg():
                return False
            parts += (kind, value.size(), value.stride(), dtype, value.device, value.requires_grad)
            return True
        if kind is slice:
            if not _ALIKE.issuperset((type(value.start), type(value.stop), type(value.step))):
                return False
            parts += (kind, value.start, value.stop, value.step)
            return True
        if kind is tuple or kind is list or kind is torch.Size:
            if _ALIKE.issuperset(map(type, value)):
                parts += (kind, tuple(value))
                return True
            parts += (kind, len(value))
            return all(self._describe(one, parts) for one in value)
        return False


def _is_in_place(called: Any) -> bool:
    name = str(called.__name__)
    return name.endswith("_") and not name.endswith("__")


@cache
def _is_layer(kind: Any, forward: Any) -> bool:
    places = (kind.__module__, forward.__module__)
    return all(place.startswith("torch.nn.modules.") for place in places)


@cache
def _is_torch_s(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    if name in _LEFT_OUT:
        return False
    if isinstance(func, _WRITTEN_IN_C):
        return True
    return isinstance(func, FunctionType) and func.__module__ in _PLACES
