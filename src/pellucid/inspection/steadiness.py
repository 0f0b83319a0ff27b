"""Whether an example is the same input twice, and gives the same output, alone and beside others: all that is shown rests on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.data import collate
from pellucid.data.memory import Examples, Iterated
from pellucid.errors import DataError, ForwardError
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Session
    from pellucid.data import Source
    from pellucid.types import Batch, Tree

# Examples that are read twice: half of all images are turned over by chance, of eight hardly ever none.
READ = 8
# Forwards of the first example alone where it came out otherwise beside another: a random draw may be the same once.
ALONE = 3
# A relative change of the output beyond this is no rounding: of float32 with atomic sums, and of shorter types.
ROUNDING, SHORT_ROUNDING = 1e-3, 3e-2


def changing_inputs(source: Source) -> int:
    """How many of some examples are another input when they are read again, as random augmentation has it; files are not."""
    inner = source
    while not isinstance(inner, Examples) and hasattr(inner, "inner"):
        inner = inner.inner
    if not isinstance(inner, Examples):
        return 0
    return sum(not _equal(one, other) for one, other in zip(_some(inner), _some(inner), strict=True))


def _some(source: Examples) -> list[Tree]:
    if isinstance(source, Iterated):
        return [source.example(0).inputs]
    last = len(source) - 1
    return [source.example(row).inputs for row in sorted({round(place * last / (READ - 1)) for place in range(READ)})]


def _equal(one: Tree, other: Tree) -> bool:
    first, second = [*tensors_in(one)], [*tensors_in(other)]
    return len(first) == len(second) and all(
        a.shape == b.shape
        and bool(((a == b) | (a.isnan() & b.isnan())).all() if a.is_floating_point() else (a == b).all())
        for a, b in zip(first, second, strict=True)
    )


def changing_outputs(
    session: Session, source: Source, first: Batch, outputs: Tensor, *, alone: bool
) -> tuple[float, float]:
    """How much the first example's output changes from forward to forward, and beside another example in its batch.

    Each by its largest number; 0 where by no more than rounding. Of an output that changes by itself nobody knows the other.

    Args:
        session: holds the model; runs it once, and three times more where the output is another one.
        source: of the examples.
        first: the inputs of the first forward.
        outputs: what that gave.
        alone: whether the model is given one example at a time.
    """
    from pellucid.capture import scores_in

    def again(batch: Batch) -> float:
        return _change(outputs, scores_in(session.forward(batch.inputs).outputs, len(batch))[: len(first)])

    both = None if alone else _beside(source, first)
    try:
        change = again(first if both is None else both)
    except ForwardError:
        # A model that takes one example only; the sweep says so where it is given more.
        both, change = None, again(first)
    if both is None or change == 0:
        return change, 0.0
    by_itself = max(again(first) for _ in range(ALONE))
    return by_itself, 0.0 if by_itself else change


def _beside(source: Source, first: Batch) -> Batch | None:
    """The first example and the second in one batch; None where there is none, or of another shape."""
    try:
        return collate([source.example(0), source.example(1)], first.start)
    except (DataError, IndexError, KeyError, RuntimeError):
        return None


def _change(outputs: Tensor, again: Tensor) -> float:
    if again.shape != outputs.shape or not outputs.is_floating_point():
        return 0.0
    first, second = outputs.double(), again.double()
    known = first.isfinite() & second.isfinite()
    if not bool(known.any()):
        return 0.0
    change = float((first - second)[known].abs().max() / first[known].abs().max().clamp(min=1e-30))
    return change if change > (ROUNDING if outputs.element_size() >= 4 else SHORT_ROUNDING) else 0.0
