"""A model's modules and parameters, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Parts:
    """What a model is made of, from one walk over it.

    Attributes:
        model: the model.
        modules: every module once, in order.
        paths: path of every module by the module's id; one that is registered twice has the first of its paths.
        parameters: every parameter once, in order, by its first name.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules: list[nn.Module] = []
        self.paths: dict[int, str] = {}
        for path, module in model.named_modules():
            self.paths[id(module)] = path
            self.modules.append(module)
        self.parameters: dict[str, nn.Parameter] = {}
        seen: set[int] = set()
        for name, parameter in self._named():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                self.parameters[name] = parameter

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        kind = type(self.model)
        if kind.parameters is not nn.Module.parameters or kind.named_parameters is not nn.Module.named_parameters:
            yield from self.model.named_parameters()  # the model's own idea of what it learns
            return
        for module in self.modules:
            path = self.paths[id(module)]
            for name, parameter in own_parameters(module).items():
                yield f"{path}.{name}" if path else name, parameter


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """A module's parameters without those of what it holds."""
    if isinstance(module, torch.jit.ScriptModule):
        return dict(module.named_parameters(recurse=False))
    # What `named_parameters` gives too, which walks over the module's insides to tell that it need not.
    return {name: parameter for name, parameter in module._parameters.items() if parameter is not None}
