"""Edits that are planted in tagged models, each with what a difference of both graphs must say."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import nn

from support.tagged_nets import FRESH, Chain, Residual, Wrapper, fresh, tag_of


@dataclass
class Edited:
    """A model that is being edited.

    Attributes:
        planted: what was done: kind of change, tag of the module, what changed.
        taken: tags of modules that no further edit may touch: edits keep apart, so that each can be told.
    """

    model: nn.Module
    rng: random.Random
    planted: list[tuple[str, str, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def take(self, *modules: nn.Module) -> bool:
        """Claims modules and all inside them, if none is claimed yet."""
        tags = {tag_of(inside) for module in modules for inside in module.modules()}
        if tags & self.taken:
            return False
        self.taken |= tags
        return True

    def rows(self) -> list[nn.Module]:
        """Modules that hold others one after the other, in an order by chance."""
        rows = [module for module in self.model.modules() if isinstance(module, nn.Sequential | Chain)]
        self.rng.shuffle(rows)
        return rows

    def places(self, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> list[tuple[nn.Module, str, Any]]:
        """Modules of a kind, as (holder, name, module), in an order by chance."""
        found = [
            (holder, name, module)
            for holder in self.model.modules()
            for name, module in holder.named_children()
            if isinstance(module, kind)
        ]
        self.rng.shuffle(found)
        return found


def names(row: nn.Module) -> list[str]:
    """What a row holds, in order."""
    return list(row.parts) if isinstance(row, Chain) else [name for name, _ in row.named_children()]


def refill(row: nn.Module, parts: list[tuple[str, nn.Module]]) -> None:
    """Puts other modules into a row; those of a Sequential are numbered anew."""
    for name in names(row):
        delattr(row, name)
    if isinstance(row, Chain):
        row.parts = [name for name, _ in parts]
    numbered = not isinstance(row, Chain)
    for number, (name, part) in enumerate(parts):
        row.add_module(str(number) if numbered else name, part)


def _parts(row: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, row.get_submodule(name)) for name in names(row)]


def insert(edited: Edited) -> bool:
    for row in edited.rows():
        parts = _parts(row)
        at = edited.rng.randrange(len(parts) + 1)
        beside = [part for _, part in parts[max(0, at - 1) : at + 1]]
        new = edited.rng.choice((nn.Tanh, nn.Hardswish, nn.Softsign))()
        if edited.take(*beside):
            edited.planted.append(("added", tag_of(new), ""))
            edited.take(new)
            parts.insert(at, (f"new{next(FRESH)}", new))
            refill(row, parts)
            return True
    return False


def delete(edited: Edited) -> bool:
    keeping = (nn.ReLU, nn.ReLU6, nn.GELU, nn.Dropout, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, Residual)
    for row in edited.rows():
        parts = _parts(row)
        sites = [at for at, (_, part) in enumerate(parts) if isinstance(part, keeping) and len(parts) > 1]
        edited.rng.shuffle(sites)
        for at in sites:
            if edited.take(*(part for _, part in parts[max(0, at - 1) : at + 2])):
                edited.planted.append(("removed", tag_of(parts[at][1]), ""))
                del parts[at]
                refill(row, parts)
                return True
    return False


def widen(edited: Edited) -> bool:
    """More outputs of a linear layer or convolution, as many inputs of the one after it."""
    for row in edited.rows():
        parts = _parts(row)
        layers = [at for at, (_, part) in enumerate(parts) if isinstance(part, nn.Linear | nn.Conv2d)]
        for at, following in pairwise(layers):
            between = [part for _, part in parts[at + 1 : following]]
            if any(isinstance(part, nn.Sequential | Chain | Residual | Wrapper | nn.Flatten) for part in between):
                continue
            if not edited.take(*(part for _, part in parts[at : following + 1])):
                continue
            more = _width(parts[at][1]) + 8
            for place in range(at, following + 1):
                name, part = parts[place]
                parts[place] = (
                    name,
                    _resized(part, None if place == at else more, None if place == following else more),
                )
            edited.planted.append(("changed", tag_of(parts[at][1]), "shape"))
            refill(row, parts)
            return True
    return False


def _width(layer: nn.Module) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels  # type: ignore[return-value]


def _resized(part: nn.Module, inputs: int | None, outputs: int | None) -> nn.Module:
    new: nn.Module = part
    if isinstance(part, nn.Linear):
        new = nn.Linear(inputs or part.in_features, outputs or part.out_features)
    elif isinstance(part, nn.Conv2d):
        new = _convolution(part, inputs or part.in_channels, outputs or part.out_channels, part.kernel_size[0])
    elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
        new = type(part)(inputs or part.num_features)
    new.tag = part.tag
    return new


def _convolution(old: nn.Conv2d, inputs: int, outputs: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride=old.stride, padding=side // 2, bias=old.bias is not None)  # type: ignore[arg-type]


def kernel(edited: Edited) -> bool:
    for holder, name, layer in edited.places(nn.Conv2d):
        if layer.groups == 1 and layer.kernel_size[0] in (1, 3) and edited.take(layer):
            new = _convolution(layer, layer.in_channels, layer.out_channels, layer.kernel_size[0] + 2)
            return _replaced(edited, holder, name, new, "arguments")
    return False


def activation(edited: Edited) -> bool:
    for holder, name, layer in edited.places((nn.ReLU, nn.ReLU6, nn.GELU)):
        if edited.take(layer):
            return _replaced(edited, holder, name, edited.rng.choice((nn.SiLU, nn.ELU, nn.Mish))(), "operation")
    return False


def dropout(edited: Edited) -> bool:
    for holder, name, layer in edited.places(nn.Dropout):
        if edited.take(layer):
            return _replaced(edited, holder, name, nn.Dropout(layer.p + 0.05), "arguments")
    return False


def _replaced(edited: Edited, holder: nn.Module, name: str, new: nn.Module, what: str) -> bool:
    new.tag = tag_of(holder.get_submodule(name))  # type: ignore[assignment]
    setattr(holder, name, new)
    edited.planted.append(("changed", str(new.tag), what))
    return True


def swap(edited: Edited) -> bool:
    """Two blocks of different structure change places."""
    for row in edited.rows():
        parts = _parts(row)
        fit = [
            at
            for at, (_, part) in enumerate(parts)
            if isinstance(part, Residual | nn.ReLU | nn.BatchNorm2d | nn.Dropout)
        ]
        pairs = [(one, two) for one, two in pairwise(fit) if two == one + 1]
        edited.rng.shuffle(pairs)
        for one, two in pairs:
            if type(parts[one][1]) is not type(parts[two][1]) and edited.take(parts[one][1], parts[two][1]):
                edited.planted.append(("moved", f"{tag_of(parts[one][1])}|{tag_of(parts[two][1])}", ""))
                parts[one], parts[two] = parts[two], parts[one]
                refill(row, parts)
                return True
    return False


def skip(edited: Edited) -> bool:
    """A block that did not add what goes into it, does; or no longer."""
    for _, _, block in edited.places(Residual):
        if edited.take(block):
            block.skips = not block.skips
            edited.planted.append(("added" if block.skips else "removed", f"{tag_of(block)}:add", ""))
            return True
    return False


def wrap(edited: Edited) -> bool:
    for row in edited.rows():
        parts = _parts(row)
        at = edited.rng.randrange(len(parts))
        name, part = parts[at]
        if edited.take(part):
            parts[at] = (name, Wrapper(part))
            edited.planted += [("added", tag_of(parts[at][1]), ""), ("moved", tag_of(part), "")]
            edited.take(parts[at][1])
            refill(row, parts)
            return True
    return False


def rename(edited: Edited) -> bool:
    for row in edited.rows():
        if isinstance(row, Chain):
            parts = _parts(row)
            at = edited.rng.randrange(len(parts))
            if edited.take(parts[at][1]):
                edited.planted.append(("changed", tag_of(parts[at][1]), "name"))
                parts[at] = (f"renamed{next(FRESH)}", parts[at][1])
                refill(row, parts)
                return True
    return False


def duplicate(edited: Edited) -> bool:
    for row in edited.rows():
        parts = _parts(row)
        sites = [at for at, (_, part) in enumerate(parts) if isinstance(part, Residual) or _is_block(part)]
        edited.rng.shuffle(sites)
        for at in sites:
            # A changed twin beside a new copy could as well be the copy: equal ones in the row are left alone.
            if edited.take(*(part for _, part in parts if type(part) is type(parts[at][1]))):
                twin = fresh(copy.deepcopy(parts[at][1]))
                edited.take(twin)
                edited.planted.append(("added", tag_of(twin), ""))
                parts.insert(at + 1, (f"new{next(FRESH)}", twin))
                refill(row, parts)
                return True
    return False


def tie(edited: Edited) -> bool:
    """A linear layer reads the weight of an earlier one of its size."""
    layers = [layer for layer in edited.model.modules() if isinstance(layer, nn.Linear)]
    pairs = [(one, two) for at, one in enumerate(layers) for two in layers[at + 1 :]]
    edited.rng.shuffle(pairs)
    for one, two in pairs:
        if one.weight.shape == two.weight.shape and edited.take(one, two):
            two.weight = one.weight
            edited.planted.append(("changed", tag_of(two), "parameters"))
            return True
    return False


def _is_block(part: nn.Module) -> bool:
    name = type(part).__name__
    if name == "InvertedResidual":
        return bool(part.use_res_connect)
    return name == "BasicBlock" and part.downsample is None


EDITS = (insert, delete, widen, kernel, activation, dropout, swap, skip, wrap, rename, duplicate, tie)


def edit(model: nn.Module, rng: random.Random, wanted: int) -> Edited:
    """A copy of the model with so many edits, as far as they find places."""
    edited = Edited(copy.deepcopy(model), rng)
    for _ in range(wanted):
        order = rng.sample(EDITS, len(EDITS))
        next((True for change in order if change(edited)), None)
    return edited
