"""Models of token ids, whose way from a baseline is in the space of the embedding that the ids look up."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attribution.lookups import LookUps, Read
from pellucid.attribution.masks import without_numbers
from pellucid.attribution.methods import Problem
from pellucid.attribution.trees import numbered
from pellucid.capture import Session, unwrapped
from pellucid.errors import MethodError
from pellucid.types import Layer, Passes


@dataclass(frozen=True)
class Embedding:
    """An embedding of the model that looks up an input of ids.

    Attributes:
        read: the look-up, of one call of the module.
        output: what it gives for the examples, float[batch token channel].
        passes: what it cost to find all of the inputs' embeddings, the same for each.
    """

    read: Read
    output: Tensor
    passes: Passes

    @property
    def name(self) -> str:
        """Of the call, as a session captures it."""
        return self.read.look_up.name

    @property
    def layer(self) -> Layer:
        """As a session captures it."""
        return Layer(0, self.name, "Embedding", tuple(self.output.shape[1:]), "tokens")


def embeddings(problem: Problem, needs: str) -> tuple[Any, list[Embedding], tuple[str, ...]]:
    """What each input of ids is looked up in: a tree of embeddings' outputs like the inputs, the embeddings in its order.

    Third are warnings of what else is looked up. Costs a forward.

    Args:
        problem: whose inputs are integers.
        needs: what the method needs beside inputs of numbers, for the message: "LIME hides features of one input".

    Raises: MethodError: no embedding looks up ids of the inputs, word for word.
    """
    look_ups = LookUps(problem.model)
    with Session(problem.model, ()) as session, look_ups:
        session.forward(problem.inputs)
    reads = look_ups.reads(problem.inputs)
    if not reads:
        raise MethodError(
            f"{needs}: inputs of numbers, or token ids that an nn.Embedding looks up, word for word. "
            f"{without_numbers(problem.inputs)} {not_read(problem.model, len(look_ups.tables))}"
        )
    found = {
        number: Embedding(read, read.upright(read.look_up.output), session.passes) for number, read in reads.items()
    }
    outputs = numbered(problem.inputs, lambda number, _: found[number].output if number in found else None)
    return outputs, list(found.values()), look_ups.missed(problem.inputs, reads)


def not_read(model: nn.Module, tables: int) -> str:
    """Why no embedding of the model has a row for each token, and what to do."""
    bags = sum(isinstance(one, nn.EmbeddingBag) for one in unwrapped(model).modules())
    if bags:
        counted = "an nn.EmbeddingBag" if bags == 1 else f"{bags} nn.EmbeddingBag"
        why = f"It has {counted}, whose output is of bags, not of tokens."
    elif tables:
        why = f"It has {tables} nn.Embedding and none of them looks up an input word for word."
    else:
        why = "It has no nn.Embedding (a lookup in a plain function or parameter is not followed)."
    return f"{why} Of ids (batch, token) alone: kernel_shap, lime and shapley_sampling."


def given_by(table: nn.Embedding, ids: Tensor) -> Tensor:
    """What an embedding gives for ids, without writing to it."""
    if type(table) is nn.Embedding and table.max_norm is None:
        return table.weight.detach()[ids]
    with torch.no_grad():  # of a copy: it scales its rows, in place or not
        return copy.deepcopy(table)(ids)  # type: ignore[no-any-return]


@contextmanager
def replaced(model: nn.Module, found: Sequence[Embedding], outputs: Sequence[Tensor]) -> Iterator[None]:
    """Embeddings give these outputs, float[rows token channel], in the calls that look up the inputs' ids."""
    calls: Counter[nn.Module] = Counter()
    others: dict[nn.Module, dict[int, Tensor]] = {}
    for one, output in zip(found, outputs, strict=True):
        number = int(one.name.partition("#")[2] or 1)
        others.setdefault(one.read.look_up.table, {})[number] = one.read.lying(output)
    handles = [unwrapped(model).register_forward_pre_hook(lambda *_: calls.clear())]
    try:
        for table, by_call in others.items():
            # In front of the hooks that capture, which so see the output that was put in its place.
            handles.append(table.register_forward_hook(_giving(calls, by_call), prepend=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _giving(calls: Counter[nn.Module], others: dict[int, Tensor]) -> Callable[..., Tensor | None]:
    def give(table: nn.Module, arguments: object, output: Tensor) -> Tensor | None:
        calls[table] += 1
        other = others.get(calls[table])
        # A copy: the model may write into what it is given.
        return None if other is None else other.to(output, copy=True)

    return give
