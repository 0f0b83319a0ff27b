"""Methods that read the gradient itself: saliency, gradient x input, and their sums over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pellucid.attribution.embedded import not_read
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.products import Products
from pellucid.attribution.trees import numbered
from pellucid.capture.trees import along
from pellucid.errors import MethodError


@register
@dataclass(frozen=True)
class Saliency(Method):
    """|gradient| of the score by the input and by every layer.

    Source: Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.
    """

    name: ClassVar[str] = "saliency"
    title: ClassVar[str] = "Saliency"
    cost: ClassVar[Cost] = "plain"

    def explain(self, problem: Problem) -> Maps:
        """Maps in the shape of the inputs and of the layers."""
        seen, scores = problem.shared()
        whole = along(lambda gradient: gradient.abs(), seen.input_gradients)
        maps = {layer.name: seen.gradients[layer.name].abs() for layer in problem.layers}
        return Maps(whole, maps, scores, warnings=seen.warnings)


@register
@dataclass(frozen=True)
class GradientXInput(Method):
    """Gradient times value, of the input and of every layer.

    Source: Shrikumar, Greenside, Shcherbina & Kundaje 2016, arXiv:1605.01713.
    """

    name: ClassVar[str] = "gradient_x_input"
    title: ClassVar[str] = "Gradient × input"
    cost: ClassVar[Cost] = "plain"
    needs_product: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """Maps in the shape of the inputs and of the layers."""
        seen, scores = problem.shared()
        shared = problem.products or Products(seen)
        whole = along(_product, seen.input_gradients, problem.inputs)
        maps = {layer.name: shared.product(layer) for layer in problem.layers}
        return Maps(whole, maps, scores, warnings=seen.warnings)


@register
@dataclass(frozen=True)
class TokenGradients(Method):
    """How much each token speaks for the score: gradient x embedding, summed over the embedding's channels.

    Token ids have no gradient, the rows of the embedding that they look up have. Among the layers are only embeddings that
    look up an input word for word: words, and segments and positions where those are given too. Each input has a look-up of
    its own or none, told by where the ids come from; what else is looked up of them is warned of.
    Source: Denil, Demiraj & de Freitas 2014, arXiv:1412.6815, section 3; Atanasova et al. 2020, arXiv:2009.13295.
    """

    name: ClassVar[str] = "token_gradients"
    title: ClassVar[str] = "Token gradients"
    cost: ClassVar[Cost] = "plain"
    needs_every_layer: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """`.input` is float[batch token] in the place of each leaf of token ids that is looked up; None elsewhere.

        Raises: MethodError: no embedding of the model looks up ids that it was given.
        """
        seen, scores = problem.shared()
        reads = problem.reads()
        found = {
            read.look_up.name: read.upright((seen.gradients[read.look_up.name] * read.look_up.output).sum(-1))
            for read in reads.values()
        }
        whole = numbered(
            problem.inputs, lambda number, _: found[reads[number].look_up.name] if number in reads else None
        )
        if not found:
            count = 0 if problem.look_ups is None else len(problem.look_ups.tables)
            raise MethodError(
                "Token gradients need an embedding (nn.Embedding) that looks up integer inputs of the model, word for word. "
                f"{not_read(problem.model, count)} For inputs of numbers: gradient_x_input."
            )
        return Maps(whole, found, scores, warnings=(*problem.missed(reads), *seen.warnings))


def _product(gradient: Tensor, value: Tensor) -> Tensor:
    return gradient * value.to(gradient.device)
