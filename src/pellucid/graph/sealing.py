"""From what was recorded to the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec.structs import replace
from torch import nn

from pellucid.graph.arguments import settings_of, texts
from pellucid.graph.frames import Frame
from pellucid.graph.loops import find_loops, with_feedback
from pellucid.graph.parts import Parts, is_packed, own_parameters
from pellucid.graph.pooling import pool_of_module
from pellucid.graph.recording import Recording
from pellucid.graph.structure import Edge, Graph, Node
from pellucid.graph.tally import LONGEST_ERROR

_MOST_TOLD = 5


def sealed(
    seen: Recording, backend: Literal["meta", "fake", "real"], error: str | None, reason: str, raised: str | None
) -> Graph:
    """The graph of what was seen.

    Args:
        seen: the forward, also one that stopped half-way.
        backend: how it ran.
        error: why it stopped, in words for the whole graph.
        reason: why it did not run without values.
        raised: the same error, for the node that was running.
    """
    _sum_up(seen.frames)
    weights = _Weights(seen.parts)
    shares = _shared(seen, weights)
    nodes = tuple([_node(frame, weights, shares.get(frame.id, ())) for frame in seen.frames])
    for frame in seen.frames:
        if frame.error is not None and frame.children == 0:
            seen.link(frame)  # what it was given is how the signal came to where it ends
    if seen.failed is not None and raised is not None:
        failed = seen.failed.id
        nodes = (*nodes[:failed], replace(nodes[failed], error=raised[:LONGEST_ERROR]), *nodes[failed + 1 :])
    # Of what an activation function was applied to in part, it is not said that it was.
    edges = tuple(
        [
            Edge(source, target, output, argument, shape, None if partly else nodes[source].activation)
            for source, target, output, argument, shape, partly in seen.links
        ]
    )
    loops = find_loops(nodes, edges, {frame.id: frame.reads for frame in seen.frames if frame.reads})
    edges = with_feedback(nodes, edges, loops) if loops else edges
    total, trainable = weights.all(seen.parts)
    return Graph(
        nodes=nodes,
        edges=edges,
        parameters=total,
        trainable=trainable,
        flops=seen.flops,
        unused=tuple(name for name, parameter in seen.parts.parameters.items() if id(parameter) not in seen.read),
        backend=backend,
        error=error,
        batch=seen.batch,
        uncalled=_uncalled(seen),
        backend_reason=" ".join(filter(None, (reason, _out_of_sight(seen)))),
        data_dependent=tuple(seen.questions),
        operators=seen.operators,
        loops=loops,
    )


def _sum_up(frames: list[Frame]) -> None:
    """Adds what ran below each frame to it. Insides come after what holds them: from the back, each is whole in time."""
    for frame in reversed(frames):
        if frame.parent is not None:
            above = frames[frame.parent]
            above.operators += frame.operators
            if frame.flops is not None:
                above.flops = (above.flops or 0) + frame.flops


class _Weights:
    """Parameters of modules, counted once each, however often they are called or shared."""

    def __init__(self, parts: Parts) -> None:
        self._below: dict[int, dict[int, nn.Parameter]] = {}
        self._counts: dict[int, tuple[int, int, int]] = {}
        self._own = parts.own
        if not parts.shared:
            self._add_up(parts)

    def _add_up(self, parts: Parts) -> None:
        """Where nothing is shared, what a module holds adds up from its own and its parts', which come after it."""
        counts = self._counts
        for module in reversed(parts.modules):
            own, trainable = 0, 0
            for parameter in self._own[id(module)].values():
                size = parameter.numel()
                own += size
                if parameter.requires_grad:
                    trainable += size
            total = own
            for part in module._modules.values():
                if part is not None:
                    below, _, free = counts[id(part)]
                    total += below
                    trainable += free
            counts[id(module)] = total, own, trainable

    def of(self, module: nn.Module | None) -> tuple[int, int, int]:
        """Unique values in it and below, its own, and those in it and below that require a gradient."""
        if module is None:
            return 0, 0, 0
        known = self._counts.get(id(module))
        if known is None:
            below = self._in(module).values()
            total = sum([parameter.numel() for parameter in below])
            own = sum([parameter.numel() for parameter in self._of_its_own(module).values()])
            trainable = sum([parameter.numel() for parameter in below if parameter.requires_grad])
            known = self._counts[id(module)] = (total, own, trainable)
        return known

    def all(self, parts: Parts) -> tuple[int, int]:
        """Values of the whole model, and those of them that require a gradient."""
        if not parts.shared:
            total, _, trainable = self._counts[id(parts.model)]
            return total, trainable
        every = parts.parameters.values()
        return sum([one.numel() for one in every]), sum([one.numel() for one in every if one.requires_grad])

    def read_in(self, module: nn.Module) -> Iterable[nn.Parameter]:
        """The parameters in it and below, once each."""
        return (self._in(module) if module._modules else self._of_its_own(module)).values()

    def _of_its_own(self, module: nn.Module) -> Mapping[str, nn.Parameter]:
        own = self._own.get(id(module))
        return own_parameters(module) if own is None else own

    def _in(self, module: nn.Module) -> Mapping[int, nn.Parameter]:
        known = self._below.get(id(module))
        if known is None:
            known = self._below[id(module)] = {}
            for parameter in self._of_its_own(module).values():
                known[id(parameter)] = parameter
            for child in module.children():
                known.update(self._in(child))
        return known


def _shared(seen: Recording, weights: _Weights) -> dict[int, tuple[int, ...]]:
    """Of every call, the earlier ones of another path that read a parameter of its own."""
    if not seen.parts.shared and not any(frame.reads for frame in seen.frames):
        return {}  # each parameter is one module's, which has one path
    first: dict[int, Frame] = {}
    shares: dict[int, tuple[int, ...]] = {}
    for frame in seen.frames:
        if frame.children:
            continue
        own = frame.reads
        if frame.module is not None:
            own = tuple([id(parameter) for parameter in weights.read_in(frame.module)])
        if not own:
            continue
        before = [first[key] for key in own if key in first]
        others = dict.fromkeys(one.id for one in before if one.path != frame.path)
        if others:
            shares[frame.id] = tuple(others)
        for key in own:
            first.setdefault(key, frame)
    return shares


def _node(frame: Frame, weights: _Weights, shares: tuple[int, ...]) -> Node:
    total, own, trainable = weights.of(frame.module)
    pool, arguments = frame.pool, frame.arguments
    if frame.module is not None:
        arguments = _settings(frame, frame.module)
        if frame.children == 0 and frame.inputs and frame.outputs:
            pool = pool_of_module(frame.module, frame.inputs[0], frame.outputs[0])
    return Node(
        id=frame.id,
        name=frame.name,
        path=frame.path,
        operation=frame.operation,
        kind=frame.kind,
        parent=frame.parent,
        call=frame.call,
        inputs=frame.inputs,
        outputs=frame.outputs,
        input_dtypes=frame.input_dtypes,
        output_dtypes=frame.output_dtypes,
        parameters=total,
        own_parameters=own,
        trainable=trainable,
        flops=frame.flops,
        memory=frame.memory,
        source=frame.source,
        role=frame.role,
        activation=frame.activation,
        origin=frame.origin,
        channel_last=frame.channel_last,
        reached=frame.reached,
        floating=frame.floating,
        arguments=arguments,
        operators=frame.operators,
        steps=frame.steps,
        error=frame.error,
        pool=pool,
        shares=shares,
        computes=frame.computes,
        inside=frame.inside if frame.children == 0 else None,
    )


def _settings(frame: Frame, module: nn.Module) -> Mapping[str, str]:
    known = frame.recalled
    if known is None:
        return texts(settings_of(module))
    if known.arguments is None:  # calls that are told from one another are of equal settings
        known.arguments = texts(settings_of(module))
    return known.arguments


def _out_of_sight(seen: Recording) -> str:
    """What the graph does not hold of what ran, in words; nothing where it holds all."""
    told: list[str] = []
    if seen.apart:
        told.append(
            f"Another thread called {_few([*seen.apart])}, out of the trace's sight: what ran there is not in the graph, "
            "nor in its operators and FLOPs."
        )
    packed = [
        seen.paths[id(module)]
        for module in seen.parts.modules
        if module._modules and not is_packed(module) and any(map(is_packed, module.children()))
    ]
    if packed:
        told.append(f"Quantised layers ({_few(packed)}) keep packed weights, which are not counted as parameters.")
    if seen.left:
        told.append(f"Values left torch in {_few([*seen.left])}: a tensor that comes of them has no edge from there.")
    if seen.uncounted:
        told.append(
            f"FLOPs are without those of {_few([*seen.uncounted])}, which multiply matrices and are not counted here."
        )
    return " ".join(told)


def _few(names: list[str]) -> str:
    more = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def _uncalled(seen: Recording) -> tuple[str, ...]:
    """Paths of the modules that the forward neither called nor looked into.

    A module whose parts were called is called, and so is one whose parameters were read by another (an attention layer
    reads those of its projection, a model may call `forward` itself) and every part of a leaf of the graph.
    """
    called = {id(frame.module) for frame in seen.frames if frame.module is not None} | seen.hidden | {id(seen.model)}
    left = [module for module in seen.parts.modules if id(module) not in called]
    if not left:
        return ()
    leaves = [frame.module for frame in seen.frames if frame.module is not None and frame.children == 0]
    inside = {id(part) for leaf in leaves if next(leaf.children(), None) is not None for part in leaf.modules()}
    touched = dict.fromkeys(called | inside, True)

    held = (nn.ParameterDict, nn.ParameterList)  # they hold parameters and cannot be called
    return tuple(
        path
        for module in left
        if (path := seen.parts.paths[id(module)])
        and not isinstance(module, held)
        and not is_packed(module)
        and not _touches(module, seen.read, touched)
    )


def _touches(module: nn.Module, read: set[int], touched: dict[int, bool]) -> bool:
    """Whether parameters of a module or of one in it were read, or one in it is touched; kept in `touched`."""
    known = touched.get(id(module))
    if known is None:
        touched[id(module)] = False  # a module that holds itself
        known = touched[id(module)] = any(
            id(parameter) in read for parameter in own_parameters(module).values()
        ) or any(_touches(child, read, touched) for child in module.children())
    return known
