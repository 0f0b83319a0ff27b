"""A model's modules and parameters, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator


_PACKED = frozenset({"LinearPackedParams", "PackedParameter"})


class Parts:
    """What a model is made of, from one walk over it.

    Attributes:
        model: the model.
        modules: every module once, in order.
        paths: path of every module by the module's id; one that is registered twice has the first of its paths.
        parameters: every parameter once, in order, by its first name.
        own: the parameters of each module without those of what it holds, by the module's id.
        shared: whether a module or a parameter may stand at several places.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules: list[nn.Module] = []
        self.paths: dict[int, str] = {}
        if not self._walked(model, ""):
            self.modules, self.paths = [], {}
            for path, module in model.named_modules():
                self.paths[id(module)] = path
                self.modules.append(module)
        self.own = {id(module): own_parameters(module) for module in self.modules}
        self.parameters: dict[str, nn.Parameter] = {}
        seen: set[int] = set()
        for name, parameter in self._named():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                self.parameters[name] = parameter
        places = sum([len(module._modules) for module in self.modules]), sum(map(len, self.own.values()))
        self.shared = (
            places != (len(self.modules) - 1, len(self.parameters))
            or self._chooses()
            or any(isinstance(module, torch.jit.ScriptModule) for module in self.modules)
        )

    def _chooses(self) -> bool:
        """Whether the model has an idea of its own of what it learns."""
        kind = type(self.model)
        return kind.parameters is not nn.Module.parameters or kind.named_parameters is not nn.Module.named_parameters

    def _walked(self, module: nn.Module, path: str) -> bool:
        """Walks as `named_modules` does, in a quarter of the time; False where a class has a walk of its own."""
        if type(module).named_modules is not nn.Module.named_modules:
            return False
        self.paths[id(module)] = path
        self.modules.append(module)
        for name, part in module._modules.items():
            if part is None or id(part) in self.paths:
                continue
            if not self._walked(part, f"{path}.{name}" if path else name):
                return False
        return True

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        if self._chooses():
            yield from self.model.named_parameters()
            return
        for path, own in zip(self.paths.values(), self.own.values(), strict=True):
            for name, parameter in own.items():
                yield f"{path}.{name}" if path else name, parameter


def is_packed(module: nn.Module) -> bool:
    """Whether it holds weights of a quantised layer, which are packed and no parameters; it is never called."""
    kind = type(module)
    if kind is nn.ModuleList:
        return len(module._modules) > 0 and all(map(is_packed, module.children()))
    return kind.__name__ in _PACKED and kind.__module__.startswith("torch.ao.nn.quantized")


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """A module's parameters without those of what it holds."""
    held = module._parameters
    if type(held) is dict:
        # What `named_parameters` gives too, which walks over the module's insides to tell that it need not.
        return {name: one for name, one in held.items() if one is not None} if held else {}
    if isinstance(module, torch.jit.ScriptModule):
        return dict(module.named_parameters(recurse=False))
    return {name: parameter for name, parameter in held.items() if parameter is not None}
