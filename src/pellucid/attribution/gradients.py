"""Methods that read the gradient itself: saliency, gradient x input, and their sums over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from pellucid.attribution.embedded import looks_up
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.products import Products
from pellucid.attribution.trees import leafwise
from pellucid.capture import unwrapped
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
        whole = leafwise(lambda gradient, _: gradient.abs(), seen.input_gradients, problem.inputs)
        maps = {layer.name: seen.gradients[layer.name].abs() for layer in problem.layers}
        return Maps(whole, maps, scores, warnings=seen.warnings)


@register
@dataclass(frozen=True)
class GradientXInput(Method):
    """Gradient times value, of the input and of every layer.

    Source: Shrikumar, Greenside, Shcherbina & Kundaje 2016, arXiv:1605.01713.
    """

    name: ClassVar[str] = "gradient_x_input"
    title: ClassVar[str] = "Gradient x input"
    cost: ClassVar[Cost] = "plain"
    needs_product: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """Maps in the shape of the inputs and of the layers."""
        seen, scores = problem.shared()
        shared = problem.products or Products(seen)
        whole = leafwise(_product, seen.input_gradients, problem.inputs)
        maps = {layer.name: shared.product(layer) for layer in problem.layers}
        return Maps(whole, maps, scores, warnings=seen.warnings)


@register
@dataclass(frozen=True)
class TokenGradients(Method):
    """How much each token speaks for the score: gradient x embedding, summed over the embedding's channels.

    Token ids have no gradient, the rows of the embedding that they look up have. Among the layers are only those whose
    output is looked up by the ids, word for word; position and segment embeddings are not among them.
    Source: Denil, Demiraj & de Freitas 2014, arXiv:1412.6815, section 3; Atanasova et al. 2020, arXiv:2009.13295.
    """

    name: ClassVar[str] = "token_gradients"
    title: ClassVar[str] = "Token gradients"
    cost: ClassVar[Cost] = "plain"
    needs_every_layer: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """`.input` is float[batch token] in the place of each leaf of token ids; None elsewhere.

        Raises: MethodError: no embedding of the model looks up ids that it was given.
        """
        seen, scores = problem.shared()
        tables = {name: one for name, one in unwrapped(problem.model).named_modules() if isinstance(one, nn.Embedding)}
        found: dict[str, Tensor] = {}

        def of(ids: Tensor) -> Tensor | None:
            for name, output in seen.activations.items():
                table = tables.get(name.split("#")[0])
                if table is not None and looks_up(table, ids, output):
                    found[name] = (seen.gradients[name] * output).sum(-1)
                    return found[name]
            return None

        whole = leafwise(lambda ids, _: of(ids), problem.inputs, problem.inputs)
        if not found:
            raise MethodError(
                "Token gradients need an embedding (nn.Embedding) that looks up integer inputs of the model, word for word; "
                f"this model has {len(tables)} embeddings and none of them does. For inputs of numbers: gradient_x_input."
            )
        return Maps(whole, found, scores, warnings=seen.warnings)


def _product(gradient: Tensor, value: Tensor) -> Tensor:
    return gradient * value.to(gradient.device)
