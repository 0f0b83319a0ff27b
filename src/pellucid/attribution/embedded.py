"""Models of token ids, whose way from a baseline is in the space of the embedding that the ids look up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attribution.methods import Problem
from pellucid.attribution.trees import leafwise
from pellucid.capture import Session, unwrapped
from pellucid.errors import MethodError
from pellucid.types import Layer, Passes


@dataclass(frozen=True)
class Embedding:
    """An embedding of the model that looks up an input of ids.

    Attributes:
        name: of the module.
        module: itself.
        output: what it gives for the examples, float[batch token channel].
        passes: what it cost to find all of the inputs' embeddings, the same for each.
    """

    name: str
    module: nn.Embedding
    output: Tensor
    passes: Passes

    @property
    def layer(self) -> Layer:
        """As a session captures it."""
        return Layer(0, self.name, "Embedding", tuple(self.output.shape[1:]), "tokens")


def embeddings(problem: Problem, needs: str) -> tuple[Any, list[Embedding]]:
    """What each input of ids is looked up in: a tree of embeddings' outputs like the inputs, and the embeddings in its order.

    Costs a forward.

    Args:
        problem: whose inputs are integers.
        needs: what the method needs beside inputs of numbers, for the message: "LIME hides features of one input".

    Raises: MethodError: no embedding looks up ids of the inputs, word for word.
    """
    tables = {name: one for name, one in unwrapped(problem.model).named_modules() if isinstance(one, nn.Embedding)}
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, arguments, output: None if name in seen else seen.update({name: output.clone()})

    with Session(problem.model, ()) as session:
        for name, table in tables.items():
            table.register_forward_hook(keep(name))
        session.forward(problem.inputs)
    found: list[Embedding] = []

    def of(ids: Tensor) -> Tensor | None:
        for name, output in seen.items():
            if looks_up(tables[name], ids, output):
                found.append(Embedding(name, tables[name], output, session.passes))
                return output
        return None

    outputs = leafwise(lambda ids, _: of(ids), problem.inputs, problem.inputs)
    if not found:
        raise MethodError(
            f"{needs}: inputs of numbers, or token ids that an nn.Embedding looks up, word for word. The inputs of this model "
            f"are integers and none of its {len(tables)} embeddings does."
        )
    return outputs, found


@contextmanager
def replaced(found: Sequence[Embedding], rows: Tensor, outputs: Sequence[Tensor]) -> Iterator[None]:
    """Embeddings give these outputs where they would look up what they did for these rows of the examples."""
    handles = []
    try:
        for one, output in zip(found, outputs, strict=True):
            usual = one.output[rows.to(one.output.device)]
            # In front of the hooks that capture, which so see the output that was put in its place.
            handles.append(one.module.register_forward_hook(_giving(usual, output), prepend=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _giving(usual: Tensor, other: Tensor) -> Callable[..., Tensor | None]:
    # A copy: the model may write into what it is given.
    return lambda module, arguments, output: other.to(output, copy=True) if torch.equal(output, usual) else None


def looks_up(table: nn.Embedding, ids: Tensor, output: Tensor) -> bool:
    """Whether an embedding's output is, row by row, what these ids name."""
    if ids.is_floating_point() or ids.ndim != 2 or output.shape[:-1] != ids.shape or ids.dtype == torch.bool:
        return False
    ids = ids.to(table.weight.device)
    if int(ids.min()) < 0 or int(ids.max()) >= table.num_embeddings:
        return False
    return torch.equal(table.weight.detach()[ids], output)
