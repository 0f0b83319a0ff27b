"""Attention rollout, raw and weighed by gradients: how tokens mix from the first layer to the last."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pellucid.attribution.attention import Attentions, attended
from pellucid.attribution.cams import stretched
from pellucid.attribution.layers import traced
from pellucid.attribution.layouts import on_grid
from pellucid.attribution.lookups import LookUps, words
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.trees import numbered
from pellucid.capture.trees import batch_size
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in
from pellucid.graph.grids import tokens_read


@dataclass(frozen=True)
class _Rollout(Method):
    """What each token has received from each other one.

    `.layers["attention"]` is the whole matrix, float[batch token token], rows receive. `.input` is one row of it: on images,
    the patches' part, stretched over the input; on the token ids that an embedding looks up, those of words where there
    are several, float[batch token].

    Attributes:
        query: the row: a token's number (negative from the end), or "mean" over all that any token attends to, so
            not over padding; None for the class token of images
            that have one, "mean" otherwise. It should be what the head reads: 0 for BERT, -1 for GPT.
    """

    cost: ClassVar[Cost] = "backward"

    query: int | Literal["mean"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.query, str) and self.query != "mean":
            raise OptionError(f"query is a token's number, 'mean' or None; got '{self.query}'.")

    def explain(self, problem: Problem) -> Maps:
        """The matrix and its row. Raises: MethodError: no attention, or one that is not among all tokens alike."""
        attentions = Attentions(batch_size(problem.inputs), self.title)
        look_ups = LookUps(problem.model, attentions)
        seen, passes = problem.run(within=look_ups)
        if not attentions.weights:
            raise MethodError(
                f"{self.title} needs attention from every token to every other: this model computes no self-attention whose "
                "weights are such a matrix. It has none, or one in sliding windows (Longformer) or without a softmax over tokens."
            )
        sizes = {one.shape[-1] for one in attentions.weights}
        if len(sizes) > 1:
            raise MethodError(
                f"{self.title} needs the same tokens in all layers; this model's have {sorted(sizes)} tokens, so that their "
                "matrices cannot be multiplied."
            )
        matrix = self._matrix(attentions)
        if seen.scores is None:
            raise MethodError("No score was computed.")
        seen_by_any = attended(attentions.weights)
        numbers = _of_words(look_ups, problem.inputs)
        whole = numbered(
            problem.inputs,
            lambda number, leaf: (
                self._on(problem, leaf, matrix, seen_by_any) if numbers is None or number in numbers else None
            ),
        )
        if next(tensors_in(whole), None) is None:
            shapes = [tuple(leaf.shape) for leaf in tensors_in(problem.inputs)]
            raise MethodError(
                f"{self.title} found {matrix.shape[-1]} tokens, which are neither the tokens of an input nor such as can be "
                f"followed to the positions of a map, as an image's patches can; inputs: {shapes}."
            )
        return Maps(whole, {"attention": matrix}, seen.scores, passes, warnings=seen.warnings)

    @abstractmethod
    def _matrix(self, attentions: Attentions) -> Tensor:
        """How much of each token each token holds: float[batch token token]."""

    def _row(self, matrix: Tensor, attended: Tensor, query: int | Literal["mean"]) -> Tensor:
        tokens = matrix.shape[-1]
        if isinstance(query, str):
            shares = attended.to(matrix) / attended.sum(1, keepdim=True)
            return (shares[:, None] @ matrix)[:, 0]
        if not -tokens <= query < tokens:
            raise OptionError(f"There is no token {query}: there are {tokens}.")
        return matrix[:, query]

    def _on(self, problem: Problem, leaf: Tensor, matrix: Tensor, attended: Tensor) -> Tensor | None:
        if leaf.shape[:2] == matrix.shape[:2] and leaf.ndim in (2, 3) and leaf.dtype != torch.bool:
            return self._row(matrix, attended, "mean" if self.query is None else self.query)
        if leaf.ndim != 4:
            return None
        tokens, graph = matrix.shape[-1], problem.graph or traced(problem.model, problem.inputs)
        grid = None if graph.placed is None else graph.placed.grid_of(tokens)
        if grid is None:
            return None
        others = set(range(tokens)).difference(grid.tokens)
        read = others & tokens_read(graph.nodes, tokens) or (others if len(others) == 1 else set())
        query = self.query if self.query is not None else min(read) if read else "mean"
        return stretched(on_grid(self._row(matrix, attended, query), grid), leaf)


@register
@dataclass(frozen=True)
class AttentionRollout(_Rollout):
    """The product of all layers' attention, mean over heads, each halfway to the identity for the residual; rows sum to 1.

    It knows no target. Source: Abnar & Zuidema 2020, arXiv:2005.00928, section 3.
    """

    name: ClassVar[str] = "attention_rollout"
    title: ClassVar[str] = "Attention rollout"

    def _matrix(self, attentions: Attentions) -> Tensor:
        product = _identity(attentions.weights[0])
        for weights in attentions.weights:
            mixed = weights.mean(1)
            product = (mixed + _identity(weights)) / 2 @ product
        return product


@register
@dataclass(frozen=True)
class GradientRollout(_Rollout):
    """Attention weighed by its gradient, what speaks for the score, added up through the layers; without the identity.

    Source: Chefer, Gur & Wolf 2021, arXiv:2103.15679, eq. 5 and 6.
    """

    name: ClassVar[str] = "gradient_rollout"
    title: ClassVar[str] = "Gradient-weighted rollout"

    def _matrix(self, attentions: Attentions) -> Tensor:
        if not attentions.gradients:
            raise MethodError("Gradient-weighted rollout: no gradient of the score arrives at any attention.")
        relevance = torch.zeros_like(_identity(attentions.weights[0]))
        for place, weights in enumerate(attentions.weights):
            gradient: Any = attentions.gradients.get(place)
            if gradient is not None:
                # Without the identity from the start: to add it and take it away would round off what is far below 1.
                weighed = (weights * gradient).clamp(min=0).mean(1)
                relevance = relevance + weighed + weighed @ relevance
        return relevance


def _of_words(look_ups: LookUps, inputs: Any) -> set[int] | None:
    """Numbers of the inputs of ids that are looked up, of words alone where that can be told; None where there are none."""
    reads = look_ups.reads(inputs)
    if not reads:
        return None
    main = words([read.look_up.table for read in reads.values()])
    return set(reads) if main is None else {list(reads)[main]}


def _identity(weights: Tensor) -> Tensor:
    size = weights.shape[-1]
    return torch.eye(size, dtype=weights.dtype, device=weights.device).expand(len(weights), size, size)
