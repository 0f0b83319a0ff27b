"""Layers that a forward was asked for: whether it reached them, and whether they have one row an example."""

from __future__ import annotations

from torch import Tensor

from pellucid.errors import LayerError


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
