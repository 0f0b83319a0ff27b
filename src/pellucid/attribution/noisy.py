"""SmoothGrad and VarGrad: the mean and the variance of the gradient over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.attribution.batches import Copies, Mean, relative_error
from pellucid.attribution.masks import of_numbers, without_numbers
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.trees import merged, numbered
from pellucid.attribution.whole_numbers import moved
from pellucid.capture.trees import along, batch_size
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in


@dataclass(frozen=True)
class _Noisy(Method):
    """Gradients of noisy copies, streamed: memory does not grow with the number of samples.

    Attributes:
        samples: noisy copies of each example.
        noise: standard deviation of the noise, as a part of the example's range (maximum - minimum) of each input.
        seed: of the noise; the global random state is not touched.
        batch_size: rows at a time; None for the size that is best on the device.
    """

    cost: ClassVar[Cost] = "passes"
    names_layers: ClassVar[bool] = True

    samples: int = 50
    noise: float = 0.15
    seed: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise OptionError(f"{self.title} needs 2 samples or more; got {self.samples}.")
        if not 0 <= self.noise < float("inf"):
            raise OptionError(f"{self.title}'s noise is a part of the input's range, 0 or more; got {self.noise}.")

    def explain(self, problem: Problem) -> Maps:
        """Maps of the inputs with their standard error, and of the layers that were named.

        Raises: MethodError: no input is of numbers.
        """
        leaves = of_numbers(problem.inputs, problem.model)
        if next(tensors_in(leaves), None) is None:
            raise MethodError(
                f"{self.title} adds noise to inputs of numbers, one dense entry an example. {without_numbers(problem.inputs)}"
            )
        examples = batch_size(problem.inputs)
        sums, copies = Mean(), Copies(problem, self.name, self.samples, self.batch_size)

        def vary(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
            return _noised(tree, leaves, rows, numbers, self.noise, self.seed)

        types: dict[str, torch.dtype] = {}
        first = len(list(tensors_in(leaves)))  # layers are counted after the inputs
        with problem.view(problem.layers) as view, moved(problem, self.title):
            scores = view.scores(problem.inputs)

            def gradients(tree: Any, rows: Tensor, numbers: Tensor) -> tuple[Any, Mapping[str, Tensor]]:
                seen = view.explain(tree, rows, examples)
                # An input that the score does not depend on has no gradient.
                slopes = along(
                    lambda leaf, slope: leaf.new_zeros(len(rows), *leaf.shape[1:]) if slope is None else slope,
                    leaves,
                    seen.input_gradients,
                )
                return slopes, seen.gradients

            def spread() -> float | None:
                return relative_error(self._map(sums, leaves), self._errors(sums, leaves))

            for (found, slopes), rows, _ in copies.run(view, vary, gradients, lambda: self._map(sums, leaves), spread):
                types = {name: slope.dtype for name, slope in slopes.items()}
                for place, gradient in enumerate([*tensors_in(found), *slopes.values()]):
                    sums.add(place, self._sample(gradient), rows, examples)
        layers = {name: self._estimate(sums, first + at).to(kind) for at, (name, kind) in enumerate(types.items())}
        return Maps(
            self._map(sums, leaves),
            layers,
            scores,
            view.passes,
            error=self._errors(sums, leaves),
            warnings=tuple(copies.warnings),
        )

    def _map(self, sums: Mean, leaves: Any) -> Any:
        return numbered(leaves, lambda place, leaf: self._estimate(sums, place).to(leaf.dtype))

    def _errors(self, sums: Mean, leaves: Any) -> Any:
        return numbered(leaves, lambda place, leaf: self._error(sums, place).to(leaf.dtype))

    def _sample(self, gradient: Tensor) -> Tensor:
        return gradient

    def _estimate(self, sums: Mean, place: int) -> Tensor:
        return sums.mean(place)

    def _error(self, sums: Mean, place: int) -> Tensor:
        return sums.error(place)


@register
@dataclass(frozen=True)
class SmoothGrad(_Noisy):
    """The mean of |gradient| over noisy copies, or of the gradient itself.

    Attributes:
        absolute: whether the gradient's size is averaged, as the paper does for images, or the gradient.

    Source: Smilkov et al. 2017, arXiv:1706.03825, section 2.
    """

    name: ClassVar[str] = "smoothgrad"
    title: ClassVar[str] = "SmoothGrad"

    absolute: bool = True

    def _sample(self, gradient: Tensor) -> Tensor:
        return gradient.abs() if self.absolute else gradient


@register
@dataclass(frozen=True)
class VarGrad(_Noisy):
    """The variance of the gradient over noisy copies: where the slope is not the same all around.

    Its standard error is that of the variance of normal samples.
    Source: Adebayo et al. 2018, arXiv:1810.03307, section 2; Hooker et al. 2019, arXiv:1806.10758.
    """

    name: ClassVar[str] = "vargrad"
    title: ClassVar[str] = "VarGrad"

    def _estimate(self, sums: Mean, place: int) -> Tensor:
        return sums.variance(place)

    def _error(self, sums: Mean, place: int) -> Tensor:
        return sums.variance(place) * (2 / (sums.count(place) - 1)).sqrt()


def _noised(tree: Any, leaves: Any, rows: Tensor, numbers: Tensor, noise: float, seed: int) -> Any:
    """The rows with noise that depends on the seed, the example and the copy alone, whatever batch they come in."""
    # One generator a copy for all inputs: of two alike each has noise of its own.
    drawing = {n: torch.Generator().manual_seed(seed * 1_000_003 + n) for n in sorted(set(numbers.tolist()))}

    def noisy(leaf: Tensor, original: Tensor) -> Tensor:
        drawn = []
        for number, generator in drawing.items():
            whole = torch.randn(original.shape, generator=generator, dtype=torch.float32)
            drawn.append(whole[rows[numbers == number]])
        flat = leaf.reshape(len(leaf), -1)
        scale = (flat.amax(1) - flat.amin(1)) * noise
        return leaf + torch.cat(drawn).to(leaf) * scale.reshape(-1, *(1,) * (leaf.ndim - 1))

    moved = along(lambda original, leaf: noisy(leaf, original), leaves, tree)
    return merged(moved, tree)
