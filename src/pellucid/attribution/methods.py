"""What a method is, which there are, and what each is given: the registry behind `pellucid.attribute`."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from torch import Tensor, nn

from pellucid.attribution.lookups import LookUps, Read
from pellucid.attribution.products import Products
from pellucid.attribution.rows import by_example
from pellucid.attribution.sums import Sum
from pellucid.attribution.targets import Goal
from pellucid.capture import Captured, Session
from pellucid.capture.reached import row_each
from pellucid.capture.trees import batch_size, certain_batch_size
from pellucid.errors import LayerError, MethodError, TargetError
from pellucid.types import Layer, Passes, Tree

if TYPE_CHECKING:
    from pellucid.graph import Graph

Cost = Literal["plain", "backward", "passes"]


@dataclass(frozen=True)
class Maps:
    """What a method has found.

    Attributes:
        input: a tree like the inputs, None on leaves that the method cannot explain.
        layers: by name.
        scores: float[batch], the explained score of each example.
        passes: what this method alone has cost; a plain method costs nothing beyond the shared passes.
        check: float[batch], sum(attribution) - (F(x) - F(baseline)), where the method promises it to be 0.
        error: standard error of `input`, where it is an estimate; a tree like it.
        warnings: in words, what is wrong.
        layer_checks: by layer, as `check`.
    """

    input: Any
    layers: Mapping[str, Tensor]
    scores: Tensor
    passes: Passes = field(default_factory=Passes)
    check: Tensor | None = None
    error: Any = None
    warnings: tuple[str, ...] = ()
    layer_checks: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Where a method of many passes is.

    Attributes:
        method: its name.
        done, total: passes, copies or windows, as the method counts them.
        estimate: the map of the input so far.
        error: how far that may be off: its mean standard error as a part of its mean size, where the method is an estimate
            from samples; of integrated gradients the residual of the attempt before this one, as a part of the difference;
            None where nothing is known yet, or the method promises neither.
    """

    method: str
    done: int
    total: int
    estimate: Callable[[], Any]
    error: Callable[[], float | None] = lambda: None


Watcher = Callable[[Progress], bool | None]
"""Called after every batch of a method of many passes; returning False ends it with what it has."""


class View:
    """An open session on a model together with the target: scores, and gradients of them, of examples or copies.

    Attributes:
        passes: what has been spent through it.
        latest: the scores of the latest forward, one a row; None before the first.
    """

    def __init__(self, session: Session, goal: Goal, layers: Sequence[Layer], named: Sequence[str]) -> None:
        self._session = session
        self._goal = goal
        self._layers = layers
        self._named = tuple(layer for layer in layers if layer.name in named)
        self.passes = session.passes
        self.device = session.device
        self.latest: Tensor | None = None

    def explain(
        self,
        inputs: Tree,
        rows: Tensor | None = None,
        batch: int | None = None,
        within: AbstractContextManager[object] | None = None,
        *,
        input_gradients: bool = True,
    ) -> Captured:
        """One forward and one backward.

        Args:
            inputs: the examples, or copies of them.
            rows: which example each row is a copy of; None for the examples as they are.
            batch: how many examples there are, where rows are given.
            within: entered around the forward.
            input_gradients: whether to go back as far as the inputs.

        Raises: LayerError: a layer that was named did not give one row a copy; of the examples as they are, it is for the caller
            to leave such layers out (`by_example`). TargetError: the target's did not.
        """
        unit, count = self._goal.unit, batch_size(inputs)

        def score(output: Any) -> Tensor:
            if unit is not None:
                return self._response(lambda: self._session.output(unit[0].name))
            return self._scored(output, inputs, rows, batch)

        seen = self._session.explain(inputs, score, within, input_gradients=input_gradients)
        self.latest = seen.scores
        if rows is not None:
            seen = by_example(seen, self._named, count, [layer.name for layer in self._named])
        if unit is None or any(layer.name == unit[0].name for layer in self._layers):
            return seen
        extra = unit[0].name  # captured for its score only
        return replace(
            seen,
            activations={name: one for name, one in seen.activations.items() if name != extra},
            gradients={name: one for name, one in seen.gradients.items() if name != extra},
        )

    def scores(
        self,
        inputs: Tree,
        rows: Tensor | None = None,
        batch: int | None = None,
        change: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """One forward without gradients: float[batch], or one score a row.

        Args:
            inputs: the examples, or copies of them.
            rows: which example each row is a copy of; None for the examples as they are.
            batch: how many examples there are, where rows are given.
            change: what the view's one layer gives on in place of its output.

        Raises: LayerError: that layer did not give one row an example. TargetError: the target's did not.
        """
        unit, count = self._goal.unit, batch_size(inputs)
        kept: list[Tensor] = []

        def tap(layer: Layer, output: Tensor) -> Tensor | None:
            made = None
            if change is not None and layer.name == self._layers[0].name:
                made = change(row_each(layer.name, output, count))
            if unit is not None and layer.name == unit[0].name:
                kept.append(self._response(lambda: row_each(layer.name, output if made is None else made, count)))
            return made

        plain = unit is None and change is None
        outputs = self._session.forward(inputs).outputs if plain else self._session.forward_with(inputs, tap)
        self.latest = kept[0] if unit is not None else self._scored(outputs, inputs, rows, batch)
        return self.latest

    def outputs(
        self, inputs: Tree, rows: Tensor | None = None, batch: int | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores as `scores` gives them, and what the view's layers gave, from one forward without gradients.

        Raises: LayerError: a layer that was named did not give one row an example. TargetError: the target's did not.
        """
        unit, count = self._goal.unit, batch_size(inputs)
        kept: dict[str, Tensor] = {}
        responses: list[Tensor] = []

        def keep(layer: Layer, output: Tensor) -> None:
            if layer in self._named:
                row_each(layer.name, output, count)
            if unit is not None and layer.name == unit[0].name:
                responses.append(self._response(lambda: row_each(layer.name, output, count)))
            if any(layer.name == one.name for one in self._layers):
                kept[layer.name] = output.clone()

        outputs = self._session.forward_with(inputs, keep)
        self.latest = responses[0] if unit is not None else self._scored(outputs, inputs, rows, batch)
        return self.latest, kept

    def _scored(self, output: Any, inputs: Tree, rows: Tensor | None, batch: int | None) -> Tensor:
        return self._goal.scores(output, rows, certain_batch_size(inputs) if rows is None else batch)

    def _response(self, output: Callable[[], Tensor]) -> Tensor:
        """The response of the target's unit in the output of its layer: float[batch]."""
        unit = self._goal.unit
        if unit is None:
            raise MethodError("The target is no unit of a layer; this is a fault of the method.")
        try:
            return unit[1].of(output(), unit[0])
        except LayerError as error:
            raise TargetError(f"No unit of layer '{unit[0].name}' can be the target. {error}") from error

    def activation(self, inputs: Tree) -> tuple[Tensor, Any]:
        """The output of the view's one layer in one forward without gradients, and the model's output.

        Raises: LayerError: it has not one row an example.
        """
        kept: list[Tensor] = []

        def keep(layer: Layer, output: Tensor) -> None:
            if layer.name == self._layers[0].name:
                kept.append(row_each(layer.name, output, batch_size(inputs)).clone())

        outputs = self._session.forward_with(inputs, keep)
        return kept[0], outputs


@dataclass(frozen=True)
class Problem:
    """What the methods of one call are given.

    Attributes:
        model: as the user gave it.
        inputs: the examples, without a history.
        goal: the target.
        layers: those that the user named, or all that the model's graph captures; empty for methods that ask for none.
        named: the names that the user gave; None where layers were left open.
        seen: activations and gradients of the shared forward and backward, for plain methods; None for others.
        watch: told after every batch of a long method.
        products: what plain methods of one call make of the shared passes together; None for others.
        graph: the model's; None where nothing needed it.
        look_ups: of the shared forward, likewise.
    """

    model: nn.Module
    inputs: Any
    goal: Goal
    layers: tuple[Layer, ...] = ()
    named: tuple[str, ...] | None = None
    seen: Captured | None = None
    watch: Watcher | None = None
    products: Products | None = None
    graph: Graph | None = None
    look_ups: LookUps | None = None

    @contextmanager
    def view(self, layers: Sequence[Layer] = ()) -> Iterator[View]:
        """The model open for looking at these layers and, where the target is one, at its unit."""
        wanted = list(layers)
        unit = self.goal.unit
        if unit is not None and all(layer.name != unit[0].name for layer in wanted):
            wanted.append(unit[0])
        with Session(self.model, wanted) as session:
            yield View(session, self.goal, layers, self.named or ())

    def run(
        self, within: AbstractContextManager[object] | None = None, layers: Sequence[Layer] | None = None
    ) -> tuple[Captured, Passes]:
        """One forward and one backward of the score, captured at these layers (at the problem's where None).

        Raises: LayerError: one that was named did not give one row an example; others that did not are left out.
        """
        layers = self.layers if layers is None else layers
        with self.view(layers) as view:
            seen = view.explain(self.inputs, within=within)
            return by_example(seen, layers, batch_size(self.inputs), self.named), view.passes

    def shared(self) -> tuple[Captured, Tensor]:
        """The shared passes of a plain method, and the scores. Raises: MethodError: they were not made."""
        if self.seen is None or self.seen.scores is None:
            raise MethodError("No score was computed.")
        return self.seen, self.seen.scores

    def reads(self) -> dict[int, Read]:
        """By the number of an input's leaf the embedding's look-up of its ids in the shared forward, where it was captured."""
        if self.look_ups is None or self.seen is None:
            return {}
        reads = self.look_ups.reads(self.inputs)
        return {number: read for number, read in reads.items() if read.look_up.name in self.seen.gradients}

    def missed(self, reads: Mapping[int, Read]) -> tuple[str, ...]:
        """What of the inputs' ids is looked up beside these, in words."""
        return () if self.look_ups is None else self.look_ups.missed(self.inputs, reads)


class Method(ABC):
    """A method with its options: subclasses are frozen dataclasses whose fields are the options, with defaults.

    Attributes:
        name: in snake case, as `attribute` takes it.
        title: as papers write it, for messages.
        cost: "plain": from the forward and backward that all share; "backward": one further forward and backward;
            "passes": more of them, in full batches.
        positions: whether it needs a layer with positions in a plane (a CAM).
        explains_layers: whether it makes maps of layers; others leave `layers` empty.
        names_layers: whether it explains no layers but those that are named.
        needs_input_gradients: whether the shared backward must go as far as the inputs.
        needs_every_layer: whether it looks for its layers among all of the model's, whatever the user named.
        sums: what it needs of a layer's activations and gradients beside themselves, shared with a call's other methods.
        needs_product: whether it needs activation times gradient, number by number; shared too.
        reads_gradient: whether a layer or a score without a gradient says nothing to it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    cost: ClassVar[Cost]
    positions: ClassVar[bool] = False
    explains_layers: ClassVar[bool] = True
    names_layers: ClassVar[bool] = False
    needs_input_gradients: ClassVar[bool] = True
    needs_every_layer: ClassVar[bool] = False
    sums: ClassVar[frozenset[Sum]] = frozenset()
    needs_product: ClassVar[bool] = False
    reads_gradient: ClassVar[bool] = True

    @abstractmethod
    def explain(self, problem: Problem) -> Maps:
        """The maps of one problem. Raises: MethodError: they cannot be right here."""


_REGISTRY: dict[str, type[Method]] = {}
_Kind = TypeVar("_Kind", bound=type[Method])


def register(kind: _Kind) -> _Kind:
    """Puts a method under its name: a decorator."""
    _REGISTRY[kind.name] = kind
    return kind


def methods() -> Mapping[str, type[Method]]:
    """Every method by name: the cheap ones first, CAMs after the others."""
    order = ("plain", "backward", "passes")
    return dict(sorted(_REGISTRY.items(), key=lambda one: (order.index(one[1].cost), one[1].positions)))


def method_of(wanted: object) -> Method:
    """The method of that name with its defaults, or the very one that was given. Raises: MethodError: there is none."""
    if isinstance(wanted, Method):
        return wanted
    if not isinstance(wanted, str):
        made = f"; write {wanted.__name__}()" if isinstance(wanted, type) and issubclass(wanted, Method) else ""
        raise MethodError(f"A method is its name, or an instance with its options; got {wanted!r}{made}.")
    kind = _REGISTRY.get(wanted)
    if kind is None:
        near = difflib.get_close_matches(wanted, _REGISTRY, n=3, cutoff=0.6)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise MethodError(f"There is no method '{wanted}'.{meant} Methods: {', '.join(methods())}.")
    return kind()
