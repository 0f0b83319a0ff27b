"""Methods that read the gradient itself: saliency, gradient x input, and their sums over tokens and time steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from pellucid.attribution.embedded import looks_up
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.products import Products
from pellucid.attribution.trees import leafwise
from pellucid.capture import unwrapped
from pellucid.errors import MethodError
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from pellucid.capture import Captured


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
        """Maps in the shape of the inputs and of the layers; the shared gradients of layers are used up."""
        seen, scores = problem.shared()
        whole = leafwise(lambda gradient, _: gradient.abs(), seen.input_gradients, problem.inputs)
        maps = {layer.name: seen.gradients[layer.name].abs_() for layer in problem.layers}
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


@register
@dataclass(frozen=True)
class TimeGradients(Method):
    """How strongly each time step moves the score: the length of the gradient at that step, of inputs and hidden states.

    Of token ids, the gradient is that of the embedding they look up. How it falls with the distance to the last step says
    how far back a recurrent network looks, and whether its gradient vanishes or explodes.
    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, section 2; Li et al. 2016, arXiv:1506.01066, section 5.
    """

    name: ClassVar[str] = "time_gradients"
    title: ClassVar[str] = "Time-step gradients"
    cost: ClassVar[Cost] = "plain"
    needs_every_layer: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """`.input` is float[batch time] of every input float[batch time feature] or int[batch time].

        Raises: MethodError: the model has no such input, or no layer with time steps.
        """
        seen, scores = problem.shared()
        steps = {
            layer.name: _lengths(seen.gradients[layer.name])
            for layer in problem.layers
            if len(layer.shape) == 2 and (problem.named is None or layer.name in problem.named)
        }
        if not any(isinstance(module, nn.RNNBase) for module in unwrapped(problem.model).modules()):
            raise MethodError(
                "Time-step gradients need a recurrent network (nn.RNN, nn.LSTM or nn.GRU), whose inputs have a time axis; "
                "this model has none. For text: token_gradients; for images: saliency."
            )
        of_floats = leafwise(
            lambda gradient, _: _lengths(gradient) if gradient.ndim == 3 else None,
            seen.input_gradients,
            problem.inputs,
        )
        whole = of_floats
        if next(tensors_in(of_floats), None) is None:
            tables = dict(unwrapped(problem.model).named_modules())
            whole = leafwise(lambda ids, _: _by_embedding(tables, ids, seen), problem.inputs, problem.inputs)
        if next(tensors_in(whole), None) is None:
            raise MethodError(
                "Time-step gradients need an input of shape (batch, time, feature), or token ids (batch, time) that an "
                f"embedding looks up; got {[tuple(leaf.shape) for leaf in tensors_in(problem.inputs)]}."
            )
        return Maps(whole, steps, scores, warnings=seen.warnings)


def _by_embedding(tables: dict[str, nn.Module], ids: Tensor, seen: Captured) -> Tensor | None:
    for name, output in seen.activations.items():
        table = tables.get(name.split("#")[0])
        if isinstance(table, nn.Embedding) and looks_up(table, ids, output):
            return _lengths(seen.gradients[name])
    return None


def _lengths(gradient: Tensor) -> Tensor:
    return gradient.square().sum(-1).sqrt()


def _product(gradient: Tensor, value: Tensor) -> Tensor:
    return gradient * value.to(gradient.device)
