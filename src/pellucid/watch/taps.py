"""Forward hooks that hand on what layers give in a training's forward; no copy of the model carries them along."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class Taps:
    """Hooks on the layers of a model, put on for one step at a time.

    Args:
        modules: by layer name.
        read: is given each layer's name and output; nothing that it raises reaches the training.
        failed: is given the layer's name and the error.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        read: Callable[[str, Tensor], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        """No hook is on yet."""
        self._modules = modules
        self._read = read
        self._failed = failed
        self._taps: list[_Tap] = []
        self._forward: set[str] = set()

    def follow(self, modules: dict[str, nn.Module]) -> None:
        """Hooks go on these from the next time on."""
        self._modules = modules

    def put_on(self) -> None:
        """Puts a hook on each layer."""
        self._forward.clear()
        for layer, module in self._modules.items():
            self._taps.append(_Tap(self, layer, module))

    def take_off(self) -> None:
        """Takes all of them off."""
        for tap in self._taps:
            tap.handle.remove()
        self._taps = []

    def see(self, layer: str, output: object) -> None:
        """Hands on the tensor in an output, where it is one of the training's own forward."""
        tensor = next(iter(output), None) if isinstance(output, tuple) else output
        # A forward without gradients is none of the training's. A tracer, or a mode that sees every operation, would take
        # what is read for the model's own; tensors of torch.func, and those that only have a shape, have no values to read.
        if (
            not isinstance(tensor, Tensor)
            or not torch.is_grad_enabled()
            or torch._C._is_tracing()
            or torch._C._len_torch_dispatch_stack()
            or tensor.is_meta
            or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        ):
            return
        # What checkpointing computes again was counted, unless its first forward kept no gradients.
        if torch._C._current_graph_task_id() == -1:
            self._forward.add(layer)
        elif layer in self._forward:
            return
        try:
            self._read(layer, tensor)
        except Exception as error:
            self._failed(layer, error)


class _Tap:
    """The hook on one layer.

    A copy of the model that is made while it is on has no such hook. One that is pickled has a hook that does nothing and
    needs no pellucid to be read.
    """

    def __init__(self, taps: Taps, layer: str, module: nn.Module) -> None:
        self._taps = weakref.ref(taps)
        self._layer = layer
        self.handle: RemovableHandle = module.register_forward_hook(self)

    @property
    def __name__(self) -> str:
        # Asked for by torch.jit.script, which would compile every hook along with the model.
        raise AttributeError(
            f"torch.jit.script cannot compile the hook that a Watch has on layer '{self._layer}' at this step. Script a copy, "
            "which has none: torch.jit.script(copy.deepcopy(model)); or do it after the Watch's block."
        )

    def __call__(self, module: nn.Module, inputs: object, output: object) -> None:
        if torch.compiler.is_compiling():  # first: a compiler that looks in here sees nothing
            return
        taps = self._taps()
        if taps is not None:
            taps.see(self._layer, output)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        # The copied hooks are filled with what is returned here. Their memo goes when the copying ends: then it is removed.
        copied = memo.get(id(self.handle.hooks_dict_ref()))
        if copied is not None:
            end = _End()
            memo[id(end)] = end
            weakref.finalize(end, copied.pop, self.handle.id, None)
        return nullcontext().__exit__

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return getattr, (nullcontext(), "__exit__")


class _End:
    """Is let go of when a copying has ended."""
