"""What each operation does to the places of its inputs: a rule an operation; what has no rule loses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from pellucid.graph import places as on_map
from pellucid.graph.pixelwise import BY_VALUE
from pellucid.graph.places import Axis, Places, counted, merged, nowhere, of_map, side_of
from pellucid.graph.settings import Settings, index_of

if TYPE_CHECKING:
    from pellucid.graph.structure import Node

LOST = None


class Given(NamedTuple):
    """A tensor that goes into a call: its shape, and where its values stand; LOST where that could not be followed."""

    shape: tuple[int, ...]
    places: Places | None


Made: TypeAlias = "list[Places | None] | None"
Rule: TypeAlias = "Callable[[Node, Sequence[Given]], Made]"


def placed(node: Node, given: Sequence[Given]) -> Made:
    """Places of each output of a call; None where they cannot be followed."""
    name = node.operation.strip("_") if node.kind == "function" else node.operation
    if not node.outputs or not given:
        return [nowhere(len(shape)) for shape in node.outputs]  # of parameters and constants alone
    rule = _RULES.get(name)
    if rule is None and (name in BY_VALUE | _ALONG_ITSELF or node.role in ("activation", "norm")):
        rule = _by_value
    if rule is None and node.role in ("compute", "pool"):
        rule = _computing(node, name)
    return None if rule is None else rule(node, given)


def _computing(node: Node, name: str) -> Rule | None:
    """The rule of a convolution, a pool, or a product along the last axis; None for a class that may do anything."""
    if works_along_last(node):
        return _mixed_last
    slides = node.role == "pool" or "kernel_size" in node.arguments or "conv" in name.lower()
    return _sliding if slides and node.channel_last is False else None


def works_along_last(node: Node) -> bool:
    """Whether a call is known to be a product along the last axis, of channels or of what a transpose has put there."""
    if node.role != "compute" or node.channel_last:
        return node.role == "compute"
    if "kernel_size" in node.arguments or "conv" in node.operation.lower():
        return False
    settings = Settings(node.arguments)
    features = settings.value("in_features"), settings.value("out_features")
    return node.kind == "function" or features == (node.inputs[0][-1], node.outputs[0][-1])


def _by_value(node: Node, given: Sequence[Given]) -> Made:
    """What could not be followed says nothing beside what could: a branch is where its skip connection is."""
    shape = node.outputs[0]
    followed = [one.places for one in given if one.places is not None and len(one.shape) <= len(shape)]
    lost = any(one.places is None for one in given)
    made = merged(followed, shape)
    if made is None or (lost and all(axis is None for axis in made)):
        return None
    return [made] * len(node.outputs)


def _mixed_last(node: Node, given: Sequence[Given]) -> Made:
    """A product along the last axis, or attention of the first input to the others, or a recurrent layer."""
    first = given[0]
    if first.places is None or len(first.shape) != len(node.outputs[0]):
        return None
    return [(*first.places[:-1], None), *(LOST for _ in node.outputs[1:])]


def _sliding(node: Node, given: Sequence[Given]) -> Made:
    """Convolution, pooling, interpolation: channels second, every other axis is as it was, longer or shorter."""
    before, after = given[0], node.outputs[0]
    if len(before.shape) != len(after) or len(after) < 3:
        return None
    spatial = () if before.places is None else before.places[2:]
    if len(after) == 4 and (before.places is None or any(axis is None for axis in spatial)):
        return [of_map(after)] * len(node.outputs)
    if before.places is None:
        return None
    found: list[Axis] = []
    for axis, extent in zip(spatial, after[2:], strict=True):
        if axis is None or len(axis) == extent:
            found.append(axis)
            continue
        side = side_of(axis)
        if side is None:
            return None
        found.append(counted(extent, side == 1))
    return [(before.places[0], None, *found)] * len(node.outputs)


def _unfolded(node: Node, given: Sequence[Given]) -> Made:
    """Windows of a map, row by row, along the last axis."""
    settings, before = Settings(node.arguments), given[0]
    wanted = "kernel_size" in settings and len(before.shape) == 4
    if before.places is None or not wanted or [*map(side_of, before.places[2:])] != [0, 1]:
        return None
    made = []
    for axis, extent in enumerate(before.shape[2:]):
        kernel, dilation, padding, stride = (
            settings.each(2, name, otherwise=otherwise)[axis]
            for name, otherwise in (("kernel_size", 0), ("dilation", 1), ("padding", 0), ("stride", 1))
        )
        made.append((extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)
    flat = on_map.reshaped(of_map((1, 1, *made)), (1, 1, *made), (1, 1, made[0] * made[1]))
    return [flat]


def _reshape(node: Node, given: Sequence[Given]) -> Made:
    first = given[0]
    if first.places is None or len(node.outputs) != 1:
        return None
    return [on_map.reshaped(first.places, first.shape, node.outputs[0])]


def _permute(node: Node, given: Sequence[Given]) -> Made:
    order = Settings(node.arguments).value("dims", "1")
    if given[0].places is None or not isinstance(order, tuple | list):
        return None
    return [on_map.turned(given[0].places, [axis % len(given[0].places) for axis in order])]


def _transpose(node: Node, given: Sequence[Given]) -> Made:
    places, rank = given[0].places, len(given[0].shape)
    settings = Settings(node.arguments)
    pair = [settings.value(*names) for names in (("dim0", "axis0", "1"), ("dim1", "axis1", "2"))]
    if node.operation in ("mT", "mH") or (rank == 2 and node.operation.strip("_") in ("t", "T")):
        pair = [-2, -1]
    if places is None or not all(isinstance(axis, int) for axis in pair):
        return None
    order = list(range(rank))
    order[pair[0]], order[pair[1]] = order[pair[1]], order[pair[0]]
    return [on_map.turned(places, order)]


def _expand(node: Node, given: Sequence[Given]) -> Made:
    first, shape = given[0], node.outputs[0]
    return None if first.places is None else [merged([first.places], shape)]


def _cat(node: Node, given: Sequence[Given]) -> Made:
    """Parts one after another. What no map was made into stands nowhere on it: class tokens, registers, queries."""
    rank = len(node.outputs[0])
    axis = Settings(node.arguments).whole("dim", "axis", "1", otherwise=0) % rank
    parts = []
    for one in given:
        if len(one.shape) != rank or (one.places is None and one.shape[axis] > 1):
            return None
        parts.append(nowhere(rank) if one.places is None else one.places)
    others = merged([(*places[:axis], None, *places[axis + 1 :]) for places in parts], node.outputs[0])
    if others is None:
        return None
    along = [places[axis] for places in parts]
    chained: Axis = None
    if any(own is not None for own in along):
        chained = np.concatenate(
            [on_map.outside(one.shape[axis]) if own is None else own for own, one in zip(along, given, strict=True)]
        )
    return [(*others[:axis], chained, *others[axis + 1 :])]


def _split(node: Node, given: Sequence[Given]) -> Made:
    first = given[0]
    if first.places is None:
        return None
    settings = Settings(node.arguments)
    axis = settings.whole("dim", otherwise=0) % len(first.shape)
    own, start = first.places[axis], settings.whole("start", otherwise=0)
    made: list[Places | None] = []
    for shape in node.outputs:
        part = None if own is None else own[start : start + shape[axis]]
        made.append((*first.places[:axis], part, *first.places[axis + 1 :]))
        start += shape[axis]
    return made if node.operation == "narrow" or start == first.shape[axis] else None


def _without(node: Node, given: Sequence[Given]) -> Made:
    """One place of an axis, each in turn, or all of some axes together."""
    first, settings = given[0], Settings(node.arguments)
    one = node.operation in ("unbind", "select")
    axes = settings.axes("dim", "axis", "1", rank=len(first.shape)) if "dim" in settings or not one else [0]
    if first.places is None or axes is None or len(given) > 1:
        return None
    kept = len(node.outputs[0]) == len(first.shape)
    made = tuple(None if axis in axes else own for axis, own in enumerate(first.places) if kept or axis not in axes)
    return [made] * len(node.outputs)


def _getitem(node: Node, given: Sequence[Given]) -> Made:
    index = index_of(node.arguments.get("1", "tensor"))
    if index is None or len(given) > 1 or given[0].places is None:
        return None
    return [on_map.indexed(given[0].places, index)]


def _matmul(node: Node, given: Sequence[Given]) -> Made:
    """Rows stand where the rows of the first stand, columns where the columns of the second do."""
    if len(given) != 2 or min(len(one.shape) for one in given) < 2:
        return None
    first, second = given
    if first.places is None or second.places is None:
        return None
    ahead = merged([(*first.places[:-2],), (*second.places[:-2],)], node.outputs[0][:-2])
    return None if ahead is None else [(*ahead, first.places[-2], second.places[-1])]


def _einsum(node: Node, given: Sequence[Given]) -> Made:
    """Every letter stands where it stood in the first input that has it."""
    letters, arrow, kept = Settings(node.arguments).word("0").replace(" ", "").partition("->")
    parts = letters.split(",")
    if not arrow or "." in letters or [len(part) for part in parts] != [len(one.shape) for one in given]:
        return None
    found: dict[str, Axis] = {}
    for part, one in zip(parts, given, strict=True):
        if one.places is None:
            return None
        for letter, own in zip(part, one.places, strict=True):
            if found.get(letter) is None:
                found[letter] = own
            elif own is not None and not on_map.alike(found[letter], own):
                return None
    return [tuple(found.get(letter) for letter in kept)]


def _moved(node: Node, given: Sequence[Given]) -> Made:
    """A roll or a flip."""
    first, settings = given[0], Settings(node.arguments)
    axes = settings.axes("dims", rank=len(first.shape)) if "dims" in settings else None
    shifts = settings.value("shifts", otherwise=0)
    if first.places is None or axes is None:
        return None
    each = [shifts] * len(axes) if isinstance(shifts, int) else list(shifts)
    made = list(first.places)
    for axis, shift in zip(axes, each, strict=False):
        own = made[axis]
        if own is not None:
            made[axis] = own[::-1] if node.operation == "flip" else np.roll(own, shift, 0)
    return [tuple(made)]


def _written(node: Node, given: Sequence[Given]) -> Made:
    """What is written to a part of a tensor leaves the others where they are."""
    first = given[0]
    known = first.places is not None and any(axis is not None for axis in first.places)
    return [first.places] if known else None


_ALONG_ITSELF = frozenset(
    ("softmax", "log_softmax", "softmin", "Softmax", "LogSoftmax", "normalize", "cumsum", "add", "mish", "type_as")
)

_RULES: dict[str, Rule] = {
    name: rule
    for rule, names in (
        (_reshape, "reshape view flatten unflatten squeeze unsqueeze reshape_as view_as Flatten Unflatten"),
        (_permute, "permute"),
        (_transpose, "transpose swapaxes swapdims t T mT"),
        (_expand, "expand expand_as broadcast_to"),
        (_cat, "cat concat concatenate"),
        (_split, "chunk split tensor_split split_with_sizes narrow"),
        (_without, "unbind select mean sum amax amin logsumexp var std"),
        (_getitem, "getitem"),
        (_written, "setitem"),
        (_matmul, "matmul bmm mm"),
        (_einsum, "einsum"),
        (_moved, "roll flip"),
        (_unfolded, "unfold Unfold"),
        (_mixed_last, "scaled_dot_product_attention MultiheadAttention"),
        (
            _sliding,
            "interpolate Upsample UpsamplingNearest2d UpsamplingBilinear2d ZeroPad2d ReflectionPad2d ReplicationPad2d",
        ),
        (_sliding, "pixel_shuffle PixelShuffle pixel_unshuffle PixelUnshuffle"),
    )
    for name in names.split()
}
