"""Parts of an input that are there or not, as perturbation methods count them: cells of images, tokens, steps, columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.attribution.embedded import embeddings
from pellucid.attribution.lookups import words
from pellucid.attribution.masks import of_numbers
from pellucid.attribution.methods import Problem
from pellucid.attribution.positions import position_axes
from pellucid.attribution.trees import paths
from pellucid.capture.trees import along
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Passes


@dataclass(frozen=True)
class Features:
    """What of one input is a feature.

    Attributes:
        leaf: the input, of numbers or token ids.
        mask: int64, the leaf's shape: which feature each number belongs to, from 0.
        count: how many features there are.
        absent: the leaf's shape and type: what takes the place of a feature that is not there.
        passes: what it cost to find out.
        notes: in words, which inputs of ids stay as they are.
    """

    leaf: Tensor
    mask: Tensor
    count: int
    absent: Tensor
    passes: Passes
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, problem: Problem, title: str, given: Tensor | None, cells: int, baseline: float | Tensor) -> Features:
        """The features of the one input that can be explained.

        Args:
            problem: whose inputs.
            title: of the method, for messages.
            given: superpixels, words, groups of columns: integers from 0 that broadcast to the input; None for cells of an
                image, the tokens of a text, the steps of a series, the columns of a table.
            cells: along each side of an image.
            baseline: what stands where a feature is absent; it broadcasts to the input.

        Raises: MethodError: the inputs are not one, or of three axes of which the model does not tell which counts steps.
            OptionError.
        """
        leaf, passes, notes = one_input(problem, title)
        usual = _usual(problem, leaf, title, cells) if given is None else None
        try:
            absent = torch.as_tensor(baseline).to(leaf).expand_as(leaf)
            mask = usual if usual is not None else torch.as_tensor(given).to(leaf.device)
            whole = mask.expand_as(leaf)
        except (RuntimeError, TypeError) as error:
            raise OptionError(
                f"{title}'s features and baseline must broadcast to the input {tuple(leaf.shape)}: {error}."
            ) from error
        if whole.is_floating_point() or whole.dtype == torch.bool or int(whole.min()) < 0:
            raise OptionError(f"{title}'s features are integers from 0 on; got {whole.dtype}, from {whole.min()} on.")
        count = int(whole.max()) + 1
        if count < 2:
            raise OptionError(f"{title} compares features with each other: it needs 2 or more; got {count}.")
        return cls(leaf, whole.long(), count, absent, passes, notes)

    def shown(self, example: int, there: Tensor) -> Tensor:
        """Copies of an example with some features, the others absent.

        Args:
            example: its place in the batch.
            there: bool[copies feature].

        Returns: copies of the leaf's row.
        """
        at = there.to(self.leaf.device)[:, self.mask[example]]
        return torch.where(at, self.leaf[example], self.absent[example])

    def spread(self, values: Tensor) -> Tensor:
        """Features' values on the input, a feature's in equal parts on its numbers: a map adds up to what its features do.

        Args:
            values: float64[batch feature].

        Returns: float64, the leaf's shape.
        """
        flat = self.mask.flatten(1)
        sizes = torch.zeros(len(flat), self.count, dtype=torch.float64, device=flat.device)
        sizes.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64))
        parts = values.to(flat.device) / sizes.clamp_min(1)
        found: Tensor = parts.gather(1, flat).reshape(self.mask.shape)
        return found

    def on(self, tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
        """A tree like the inputs with something in the leaf's place, None elsewhere."""
        return along(lambda leaf: change(leaf) if leaf is self.leaf else None, tree)


def one_input(problem: Problem, title: str) -> tuple[Tensor, Passes, tuple[str, ...]]:
    """The input of numbers, ids alone, or those of the words that an embedding looks up: its cost, and what is beside them.

    Raises: MethodError: the inputs are not one of these.
    """
    numbers = list(tensors_in(of_numbers(problem.inputs, problem.model)))
    passes = Passes()
    notes: tuple[str, ...] = ()
    given = list(tensors_in(problem.inputs))
    if not numbers and len(given) == 1 and _are_ids(given[0]):
        return given[0], passes, notes  # whatever looks them up
    if not numbers:
        outputs, found, _ = embeddings(problem, f"{title} hides features of one input")
        passes.add(found[0].passes)
        numbers = list(tensors_in(along(lambda _, leaf: leaf, outputs, problem.inputs)))
        main = words([one.read.look_up.table for one in found])
        if len(numbers) > 1 and main is not None and all(leaf.shape == numbers[main].shape for leaf in numbers):
            named = zip(paths(problem.inputs), tensors_in(problem.inputs), strict=True)
            names = {id(leaf): f"'{name}'" for name, leaf in named}
            others = ", ".join(names[id(leaf)] for place, leaf in enumerate(numbers) if place != main)
            notes = (f"Only tokens of {names[id(numbers[main])]} are hidden; as given: {others}.",)
            numbers = [numbers[main]]
    if len(numbers) != 1 or numbers[0].ndim < 2:
        raise MethodError(
            f"{title} hides features of one input, of numbers or token ids; got {len(numbers)} of shapes "
            f"{[tuple(leaf.shape) for leaf in numbers]}."
        )
    return numbers[0], passes, notes


def id_in_place(fill: float | Tensor, title: str) -> None:
    """Raises: OptionError: what takes the place of token ids is no id."""
    if bool((torch.as_tensor(fill) % 1 != 0).any()):
        raise OptionError(f"{title} puts an id in the place of token ids: fill must be whole; got {fill}.")


def _are_ids(leaf: Tensor) -> bool:
    """Whether it is of integers, (batch, token)."""
    numbers = leaf.is_floating_point() or leaf.is_complex() or leaf.dtype == torch.bool
    return not numbers and leaf.ndim == 2 and leaf.layout is torch.strided


def _usual(problem: Problem, leaf: Tensor, title: str, cells: int) -> Tensor:
    """Cells of images, tokens or columns of (batch, token), steps or positions of three axes wherever they lie."""
    if leaf.ndim == 2 or not leaf.is_floating_point():
        return torch.arange(leaf[0].numel(), device=leaf.device).reshape(leaf.shape[1:])
    if leaf.ndim == 3:
        instead = (
            f"Give {title}'s features: torch.arange({leaf.shape[1]})[:, None] for the second axis, "
            f"torch.arange({leaf.shape[2]}) for the last."
        )
        (axis,) = position_axes(problem, leaf, title, instead)
        steps = torch.arange(leaf.shape[axis], device=leaf.device)
        return steps[:, None] if axis == 1 else steps
    found = torch.zeros((), dtype=torch.int64, device=leaf.device)
    for extent in leaf.shape[2:]:
        along = min(cells, extent)
        found = found[..., None] * along + torch.arange(extent, device=leaf.device) * along // extent
    return found
