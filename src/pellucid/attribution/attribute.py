"""`pellucid.attribute`: maps of the input and of any layer, by any method, those that can from the same passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pellucid.attribution.cam import no_cam
from pellucid.attribution.cams import refuse_cam
from pellucid.attribution.finite import explained
from pellucid.attribution.layers import by_module, embeddings, shaped, traced, with_planes
from pellucid.attribution.lookups import LookUps
from pellucid.attribution.masks import complex_without_map
from pellucid.attribution.methods import Maps, Method, Problem, Watcher, method_of
from pellucid.attribution.parts import Found, in_parts
from pellucid.attribution.products import Products
from pellucid.attribution.rows import by_example
from pellucid.attribution.saturated import saturated
from pellucid.attribution.sums import Sum
from pellucid.attribution.targets import Goal, Target, Unit
from pellucid.attribution.trees import detached
from pellucid.attribution.whole_numbers import unseen
from pellucid.capture import Captured, whole_graph
from pellucid.capture.call import shapes
from pellucid.capture.memory import for_memory
from pellucid.capture.trees import batch_size
from pellucid.errors import LayerError, MethodError, ModelError
from pellucid.graph import Graph
from pellucid.graph.containers import parts_of
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer, Passes, Tree


@dataclass(frozen=True)
class Attribution:
    """What one score depended on, by one method.

    Attributes:
        method: its name.
        input: same tree and shapes as the inputs; None on leaves without gradient (token ids). Token and time-step
            gradients have one number a token or step: float[batch token].
        layers: by name. Saliency and gradient x input have the shape of the layer's output; CAMs are
            float[batch height width]. Empty for methods that explain the input only.
        scores: float[batch], the explained output (a logit).
        passes: what all methods of the call cost together.
        warnings: in words, what is wrong with the map.
        check: float[batch], the completeness residual sum(attribution) - (F(x) - F(baseline)), where the method promises
            that it is 0; None elsewhere.
        error: standard error of `input`, a tree like it, where the method is an estimate; None elsewhere.
        layer_checks: by layer, the completeness residual of its attribution, where the method promises it of layers that
            all ways from the input to the score lead through.
    """

    method: str
    input: Any
    layers: Mapping[str, Tensor]
    scores: Tensor
    passes: Passes
    warnings: tuple[str, ...] = ()
    check: Tensor | None = None
    error: Any = None
    layer_checks: Mapping[str, Tensor] = field(default_factory=dict)


@overload
def attribute(  # type: ignore[overload-overlap]  # a str is a sequence of str too; the first that fits is meant
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: str | Method = "saliency",
    layers: Sequence[str] | None = None,
    watch: Watcher | None = None,
    graph: Graph | None = None,
) -> Attribution: ...
@overload
def attribute(
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: Sequence[str | Method],
    layers: Sequence[str] | None = None,
    watch: Watcher | None = None,
    graph: Graph | None = None,
) -> dict[str, Attribution]: ...
def attribute(
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: str | Method | Sequence[str | Method] = "saliency",
    layers: Sequence[str] | None = None,
    watch: Watcher | None = None,
    graph: Graph | None = None,
) -> Attribution | dict[str, Attribution]:
    """Explains a score of each example by its input and by the model's layers.

        maps = pellucid.attribute(model, images, target=3, method=["saliency", "grad_cam"])
        maps["grad_cam"].layers["layer4"]

    All plain methods together cost one forward and one backward; docs/attribution.md says what each other method costs.

    Args:
        model: any module; left as it was.
        inputs: a tree of tensors with a batch axis: a tensor, a tuple (positional) or a dict (by name).
        target: one class index for all, one an example, "prediction", a function from the output to float[batch] (a
            loss, say), or `Unit("layer4", 17)` for a unit of a layer.
        method: a name of `pellucid.attribution.METHODS`, or an instance with options such as
            `IntegratedGradients(steps=64)`; a list of them for a dict by name.
        layers: names of modules or functions; every captured layer that the method fits if None.
        watch: told after every batch of a method of many passes; it returns False to stop with what there is.
        graph: the model's, of inputs of these shapes, where it is known already; traced where something needs it.

    Returns: the attribution. A CAM's `.input` is the map of the deepest layer that can have one, interpolated to the
        input's height and width and repeated over its channels.
    Raises: MethodError: no such method, or it cannot be right here. TargetError. LayerError. ModelError. OptionError.
    """
    _check(model, inputs, layers)
    one = isinstance(method, str | Method)
    chosen = _chosen([method] if isinstance(method, str | Method) else method)
    _need_layers(chosen, layers)
    finder = _Layers(model, inputs, layers, graph)
    goal = Goal(target, finder.of(target.layer) if isinstance(target, Unit) else None)
    problem = Problem(model, detached(inputs), goal, named=None if layers is None else tuple(layers), watch=watch)
    passes = Passes()
    found: dict[str, Maps] = {}
    plain = [each for each in chosen if each.cost == "plain"]
    if plain:
        found.update(in_parts(problem, lambda part: _plain(part, finder, plain, passes)))
    for each in chosen:
        if each.cost != "plain":
            found.update(in_parts(problem, lambda part, each=each: {each.name: _alone(part, finder, each)}))  # type: ignore[misc]
            passes.add(found[each.name].passes)
    for each in chosen:
        name, maps = each.name, found[each.name]
        told, cost = explained(problem, maps, lambda: finder.graph)
        told += unseen(problem, each, maps, lambda: finder.graph)
        told += complex_without_map(problem.inputs, maps.input)
        if told:
            passes.add(cost)
            found[name] = replace(maps, warnings=(*maps.warnings, *told))
    if goal.found.taken:
        told = (
            f"The model gives several tensors, and {goal.found.taken} was explained. If it is another one, give target as a "
            "function from the output, or a model that returns that tensor alone or as 'logits'.",
        )
        found = {name: replace(maps, warnings=(*maps.warnings, *told)) for name, maps in found.items()}
    made = {each.name: _attribution(each.name, found[each.name], passes) for each in chosen}
    return made[chosen[0].name] if one else made


def _check(model: object, inputs: Tree, layers: object) -> None:
    """Refuses what no method can begin with. Raises: ModelError. LayerError. MethodError."""
    if not isinstance(model, nn.Module):
        raise ModelError(f"attribute explains an nn.Module; got {type(model).__name__}. Give the model itself.")
    if isinstance(layers, str):
        raise LayerError(f"layers is a list of names; got the text '{layers}'. Write layers=['{layers}'].")
    if any(isinstance(part, PackedSequence) for part in _containers(inputs)) or any(
        leaf.is_nested for leaf in tensors_in(inputs)
    ):
        raise MethodError(
            "The inputs are sequences of several lengths in one nested or packed tensor, whose first axis no method can take for "
            "the examples. Give them padded, with lengths or a mask, to a module that packs them; or one sequence at a time."
        )
    leaf = next((leaf for leaf in tensors_in(inputs) if leaf.ndim), None)
    if leaf is None or not len(leaf):
        shape = f"no tensor with axes, {shapes(inputs)}" if leaf is None else f"shape {tuple(leaf.shape)}"
        raise MethodError(
            f"There is nothing to explain: the inputs hold no example, {shape}. Expected tensors with the examples along "
            "their first axis, alone or in tuples, lists, mappings and dataclasses."
        )


def _containers(tree: Any) -> Iterator[Any]:
    """The containers in a tree of inputs, itself among them."""
    parts = parts_of(tree)
    if parts is not None:
        yield tree
        for part in parts.values():
            yield from _containers(part)


def _need_layers(chosen: Sequence[Method], layers: Sequence[str] | None) -> None:
    """Refuses methods that are maps of layers where none is named. Raises: LayerError."""
    at_layers = next((each for each in chosen if each.positions), None)
    if at_layers is not None and layers is not None and not len(layers):
        raise LayerError(
            f"{at_layers.title} is a map of a layer, and no layer was given: layers=[] names none. Name one, or leave layers "
            "out for all that it fits."
        )


def _chosen(asked: object) -> list[Method]:
    """Each method once. Raises: MethodError: none, no method, or one with two sets of options, which would have the same name."""
    wanted = list(asked) if isinstance(asked, Iterable) else [asked]
    if not wanted:
        raise MethodError(
            f"No method was asked for: method is {asked!r}. Give a name, such as 'saliency', or a list of some."
        )
    by_name: dict[str, Method] = {}
    for each in map(method_of, wanted):
        if by_name.setdefault(each.name, each) != each:
            raise MethodError(f"'{each.name}' is asked for twice with different options; ask in two calls.")
    return list(by_name.values())


def _attribution(name: str, maps: Maps, passes: Passes) -> Attribution:
    return Attribution(
        method=name,
        input=maps.input,
        layers=maps.layers,
        scores=maps.scores,
        passes=passes,
        warnings=maps.warnings,
        check=maps.check,
        error=maps.error,
        layer_checks=maps.layer_checks,
    )


def _alone(problem: Problem, finder: _Layers, method: Method) -> Maps:
    """A method that makes passes of its own."""
    asked = method.explains_layers and (problem.named is not None or not method.names_layers)
    layers = finder.chosen(method) if asked else ()
    return method.explain(replace(problem, layers=layers, graph=finder.known))


def _plain(problem: Problem, finder: _Layers, plain: Sequence[Method], passes: Passes) -> Found:
    """The plain methods, from one forward and one backward."""
    every = any(each.needs_every_layer for each in plain)
    positions = next((each for each in plain if each.positions and not each.needs_every_layer), None)
    backwards = any(each.needs_input_gradients for each in plain)
    look_ups = LookUps(problem.model) if every else None
    named, captured, seen, spent = finder.explained(
        problem, look_ups, positions, backwards, planes=any(each.positions for each in plain)
    )
    passes.add(spent)
    told = saturated(problem, seen)
    wanted: frozenset[Sum] = frozenset().union(*(each.sums for each in plain))
    products: Products | None = Products(seen, wanted, keep=any(each.needs_product for each in plain))
    found: dict[str, Maps] = {}
    for each in sorted(plain, key=lambda one: one.name == "saliency"):
        layers = captured if each.needs_every_layer else named
        if each.name == "saliency":
            # It comes last: it needs no activations, whose memory is free for its maps then.
            seen, products = replace(seen, activations={}), None
        graph = finder.graph if each.needs_every_layer else finder.known
        given = replace(problem, layers=layers, seen=seen, products=products, graph=graph, look_ups=look_ups)
        maps = each.explain(given)
        warned = told if each.reads_gradient else ()
        found[each.name] = replace(maps, warnings=(*maps.warnings, *warned))
    return found


class _Layers:
    """Which layers a call is about; the graph is traced once, and only if something needs it."""

    def __init__(self, model: nn.Module, inputs: Tree, names: Sequence[str] | None, graph: Graph | None = None) -> None:
        self._model = model
        self._inputs = inputs
        self._names = names
        self._traced = graph

    @property
    def known(self) -> Graph | None:
        """The graph where something has needed it."""
        return self._traced

    @property
    def graph(self) -> Graph:
        """Raises: ForwardError: the model cannot be traced, because it raises."""
        if self._traced is None:
            self._traced = traced(self._model, self._inputs)
        return self._traced

    def of(self, name: str) -> Layer:
        """One layer by name. Raises: LayerError: with the nearest names, or why it cannot be captured."""
        try:
            return self.graph.layer(name)
        except LayerError:
            if not self.graph.data_dependent:
                raise
        # The examples that were traced may have gone another way than the others.
        return whole_graph(self._model, self._inputs).layer(name)

    def chosen(self, method: Method) -> tuple[Layer, ...]:
        """The layers for a method that makes passes of its own."""
        if self._names is None:
            return with_planes(self.graph) if method.positions else self.graph.layers
        found = tuple(map(self.of, self._names))
        if method.positions:
            refuse_cam(method.title, found, with_planes(self.graph))
        return found

    def explained(
        self, problem: Problem, look_ups: LookUps | None, positions: Method | None, backwards: bool, *, planes: bool
    ) -> tuple[tuple[Layer, ...], tuple[Layer, ...], Captured, Passes]:
        """The layers that were asked for, those that were captured, what was seen of them, and what it cost.

        With look-ups to be noted, all layers are captured.
        """
        every = look_ups is not None
        # Where the graph is known it says at once what modules say by a walk over all of them.
        known = self._names is None or every or self._traced is not None
        plain = (
            None if known or self._names is None else by_module(self._model, self._names, maps=positions is not None)
        )
        if plain is not None:
            try:
                with problem.view(plain) as view:
                    seen = view.explain(problem.inputs, input_gradients=backwards)
            except (LayerError, MethodError) as error:
                if for_memory(error):
                    raise
                # The graph knows better what is wrong.
            else:
                whole = shaped(self._model, plain, seen)
                if whole is not None and not (positions is not None and any(map(no_cam, whole))):
                    return whole, whole, seen, view.passes
        graph = self.graph
        chosen = None if self._names is None else tuple(map(self.of, self._names))
        misfit = positions is not None and chosen is not None and any(map(no_cam, chosen))
        # The others are looked through only where they matter: a click waits for this.
        others_matter = chosen is None or every or misfit
        every_one = with_planes(graph) if planes and others_matter else graph.layers
        named = every_one if chosen is None else chosen
        if positions is not None and misfit:
            refuse_cam(positions.title, named, every_one)
        captured = named
        if every:
            others = {layer.name: layer for layer in (*named, *every_one, *embeddings(self._model, graph))}
            captured = tuple(others.values())
        if not backwards and self._names is None:
            # Only layers that can have a map: the backward ends at the first of them.
            captured = named = tuple(layer for layer in named if no_cam(layer) is None) or named
        with problem.view(captured) as view:
            seen = view.explain(problem.inputs, within=look_ups, input_gradients=backwards)
        # Embeddings beside them may look up ids that were turned: it is known which row is whose.
        shown = {layer.name for layer in captured}
        seen = by_example(
            seen,
            tuple(layer for layer in (*named, *(every_one if every else ())) if layer.name in shown),
            batch_size(problem.inputs),
            self._names,
        )
        named, captured = (tuple(one for one in some if one.name in seen.activations) for some in (named, captured))
        return named, captured, seen, view.passes
