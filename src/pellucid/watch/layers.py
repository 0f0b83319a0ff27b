"""The layers of a model as a Watch sees them: modules with parameters of their own, and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.errors import OptionError
from pellucid.graph.names import is_opaque, module_role

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True)
class Watched:
    """What is watched, in the model's order.

    Attributes:
        parameters: each once, under the first module that has it.
        layers: name of each parameter's layer.
        updated: whether the optimizer has it.
        outputs: modules by layer name whose outputs are counted.
    """

    parameters: tuple[nn.Parameter, ...]
    layers: tuple[str, ...]
    updated: tuple[bool, ...]
    outputs: dict[str, nn.Module]

    @property
    def names(self) -> list[str]:
        """Layers that have parameters, each once."""
        return list(dict.fromkeys(self.layers))


def watched(model: nn.Module, optimizer: Optimizer) -> Watched:
    """Finds what to watch.

    Raises: OptionError: the optimizer has none of the model's parameters.
    """
    updated = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    seen: dict[int, tuple[nn.Parameter, str]] = {}
    outputs: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        for parameter in own:
            seen.setdefault(id(parameter), (parameter, path))
        if (own and is_opaque(module)) or module_role(module)[0] == "activation":
            outputs[path] = module
    if updated.isdisjoint(seen):
        raise OptionError(
            f"The optimizer ({type(optimizer).__name__}, {len(updated)} parameters) has none of the {len(seen)} "
            f"parameters of the model ({type(model).__name__}): there is nothing to watch. Give the model whose "
            "parameters() the optimizer was made with."
        )
    return Watched(
        parameters=tuple(parameter for parameter, _ in seen.values()),
        layers=tuple(path for _, path in seen.values()),
        updated=tuple(key in updated for key in seen),
        outputs=outputs,
    )
