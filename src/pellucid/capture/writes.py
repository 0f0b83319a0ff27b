"""Parameters that a forward writes to (an embedding's max_norm, say), put back without a copy of those it leaves alone.

Watching every operator costs as much as some of them: a tenth of a small network's forward. It is done at the first
forward of a model; where that wrote to nothing, later ones are compared by the parameters' versions alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from torch import nn

from pellucid.errors import ForwardError
from pellucid.graph.guard import ParameterGuard
from pellucid.graph.interception import Operators

_quiet: WeakKeyDictionary[nn.Module, tuple[int, ...]] = WeakKeyDictionary()
"""Models whose watched forward wrote to no parameter, with the identities of the parameters they had then."""


class Writes:
    """What a session's forwards write to the parameters of its model.

    Args:
        model: whose parameters are watched.

    Attributes:
        parameters: by name.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.parameters = dict(model.named_parameters())
        self._identities = tuple(map(id, self.parameters.values()))
        self._countable = not any(parameter.is_inference() for parameter in self.parameters.values())
        self._quiet = self._countable and _known(model) == self._identities
        self._guard: ParameterGuard | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Entered around each forward. What the first one writes to is put back by `restore`, also after an error.

        Raises: ForwardError: this forward wrote to a parameter, and the one that was watched had not.
        """
        if self._quiet:
            before = [parameter._version for parameter in self.parameters.values()]
            yield
            self._compare(before)
        elif self._guard is not None:
            yield  # what it writes to was copied at the first
        else:
            self._guard = ParameterGuard(self._model)
            with Operators(self._guard.before, lambda *ignored: None):
                yield
            if self._countable and not self._guard.wrote:
                _remember(self._model, self._identities)

    def restore(self) -> None:
        """Puts back what was written to."""
        if self._guard is not None:
            self._guard.restore()

    def _compare(self, before: list[int]) -> None:
        for (name, parameter), version in zip(self.parameters.items(), before, strict=True):
            if parameter._version != version:
                _quiet.pop(self._model, None)
                raise ForwardError(
                    f"The model wrote to its parameter '{name}' in this forward, and had not in an earlier one, so that no "
                    "copy was taken. Load its weights again; from now on they are put back."
                )


def _known(model: nn.Module) -> tuple[int, ...] | None:
    try:
        return _quiet.get(model)
    except TypeError:  # a module with an equality of its own cannot be remembered
        return None


def _remember(model: nn.Module, identities: tuple[int, ...]) -> None:
    try:
        _quiet[model] = identities
    except TypeError:
        return
