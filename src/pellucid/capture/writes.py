"""Parameters that a forward writes to (an embedding's max_norm, say), put back without a copy of those it leaves alone.

Watching every operator costs as much as some of them: a tenth of a small network's forward. Of a model whose first forward
wrote to nothing a copy is kept instead, and later forwards are compared by the parameters' versions. Of a model too large
to be held twice every forward is watched: its operators are large too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from pellucid.graph.guard import ParameterGuard
from pellucid.graph.interception import Operators
from pellucid.graph.parts import Parts

MOST_KEPT = 256 << 20  # bytes of parameters


@dataclass(frozen=True)
class _Kept:
    """What the parameters of a model held, whose watched forward wrote to none of them.

    Attributes:
        identities: of the parameters, in order.
        versions: which of their values were copied, in order.
        values: the copies, in order.
    """

    identities: tuple[int, ...]
    versions: list[int]
    values: list[Tensor]

    def refresh(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Copies anew what was changed since (by a step of training, say)."""
        for place, parameter in enumerate(parameters.values()):
            if parameter._version != self.versions[place]:
                self.values[place] = parameter.detach().clone()
                self.versions[place] = parameter._version


_quiet: WeakKeyDictionary[nn.Module, _Kept] = WeakKeyDictionary()


class Writes:
    """What a session's forwards write to the parameters of its model.

    Args:
        parts: of the model whose parameters are watched.

    Attributes:
        parameters: by name.
    """

    def __init__(self, parts: Parts) -> None:
        self._model = parts.model
        self.parameters = parts.parameters
        self._identities = tuple(map(id, self.parameters.values()))
        self._kept = _known(self._model, self._identities)
        self._written: list[tuple[nn.Parameter, Tensor]] = []
        self._guard: ParameterGuard | None = None
        if self._kept is not None:
            self._kept.refresh(self.parameters)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Entered around each forward. What it writes to is put back by `restore`, also after an error."""
        if self._kept is not None:
            before = [parameter._version for parameter in self.parameters.values()]
            try:
                yield
            finally:
                self._compare(before, self._kept)
        else:
            self._guard = self._guard or ParameterGuard(self._model, self.parameters.values())
            with Operators(self._guard.before, lambda *ignored: None):
                yield
            if not self._guard.wrote and self._keepable():
                self._kept = _remember(self._model, self._identities, self.parameters)

    def restore(self) -> None:
        """Puts back what was written to."""
        if self._guard is not None:
            self._guard.restore()
        with torch.no_grad():
            for parameter, value in self._written:
                parameter.copy_(value)
        self._written.clear()

    def _keepable(self) -> bool:
        parameters = self.parameters.values()
        if any(parameter.is_inference() for parameter in parameters):  # these have no versions
            return False
        return sum(parameter.numel() * parameter.element_size() for parameter in parameters) <= MOST_KEPT

    def _compare(self, before: list[int], kept: _Kept) -> None:
        """Notes what a forward wrote to that had not written before; the model is watched again from the next session on."""
        for parameter, version, value in zip(self.parameters.values(), before, kept.values, strict=True):
            if parameter._version != version:
                _quiet.pop(self._model, None)
                if all(parameter is not one for one, _ in self._written):
                    self._written.append((parameter, value))


def _known(model: nn.Module, identities: tuple[int, ...]) -> _Kept | None:
    try:
        kept = _quiet.get(model)
    except TypeError:  # a module with an equality of its own cannot be remembered
        return None
    return kept if kept is not None and kept.identities == identities else None


def _remember(model: nn.Module, identities: tuple[int, ...], parameters: Mapping[str, nn.Parameter]) -> _Kept:
    versions = [parameter._version for parameter in parameters.values()]
    kept = _Kept(identities, versions, [parameter.detach().clone() for parameter in parameters.values()])
    with suppress(TypeError):
        _quiet[model] = kept
    return kept
