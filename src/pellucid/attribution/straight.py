"""The straight way from a baseline to the input, of numbers or of embedded tokens: what the model does on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pellucid.attribution.embedded import Embedding, replaced
from pellucid.attribution.trees import merged, numbered
from pellucid.capture.trees import along
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pellucid.attribution.methods import View
    from pellucid.capture import Captured
    from pellucid.types import Layer


@dataclass(frozen=True)
class Way:
    """A line of inputs.

    Attributes:
        model: that is called.
        leaves: where the line ends: the inputs of numbers, or what embeddings give for those of ids; a tree like the inputs.
        start: where it begins, the same tree.
        layers: captured on it.
        embeddings: whose outputs the leaves are, in order; empty where they are inputs.
        warnings: in words, of what else of the inputs the score depends on.
    """

    model: nn.Module
    leaves: Any
    start: Any
    layers: tuple[Layer, ...]
    embeddings: tuple[Embedding, ...] = ()
    warnings: tuple[str, ...] = ()

    def beginning(self, view: View, inputs: Any, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores and layers at the baseline."""
        if not self.embeddings:
            return view.outputs(merged(self.start, inputs), rows, len(rows))
        with replaced(self.model, self.embeddings, list(tensors_in(self.start))):
            return self.outputs(view, inputs, rows, len(rows))

    def outputs(
        self, view: View, inputs: Any, rows: Tensor | None = None, batch: int | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores and layers of inputs as they are."""
        scores, layers = view.outputs(inputs, rows, batch)
        return scores, self._upright(layers)

    def explained(
        self, view: View, tree: Any, rows: Tensor, parts: Tensor, batch: int
    ) -> tuple[Captured, list[Tensor]]:
        """One forward and one backward of rows so far along the way, and the gradients there, in the leaves' order.

        Args:
            view: on the model.
            tree: the inputs of the rows.
            rows: the example of each.
            parts: in [0, 1], how far each is.
            batch: number of examples.
        """

        def between(leaf: Tensor, first: Tensor) -> Tensor:
            part = parts.to(leaf).reshape(-1, *(1,) * (leaf.ndim - 1))
            begun, ended = first[rows.to(first.device)], leaf[rows.to(leaf.device)]
            return begun + part * (ended - begun)

        here = along(between, self.leaves, self.start)
        if not self.embeddings:
            seen = view.explain(merged(here, tree), rows, batch)
            # An input that the score does not depend on has no gradient.
            whole = along(
                lambda one, slope: torch.zeros_like(one) if slope is None else slope, here, seen.input_gradients
            )
            return seen, list(tensors_in(whole))
        with replaced(self.model, self.embeddings, list(tensors_in(here))):
            seen = view.explain(tree, rows, batch)
        seen = replace(seen, activations=self._upright(seen.activations), gradients=self._upright(seen.gradients))
        return seen, [seen.gradients[one.name] for one in self.embeddings]

    def _upright(self, layers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Layers with the batch in front, also of embeddings that look ids up with the tokens in front."""
        return {**layers, **{one.name: one.read.upright(layers[one.name]) for one in self.embeddings}}

    def on_input(self, found: Any) -> Any:
        """Numbers on the leaves as a map of the inputs: in their type, embedded tokens summed over the embedding's channels."""
        like = list(tensors_in(self.leaves))
        return numbered(found, lambda place, one: (one.sum(-1) if self.embeddings else one).to(like[place].dtype))
