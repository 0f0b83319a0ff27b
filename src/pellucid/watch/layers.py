"""The layers of a model as a Watch sees them: modules with parameters of their own, and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from pellucid.capture.call import unwrapped
from pellucid.errors import OptionError
from pellucid.graph.names import is_opaque, module_role

if TYPE_CHECKING:
    from torch.optim import Optimizer

# The model itself as a layer, by what is its own (a class token): "" stands for all of its layers together.
OWN = "(model)"


@dataclass(frozen=True)
class Watched:
    """What is watched, in the model's order.

    Attributes:
        parameters: each once, under the first module that has it.
        layers: name of each parameter's layer.
        outputs: modules by layer name whose outputs are counted.
    """

    parameters: tuple[nn.Parameter, ...]
    layers: tuple[str, ...]
    outputs: dict[str, nn.Module]

    @property
    def names(self) -> list[str]:
        """Layers that have parameters, each once."""
        return list(dict.fromkeys(self.layers))

    def others(self, optimizer: Optimizer) -> frozenset[int]:
        """Ids of the optimizer's parameters that are not watched."""
        owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        return frozenset(owned.difference(map(id, self.parameters)))


def watched(model: nn.Module, optimizer: Optimizer) -> Watched:
    """Finds what to watch.

    Args:
        model: as it was given, in its wrappers. What is compiled in it has no outputs to count.
        optimizer: of its parameters.

    Raises: OptionError: one of them is none, the optimizer has none of the model's parameters, or a parameter has no shape yet.
    """
    if not isinstance(model, nn.Module):
        raise OptionError(f"The model is a torch.nn.Module; got {type(model).__name__}.")
    if not hasattr(optimizer, "param_groups") or not hasattr(optimizer, "register_step_pre_hook"):
        raise OptionError(
            f"The optimizer is the torch.optim.Optimizer that trains the model: its steps are watched; got "
            f"{type(optimizer).__name__}."
        )
    owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    seen: dict[int, tuple[nn.Parameter, str]] = {}
    outputs: dict[str, nn.Module] = {}
    # Hooks that come and go would have it compiled anew, and see nothing.
    compiled = {id(part) for module in model.modules() if _is_compiled(module) for part in module.modules()}
    for path, module in unwrapped(model).named_modules():
        path = path or OWN
        own = list(module.parameters(recurse=False))
        for parameter in own:
            if is_lazy(parameter):
                raise OptionError(
                    f"Layer '{path}' ({type(module).__name__}) has no shape before the model has seen a batch. Run one batch "
                    "through the model, then make the optimizer and the Watch."
                )
            seen.setdefault(id(parameter), (parameter, path))
        is_layer = (own and is_opaque(module)) or module_role(module)[0] == "activation"
        if is_layer and id(module) not in compiled:
            outputs[path] = module
    if owned.isdisjoint(seen):
        raise OptionError(
            f"The optimizer ({type(optimizer).__name__}, {len(owned)} parameters) has none of the {len(seen)} "
            f"parameters of the model ({type(unwrapped(model)).__name__}): there is nothing to watch. Give the model whose "
            "parameters() the optimizer was made with."
        )
    return Watched(
        parameters=tuple(parameter for parameter, _ in seen.values()),
        layers=tuple(path for _, path in seen.values()),
        outputs=outputs,
    )


def _is_compiled(module: nn.Module) -> bool:
    """Whether it is torch.compile's wrapper, was compiled in place, or is TorchScript, which takes no hooks."""
    return (
        getattr(module, "_orig_mod", None) is not None
        or getattr(module, "_compiled_call_impl", None) is not None
        or isinstance(module, torch.jit.ScriptModule)
    )
