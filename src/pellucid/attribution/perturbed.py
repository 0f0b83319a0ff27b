"""Occlusion and RISE: what the score does when parts of the input are covered. They need forwards only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.attribution.batches import Copies, Mean, relative_error
from pellucid.attribution.features import id_in_place, one_input
from pellucid.attribution.masks import of_numbers, without_numbers
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.positions import on_axes, position_axes
from pellucid.attribution.trees import floating, merged
from pellucid.capture.trees import along
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Passes


@register
@dataclass(frozen=True)
class Occlusion(Method):
    """How much the score falls when a window of the input is filled: the mean over all windows that cover a position.

    Attributes:
        window: extent of the window along each position axis (all but batch and channel; of a table, its columns); one
            number for all axes. None for an eighth of the extent. Of an input of three axes the model tells which one counts
            positions; two numbers are for both axes behind the batch, and decide themselves: (1, features) is one step.
        stride: by how much it moves, at most the window; None for half of it. A last window at the edge covers what is left.
        fill: what covered values become.
        batch_size: rows at a time; None for the size that is best on the device.

    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2.
    """

    name: ClassVar[str] = "occlusion"
    title: ClassVar[str] = "Occlusion"
    cost: ClassVar[Cost] = "passes"
    explains_layers: ClassVar[bool] = False

    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    fill: float = 0.0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for what, given in (("window", self.window), ("stride", self.stride)):
            sizes = () if given is None else (given,) if isinstance(given, int) else tuple(given)
            if any(one < 1 for one in sizes):
                raise OptionError(f"Occlusion's {what} is 1 or more along each axis; got {given}.")

    def explain(self, problem: Problem) -> Maps:
        """Maps of the one input, the same on all channels; the error is over the windows of a position.

        Of token ids, a window's tokens become the id `fill`.

        Raises: MethodError: the input is not one, or of three axes of which the model does not tell which counts positions.
        """
        leaves, leaf, spent, notes = covered(problem, self.title, self.fill)
        axes = self._axes(problem, leaf)
        extents = tuple(leaf.shape[axis] for axis in axes)
        window = self._along(self.window, extents, "window", tuple(max(extent // 8, 1) for extent in extents))
        stride = self._along(self.stride, extents, "stride", tuple(max(one // 2, 1) for one in window))
        sizes = zip(extents, window, stride, strict=True)
        if any(length < min(extent, step) for extent, length, step in sizes):
            raise OptionError(
                f"Occlusion's stride must not be larger than its window, or positions between windows are never covered; got "
                f"a stride of {stride} and a window of {window} on positions {extents}."
            )
        windows = _windows(extents, window, stride)
        total, square, count = (torch.zeros(len(leaf), *extents, dtype=torch.float64) for _ in range(3))
        copies = Copies(problem, self.name, len(windows), self.batch_size)

        def cover(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
            def filled(one: Tensor) -> Tensor:
                one = one.clone()
                for row, number in enumerate(numbers.tolist()):
                    one[_place(row, windows[number], axes, one.ndim)] = self.fill
                return one

            return changed(tree, filled, leaves)

        with problem.view() as view:
            scores = view.scores(problem.inputs)
            kept = scores.double().cpu()

            def work(tree: Any, rows: Tensor, numbers: Tensor) -> Tensor:
                return view.scores(tree, rows, len(leaf)).double().cpu()

            def estimate() -> Any:
                return changed(leaves, lambda one: _spread(total / count.clamp(min=1), one, axes), leaves)

            def error() -> Any:
                spread = (square / count - (total / count).square()).clamp(min=0)
                off = (spread / (count - 1)).sqrt()
                return changed(leaves, lambda one: _spread(off, one, axes), leaves)

            def sure() -> float | None:
                return relative_error(estimate(), error())

            for found, rows, numbers in copies.run(view, cover, work, estimate, sure):
                for row, number, score in zip(rows.tolist(), numbers.tolist(), found, strict=True):
                    fall = kept[row] - score
                    place = (row, *windows[number])
                    total[place] += fall
                    square[place] += fall * fall
                    count[place] += 1
        view.passes.add(spent)
        return Maps(
            estimate(),
            {},
            scores,
            view.passes,
            error=error(),
            warnings=(*notes, *copies.warnings),
        )

    def _axes(self, problem: Problem, leaf: Tensor) -> tuple[int, ...]:
        if leaf.ndim == 3 and isinstance(self.window, tuple | list) and len(self.window) == 2:
            return 1, 2
        instead = (
            f"Give Occlusion's window as two numbers: (1, {leaf.shape[-1]}) covers places of the second axis, "
            f"({leaf.shape[1]}, 1) those of the last."
        )
        return position_axes(problem, leaf, self.title, instead)

    def _along(
        self, given: int | tuple[int, ...] | None, extents: tuple[int, ...], what: str, default: tuple[int, ...]
    ) -> tuple[int, ...]:
        if given is None:
            return default
        sizes = (given,) * len(extents) if isinstance(given, int) else tuple(given)
        limit = extents if what == "window" else tuple(math.inf for _ in extents)
        if len(sizes) != len(extents) or any(not 1 <= one <= most for one, most in zip(sizes, limit, strict=True)):
            raise OptionError(f"Occlusion's {what} must fit into the positions {extents} of the input; got {given}.")
        return sizes


@register
@dataclass(frozen=True)
class Rise(Method):
    """The mean score under random masks, of the masks that leave a position visible (RISE).

    Attributes:
        masks: how many, the same for all examples.
        cells: random cells along each side; upsampled with a random shift.
        visible: probability that a cell is.
        seed: of the masks; the global random state is not touched.
        batch_size: rows at a time; None for the size that is best on the device.

    Source: Petsiuk, Das & Saenko 2018, arXiv:1806.07421, eq. 6, divided by the expected number of visible masks.
    """

    name: ClassVar[str] = "rise"
    title: ClassVar[str] = "RISE"
    cost: ClassVar[Cost] = "passes"
    explains_layers: ClassVar[bool] = False

    masks: int = 1000
    cells: int = 7
    visible: float = 0.5
    seed: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.masks < 2 or self.cells < 1 or not 0 < self.visible < 1:
            raise OptionError(
                "RISE needs 2 masks or more, 1 cell or more and a probability between 0 and 1; got "
                f"masks={self.masks}, cells={self.cells}, visible={self.visible}."
            )

    def explain(self, problem: Problem) -> Maps:
        """Maps of the one input with height and width, with their standard error over the masks."""
        leaves = of_numbers(problem.inputs, problem.model)
        leaf = only_leaf(leaves, self.title, problem.inputs)
        if leaf.ndim != 4:
            raise MethodError(
                f"RISE masks inputs of shape (batch, channel, height, width); got {tuple(leaf.shape)}. For others: occlusion."
            )
        size = (leaf.shape[2], leaf.shape[3])
        copies = Copies(problem, self.name, self.masks, self.batch_size)
        sums = Mean()

        def masks(numbers: Tensor) -> Tensor:
            drawn = {number: self.mask(number, size) for number in sorted(set(numbers.tolist()))}
            return torch.stack([drawn[number] for number in numbers.tolist()])

        def cover(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
            return changed(tree, lambda one: one * masks(numbers)[:, None].to(one), leaves)

        with problem.view() as view:
            scores = view.scores(problem.inputs)

            def work(tree: Any, rows: Tensor, numbers: Tensor) -> Tensor:
                return view.scores(tree, rows, len(leaf)).double().cpu()

            def estimate() -> Any:
                return changed(leaves, lambda one: _spread(sums.mean(0), one, (2, 3)))

            def error() -> Any:
                return changed(leaves, lambda one: _spread(sums.error(0), one, (2, 3)))

            def sure() -> float | None:
                return relative_error(estimate(), error())

            for found, rows, numbers in copies.run(view, cover, work, estimate, sure):
                sums.add(0, found[:, None, None] * masks(numbers).double() / self.visible, rows, len(leaf))
        return Maps(
            estimate(),
            {},
            scores,
            view.passes,
            error=error(),
            warnings=tuple(copies.warnings),
        )

    def mask(self, number: int, size: tuple[int, int]) -> Tensor:
        """Mask number `number`, float[height width] in [0, 1]: the same for a seed, whatever batch it comes in."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        cells = (torch.rand(self.cells, self.cells, generator=generator, dtype=torch.float32) < self.visible).float()
        high, wide = (math.ceil(extent / self.cells) for extent in size)
        rows, columns = (_between_cells(self.cells, (self.cells + 1) * step) for step in (high, wide))
        grown = rows @ cells @ columns.T
        down, right = (int(torch.randint(step, (1,), generator=generator)) for step in (high, wide))
        return grown[down : down + size[0], right : right + size[1]]


def _between_cells(cells: int, positions: int) -> Tensor:
    """What each cell has of each position, float[position cell]: linear between the cells' middles, mirrored beyond the outer ones.

    So do the masks of the paper's authors; an outer cell drawn out to the border would vary more there than within.
    """
    places = (torch.arange(positions, dtype=torch.float32) + 0.5) * cells / positions - 0.5
    before = places.floor()
    shares = torch.zeros(positions, cells, dtype=torch.float32)
    for side, share in ((before, 1 - (places - before)), (before + 1, places - before)):
        mirrored = side.abs()
        mirrored = torch.minimum(mirrored, 2 * (cells - 1) - mirrored).clamp(min=0)
        shares.scatter_add_(1, mirrored.long()[:, None], share[:, None])
    return shares


def covered(problem: Problem, title: str, fill: float | Tensor) -> tuple[Any, Tensor, Passes, tuple[str, ...]]:
    """The one input whose positions a method fills, of numbers or token ids: in a tree with None elsewhere, and alone.

    Third is what it cost to find it, fourth what to warn of.

    Raises: MethodError: there is none, or more than one. OptionError: ids cannot become `fill`.
    """
    leaves = of_numbers(problem.inputs, problem.model)
    if next(tensors_in(leaves), None) is not None:
        return leaves, only_leaf(leaves, title, problem.inputs), Passes(), ()
    leaf, passes, notes = one_input(problem, title)
    id_in_place(fill, title)
    return along(lambda one: one if one is leaf else None, problem.inputs), leaf, passes, notes


def only_leaf(inputs: Any, title: str, given: Any = None) -> Tensor:
    """The one input of numbers. Raises: MethodError: there is none, or more than one, as the message says of all that is given."""
    leaves = list(tensors_in(floating(inputs)))
    if not leaves:
        raise MethodError(
            f"{title} covers one input of numbers with positions. {without_numbers(inputs if given is None else given)}"
        )
    if len(leaves) != 1 or leaves[0].ndim < 2:
        raise MethodError(
            f"{title} covers one input of numbers with positions; got {len(leaves)} inputs of numbers, of shapes "
            f"{[tuple(leaf.shape) for leaf in leaves]}."
        )
    return leaves[0]


def changed(tree: Any, change: Callable[[Tensor], Tensor], leaves: Any = None) -> Any:
    """The tree with the leaves changed that another tree like it has, and those alone; its leaves of numbers where None."""
    return merged(along(lambda _, leaf: change(leaf), floating(tree) if leaves is None else leaves, tree), tree)


def _windows(extents: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """All windows; along each axis the last one ends at the edge."""
    found: list[tuple[slice, ...]] = [()]
    for extent, length, step in zip(extents, window, stride, strict=True):
        starts = [*range(0, extent - length, step), extent - length]
        found = [(*before, slice(start, start + length)) for before in found for start in starts]
    return found


def _place(row: int, window: tuple[slice, ...], axes: tuple[int, ...], axes_in_all: int) -> tuple[int | slice, ...]:
    """Where a window along these axes lies in a batch."""
    along = dict(zip(axes, window, strict=True))
    return (row, *(along.get(axis, slice(None)) for axis in range(1, axes_in_all)))


def _spread(map_: Tensor, like: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A map of positions, which these axes count, on every channel of an input; on ids in the default type of numbers."""
    dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
    return on_axes(map_, like, axes).to(like.device, dtype).expand_as(like)
