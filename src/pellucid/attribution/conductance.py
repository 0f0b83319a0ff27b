"""Conductance: how much of the score's change flows through each unit of a layer, along the way from a baseline to the input."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Conductance:
    """The integral of dF/dy dy along the way, of every layer's output y, from the gradients of one set of passes.

    Each node of the quadrature has its gradient multiplied with what y changes over the node's own part of the way, whose ends
    lie between the nodes, interpolated. What is linear along the way, an embedding say, so gets exactly the nodes' weights:
    integrated gradients of that layer. Kept are one copy's values a layer, whatever the number of steps.
    Source: Dhamdhere, Sundararajan & Yan 2019, arXiv:1805.12233, eq. 2; Shrikumar, Su & Kundaje 2018, arXiv:1807.09946.

    Args:
        begun: outputs of the layers at the baseline.
        ended: outputs at the input.
        places: nodes in (0, 1), rising.
        weights: of the nodes; they sum to 1.
    """

    def __init__(
        self, begun: Mapping[str, Tensor], ended: Mapping[str, Tensor], places: Tensor, weights: Tensor
    ) -> None:
        self._begun, self._ended = begun, ended
        self._last = len(places) - 1
        # Where the part of a node begins, between the node before it and itself.
        starts = torch.cat([torch.zeros(1, dtype=torch.float64), weights.double().cumsum(0)[:-1]])
        before = torch.cat([torch.zeros(1, dtype=torch.float64), places[:-1].double()])
        self._shares = ((starts - before) / (places.double() - before)).tolist()
        self.sums = {name: torch.zeros_like(one, dtype=torch.float64) for name, one in ended.items()}
        self._outputs = {name: one.clone() for name, one in begun.items()}
        self._slopes = {name: torch.zeros_like(one) for name, one in begun.items()}

    def add(self, outputs: Mapping[str, Tensor], slopes: Mapping[str, Tensor], rows: Tensor, numbers: Tensor) -> None:
        """Counts in a batch of copies, each example's in rising order.

        Args:
            outputs: by layer, a row a copy.
            slopes: gradients of the score by them.
            rows: the example of each row.
            numbers: the node of each.
        """
        for number in sorted(set(numbers.tolist())):
            at = (numbers == number).nonzero()[:, 0]
            for name, total in self.sums.items():
                here, row = at.to(total.device), rows[at].to(total.device)
                output, slope = outputs[name][here], slopes[name][here]
                share = self._shares[number]
                edge = self._begun[name][row]
                if number:
                    edge = self._outputs[name][row].double().lerp(output.double(), share)
                # By parts: what a node's gradient gets at the end of its part, the next one's loses at its beginning.
                total.index_add_(0, row, (self._slopes[name][row].double() - slope.double()) * edge)
                if number == self._last:
                    total.index_add_(0, row, slope.double() * self._ended[name][row])
                self._outputs[name][row], self._slopes[name][row] = output, slope
