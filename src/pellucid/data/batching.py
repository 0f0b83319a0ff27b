"""From examples to batches, and back to what can be said about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError
from pellucid.types import Batch, Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def collate(examples: Sequence[Example], start: int) -> Batch:
    """Stacks examples along a new first axis. Raises: DataError: their shapes differ."""
    import torch

    targets = [example.target for example in examples]
    known = [target for target in targets if target is not None]
    tensor = None
    if any(isinstance(target, float) for target in known):
        tensor = torch.tensor([float("nan") if target is None else target for target in targets], dtype=torch.float64)
    elif known:
        tensor = torch.tensor([-1 if target is None else int(target) for target in targets])
    return Batch(
        start=start,
        ids=tuple(example.id for example in examples),
        inputs=_stacked([example.inputs for example in examples], examples),
        targets=tensor,
        media=tuple(example.media for example in examples),
        columns=tuple(example.columns for example in examples),
        soft=_soft(examples),
        sets=tuple(example.classes for example in examples) if any(one.classes is not None for one in examples) else (),
    )


def part_of(batch: Batch, start: int, stop: int) -> Batch:
    """The examples of a batch from one place to the one before another."""
    if (start, stop) == (0, len(batch)):
        return batch
    return replace(
        batch,
        start=batch.start + start,
        ids=batch.ids[start:stop],
        inputs=_cut(batch.inputs, start, stop),
        targets=None if batch.targets is None else batch.targets[start:stop],
        media=batch.media[start:stop],
        columns=batch.columns[start:stop],
        rows=batch.rows[start:stop],
        soft=None if batch.soft is None else batch.soft[start:stop],
        sets=batch.sets[start:stop],
    )


def _cut(tree: Any, start: int, stop: int) -> Any:
    if isinstance(tree, dict):
        return {name: _cut(leaf, start, stop) for name, leaf in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [_cut(leaf, start, stop) for leaf in tree]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return tree[start:stop] if hasattr(tree, "shape") else tree


def _soft(examples: Sequence[Example]) -> NDArray[np.float64] | None:
    import numpy as np

    widths = {len(example.soft): example.id for example in examples if example.soft is not None}
    if not widths:
        return None
    if len(widths) > 1:
        (few, one), (many, other) = sorted(widths.items())[:2]
        raise DataError(
            f"Soft labels must name the same classes: that of {one} has {few} of them, that of {other} {many}."
        )
    width = next(iter(widths))
    return np.array([example.soft or (np.nan,) * width for example in examples], np.float64)


def _stacked(trees: Sequence[Any], examples: Sequence[Example]) -> Any:
    import torch

    first = trees[0]
    plan = _plan(first)
    for example, tree in zip(examples, trees, strict=True):
        if _plan(tree) != plan:
            raise _unlike(examples[0].id, plan, example.id, _plan(tree))
    if isinstance(first, dict):
        return {name: _stacked([tree[name] for tree in trees], examples) for name in first}
    if isinstance(first, tuple | list):
        parts = [_stacked([tree[place] for tree in trees], examples) for place in range(len(first))]
        return tuple(parts) if isinstance(first, tuple) else parts
    if not isinstance(first, torch.Tensor):
        return first
    other = next((place for place, tree in enumerate(trees) if tree.shape != first.shape), None)
    if other is not None:
        raise DataError(
            f"Examples of one batch must have one shape: {examples[0].id} has {tuple(first.shape)}, "
            f"{examples[other].id} has {tuple(trees[other].shape)}. {_shaped_alike(first.ndim)}"
        )
    return torch.stack(list(trees))


def _plan(tree: Any) -> Any:
    """What the examples of one batch must have in common: the entries, the number of parts, or what is no tensor."""
    if isinstance(tree, dict):
        return set(tree)
    if isinstance(tree, tuple | list):
        return f"{len(tree)} parts"
    return "a tensor" if hasattr(tree, "shape") else repr(tree)


def _shaped_alike(ndim: int) -> str:
    if ndim > 2:
        return "Resize or crop them (--size, --resize, --crop), or use --batch-size 1."
    return (
        "Pad them to one length, or use --batch-size 1. The collate_fn of a DataLoader is called for each example alone, and "
        "cannot pad one to another: pad them in the data set."
    )


def _unlike(one: str, first: object, other: str, second: object) -> DataError:
    return DataError(
        f"Examples of one batch must have the same parts, and the same of what is no tensor: {one} has {first}, {other} has "
        f"{second}. Make them alike, or use --batch-size 1."
    )


def in_batches(examples: Iterable[Example], batch_size: int, start: int) -> Iterator[Batch]:
    """Collates examples in order."""
    waiting = iter(examples)
    while some := list(islice(waiting, batch_size)):
        yield collate(some, start)
        start += len(some)


def check_targets(batch: Batch, outputs: int, *, single: bool = False, sets: bool = True) -> None:
    """Refuses labels that the model has no output for.

    Args:
        batch: has them.
        outputs: how many classes the model knows.
        single: whether it tells the two of them by one output.
        sets: whether labels may be sets of classes.

    Raises: DataError.
    """
    for name, classes in zip(batch.ids, batch.sets, strict=False):
        if classes is not None and not sets:
            raise DataError(
                f"The target of {name} is a set of {len(classes)} classes, but those that were looked at first had one class each. "
                "Where several may be true give all targets as booleans or as Python sets."
            )
    if batch.soft is not None and batch.soft.shape[1] != outputs:
        raise DataError(
            f"The soft labels name {batch.soft.shape[1]} classes, but the model has {outputs} outputs. Give one probability "
            "an output, in the order of the outputs."
        )
    for name, classes in zip(batch.ids, batch.sets, strict=False):
        if classes and not 0 <= min(classes) <= max(classes) < outputs:
            raise DataError(
                f"The classes of {name} are {', '.join(map(str, sorted(classes)))}, but the model has {outputs} outputs, 0 "
                f"to {outputs - 1}."
            )
    if batch.targets is None or batch.targets.is_floating_point():
        return
    wrong = ((batch.targets >= outputs) | (batch.targets < -1)).nonzero().reshape(-1).tolist()
    if wrong:
        place = wrong[0]
        has, ask = f"{outputs} outputs", "Is this the data that the model was trained for?"
        if single:
            has, ask = "one output, which tells two classes", "If the model is a regression, say so: --outputs numbers."
        raise DataError(
            f"The label of {batch.ids[place]} is {int(batch.targets[place])}, but the model has {has}, 0 to {outputs - 1} "
            f"({len(wrong)} such labels in this batch). {ask}"
        )
