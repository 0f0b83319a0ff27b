"""A forward that ends at the layers that were asked for: nothing behind the last of them is computed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.capture.call import to_device
from pellucid.capture.reached import unreached
from pellucid.capture.session import Session
from pellucid.errors import LayerError, MethodError
from pellucid.types import Layer, Tree


class _EnoughError(BaseException):
    """Ends a forward; no Exception, so that a model that catches those does not go on."""


def until(
    session: Session, inputs: Tree, names: Sequence[str], *, gradients: bool = False, some: bool = False
) -> dict[str, Tensor]:
    """Outputs of layers by name, from a forward that stops as soon as it has them.

        outputs = until(session, images, ["features.3"])

    Args:
        session: holds the model open; its passes count each as a whole forward.
        inputs: a tree with a batch axis on every leaf.
        names: layers of the session.
        some: those that were not reached are left out, where otherwise all must be.
        gradients: keep how the outputs came to be, so that gradients by the inputs can be taken: before the next forward.

    Raises:
        LayerError: a layer is none of the session's, or was not reached.
        MethodError: gradients were asked for and a layer has none. ForwardError.
    """
    known = {layer.name for layer in session.layers}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LayerError(
            f"Layer '{unknown[0]}' is not captured. Captured layers: {', '.join(sorted(known)) or 'none'}."
        )
    if gradients:
        session._prepare_gradients()
    wanted = set(names)
    found: dict[str, Tensor] = {}

    def keep(layer: Layer, output: Tensor) -> None:
        if layer.name not in wanted:
            return
        # What comes after may write into it; what ends the forward is safe.
        found[layer.name] = output if len(found) == len(wanted) - 1 else output.clone()
        if len(found) == len(wanted):
            raise _EnoughError

    with torch.inference_mode(False), torch.set_grad_enabled(gradients):
        try:
            session._run(to_device(inputs, session.device, copy=True), keep)
        except _EnoughError:
            pass
        finally:
            session._path.clear()
    missing = [name for name in names if name not in found]
    if missing and not some:
        raise unreached(missing[0])
    lost = next((name for name in names if gradients and not found[name].requires_grad), None)
    if lost is not None:
        raise MethodError(
            f"The output of layer '{lost}' has no gradient by the inputs: the model is quantised, runs under no_grad, or "
            "detaches or rounds on the way. Methods that need gradients cannot be right there."
        )
    return found
