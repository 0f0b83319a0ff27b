"""Layers that a forward was asked for: whether it and a gradient reached them, and whether they have one row an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from pellucid.errors import LayerError
from pellucid.types import Layer

_WRONG = "Methods that need gradients cannot be right on"


def unreached(name: str) -> LayerError:
    """The error for a layer that a forward did not reach, where it was asked for by name."""
    return LayerError(f"Layer '{name}' was not reached in this forward; the model's path depends on its input.")


def row_each(name: str, output: Tensor | None, examples: int) -> Tensor:
    """A layer's output as it is. Raises: LayerError: it has not one row an example, or is None: the layer was not reached."""
    if output is None:
        raise unreached(name)
    rows = len(output) if output.ndim else 1
    if rows != examples:
        raise LayerError(
            f"Layer '{name}' gave {rows} row{'' if rows == 1 else 's'} for a batch of {examples}: it sees only some of the "
            "examples, or they are not its first axis. Which row is of which example cannot be told."
        )
    return output


def ungraded(name: str) -> str:
    """Why a layer has no gradient that the model runs without any, in words."""
    return f"Layer '{name}' runs under no_grad or inference_mode inside the model, so that no gradient passes it. {_WRONG} it."


def transformed(name: str) -> str:
    """Why nothing can be read of a layer that runs inside a transform of torch.func, in words."""
    return f"Layer '{name}' runs inside a transform of torch.func (vmap, jvp, grad), where its values cannot be read."


def no_gradient(inputs: Iterable[Tensor], layers: Sequence[Layer], without: Mapping[str, str]) -> str:
    """Why a model's output has no gradient by anything that was watched, in words.

    Args:
        inputs: of the forward.
        layers: that were to be captured.
        without: those of them that no gradient passes, and why.
    """
    if without:
        return next(iter(without.values()))
    given = list(inputs)
    floats = any(tensor.is_floating_point() for tensor in given)
    if not floats and any(tensor.is_complex() for tensor in given):
        return (
            "The inputs are complex, of which no gradient is taken: split them into real and imaginary part, which the model "
            f"joins. {_WRONG} this model as it is."
        )
    if not layers and not floats:
        return (
            "The inputs are whole numbers, which have no gradient, and no layer has one row an example whose gradient could "
            f"stand for them. {_WRONG} this model."
        )
    return (
        f"The model's output has no gradient: it is quantised, runs under no_grad, or detaches its output. {_WRONG} it."
    )


def none_arrives(without: Mapping[str, str]) -> str:
    """Why no gradient arrives at the inputs, in words.

    Args:
        without: layers that no gradient passes, and why.
    """
    if without:
        return next(iter(without.values()))
    return (
        "No gradient of the score arrives at the inputs: the model is quantised, detaches or rounds on the way, or its output "
        f"does not depend on them. {_WRONG} it."
    )
