"""The words that every floor of the house shares: examples, batches, layers, what a lens needs and sees.

Importing this needs no torch; tensors are named in annotations only.

Axes are named in the field's order: batch, channel, height, width. A `Tree` is any nesting of tuples, lists and
dicts whose leaves are tensors; nothing here knows what the tensors depict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from pellucid.graph import Graph

Tree: TypeAlias = "Tensor | tuple[Tree, ...] | list[Tree] | dict[str, Tree]"
Scalar: TypeAlias = str | int | float | bool | None
Stage: TypeAlias = Literal["trace", "sweep", "focus", "learn"]
Layout: TypeAlias = Literal["maps", "channels", "tokens", "vector", "other"]
Task: TypeAlias = Literal["classification", "multilabel", "regression", "none"]
OutputKind: TypeAlias = Literal["logits", "probabilities"]
"""What a classifier's outputs are; of several true classes each has a probability of its own."""
Outputs: TypeAlias = Literal["auto", "logits", "probabilities", "numbers"]
"""What a model's outputs are said to be, "numbers" of a regression; told by values, targets and graph if "auto"."""

TOGETHER_CLASS = -1
"""Stands for the class of examples that are not told apart by class: of a regression, or with too few of each."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the tokens of a layer stand on the map of an image that they were cut from.

    Attributes:
        height, width: of the map.
        tokens: number of the token at each position, row by row.
        total: how many tokens there are, with those that are no patches: class tokens, registers.
    """

    height: int
    width: int
    tokens: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Media:
    """A small picture of an example, as an encoded file.

    Attributes:
        content: the encoded bytes.
        extension: "png", "jpg" or "webp".
    """

    content: bytes
    extension: str


@dataclass(frozen=True, slots=True)
class Example:
    """One input with its target, a stable id, and the columns that came with it.

    Attributes:
        inputs: what the model's forward takes, without the batch axis. A tuple is passed as positional arguments,
            a dict as keyword arguments, a tensor as the one argument. What is no tensor (None, a flag, a number that
            forward takes as it is) is the same for a whole batch.
        target: class index, number, or None where unknown; of a soft label the most probable class.
        media: how it looks to a person, after preprocessing undone; None where it has no picture.
        soft: a soft label, the probability of each class, or None.
        classes: every class that is true of it, where several may be (multilabel), or None.
    """

    id: str
    inputs: Tree
    target: int | float | None = None
    media: Media | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    soft: tuple[float, ...] | None = None
    classes: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class ByColumn(Sequence[Mapping[str, Scalar]]):
    """The columns of many examples, kept column by column: a row of it is a mapping, as for examples that come singly.

    Attributes:
        values: by name, a value an example.
        length: number of examples.
    """

    values: Mapping[str, Sequence[Scalar]]
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self.length))]
        if not -self.length <= place < self.length:
            raise IndexError(place)
        return {name: column[place] for name, column in self.values.items()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples collated along a new first axis.

    Attributes:
        start: row of the first example in the examples table; the others follow, unless `rows` names them all.
        inputs: the tree with a batch axis on every leaf.
        targets: int64[batch] or float64[batch], or None where no example has one; -1 (integers) or NaN (floats)
            for an example without target.
        soft: float64[batch class] soft labels, NaN for an example without one; None where no example has one.
        sets: every class that is true of each example, None where that is not known; empty where no example says it.
    """

    start: int
    ids: Sequence[str]
    inputs: Tree
    targets: Tensor | None = None
    media: Sequence[Media | None] = ()
    columns: Sequence[Mapping[str, Scalar]] = ()
    rows: tuple[int, ...] = ()
    soft: NDArray[np.float64] | None = None
    sets: tuple[frozenset[int] | None, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, place: int) -> int:
        """Row of the examples table of the example at `place` in the batch."""
        return self.rows[place] if self.rows else self.start + place

    def along(self) -> Mapping[str, Sequence[Scalar]]:
        """The columns that came with the examples, by name; None where an example has no value."""
        if isinstance(self.columns, ByColumn):
            return self.columns.values
        names = {name: None for row in self.columns for name in row}
        return {name: [row.get(name) for row in self.columns] for name in names}


@dataclass(frozen=True, slots=True)
class Layer:
    """A place in the graph whose output can be captured.

    Attributes:
        index: position in order of execution, unique in a record.
        name: the module's path ("features.3"); a function called by a module is "<path>.relu()"; the second and
            later calls end in "#2", "#3".
        operation: class of the module ("Conv2d") or name of the function ("relu").
        shape: of one example's output, without the batch axis.
        layout: "maps" is (batch, channel, height, width), "channels" (batch, channel, ...) with one position axis or more than
            two, "tokens" (batch, token, channel), "vector" (batch, channel), "other" anything else: with three axes past the
            batch it is a plane (batch, height, width, channel), else every position past the batch axis is a unit of its own.
        activation: the activation function whose output this is ("relu", "relu6", "gelu", ...), or None.
        of_image: whether the model looks at an image; only then can tokens lie on a grid.
        grid: of tokens that are the patches of an image, as the graph tells; None where it does not.
        upright: False where the graph tells that the two axes of positions of maps, or of a plane with channels last, are not the
            rows and columns of the image.
    """

    index: int
    name: str
    operation: str
    shape: tuple[int, ...]
    layout: Layout
    activation: str | None = None
    of_image: bool = True
    grid: Grid | None = None
    upright: bool = True

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in a batched output: 2 for tokens, 3 for planes, 1 for all others."""
        return 2 if self.layout == "tokens" else 3 if self.is_plane else 1

    @property
    def is_plane(self) -> bool:
        """Whether an output is (batch, height, width, channel), as in Swin and inside ConvNeXt."""
        return self.layout == "other" and len(self.shape) == 3

    @property
    def units(self) -> int:
        """Number of channels, neurons or positions that are counted one by one."""
        if not self.shape:
            return 1
        if self.layout == "other" and not self.is_plane:
            product = 1
            for extent in self.shape:
                product *= extent
            return product
        return self.shape[self.channel_axis - 1]


Reduction: TypeAlias = "Callable[[Tensor, Layer], Mapping[str, Tensor]]"
"""From a layer's output, float[batch ...], to a few small tensors; pure, called while the output is fresh."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be captured for a lens; an inspection captures the union of all needs once.

    Attributes:
        stages: when the lens observes. "trace": once, the graph and the parameters. "sweep": every batch, forward
            only. "focus": the chosen examples, one forward and one backward. "learn": a sample of examples with targets, the
            gradient of each one's loss by the parameters.
        outputs, losses: logits and per-example losses of the batch.
        reductions: by name; applied to every layer's output inside the sweep.
        activations, gradients: whole layer outputs, and gradients of the explained score by them (focus only).
        passes: extra passes for each focused example that this lens costs beyond the shared forward and backward.
    """

    stages: frozenset[Stage] = frozenset({"sweep"})
    outputs: bool = False
    losses: bool = False
    reductions: Mapping[str, Reduction] = field(default_factory=dict)
    activations: bool = False
    gradients: bool = False
    passes: int = 0


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """Gradients of each example's loss by the parameters of one module.

    Attributes:
        index: place among the modules with parameters, in order of execution.
        node: id of its first call in the graph; None where it was not called.
        parameters: how many values have gradients, each once.
        read: name -> how many values, of those parameters that the traced forward reads.
        weight_norm: L2 norm of those parameters.
        squares: float64[batch], squared L2 norms.
        sketch: float32[batch kept], from which inner products can be told; exact where kept equals `parameters`.
    """

    index: int
    node: int | None
    parameters: int
    read: Mapping[str, int]
    weight_norm: float
    squares: Tensor
    sketch: Tensor


@dataclass(frozen=True, slots=True)
class Learning:
    """Parameter gradients of one batch, and how they were taken.

    Attributes:
        layers: path of the module -> its gradients.
        population: class -> how many examples of the data are of it; {TOGETHER_CLASS: all} where they are not told apart.
        way, why: "vmap" or "loop", and why not vmap.
        frozen: parameters that are not set to learn, and were left out.
        notes: in words, what was done about memory.
    """

    layers: Mapping[str, LayerGradient]
    population: Mapping[int, int]
    way: str
    why: str = ""
    frozen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What was captured for one batch.

    Attributes:
        outputs: float32[batch class] logits for classification, else the output as the model gave it. Of saved predictions, and
            of a model that gives probabilities, float[batch class] of NumPy: logits, log-probabilities (-infinity for 0), or NaN
            where only classes were saved.
        losses: float64[batch], NaN where there is no target.
        columns: the batch's rows of the examples table, as measures.predictions.columns_of gives them (sweep).
        cells: int64[true class, predicted class], the counts of target and prediction where they were made for all lenses at
            once; None where each lens makes its own.
        layers: every captured layer by name, in order of execution.
        summaries: layer name -> reduction name -> its small tensors (sweep).
        activations: layer name -> float[batch ...] (focus).
        gradients: layer name -> d score / d activation, same shape (focus).
        input_gradients: d score / d inputs, same tree as `batch.inputs`; None on leaves that have no gradient.
        explained: int64[batch], the class whose score was differentiated; None of a regression, where the output was.
        scores: float[batch], what was differentiated.
        reasons: why each example was chosen (focus).
        refusal: why no example can be looked at closely, or has parameter gradients, in words; nothing else of the stage is
            there then.
        learning: gradients by the parameters (learn).
        graph, parameters: the traced graph and the parameters by name (trace).
    """

    stage: Stage
    batch: Batch | None = None
    outputs: Tensor | None = None
    losses: Tensor | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    cells: NDArray[np.int64] | None = None
    layers: Mapping[str, Layer] = field(default_factory=dict)
    summaries: Mapping[str, Mapping[str, Mapping[str, Tensor]]] = field(default_factory=dict)
    activations: Mapping[str, Tensor] = field(default_factory=dict)
    gradients: Mapping[str, Tensor] = field(default_factory=dict)
    input_gradients: Tree | None = None
    explained: Tensor | None = None
    scores: Tensor | None = None
    reasons: tuple[str, ...] = ()
    refusal: str = ""
    learning: Learning | None = None
    graph: Graph | None = None
    parameters: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Passes:
    """What was spent on the model, counted in examples and in calls.

    Attributes:
        forward, backward: batched calls of the model and of autograd.
        forward_examples, backward_examples: the same in examples.
    """

    forward: int = 0
    backward: int = 0
    forward_examples: int = 0
    backward_examples: int = 0

    def add(self, other: Passes) -> None:
        """Counts another's passes in."""
        self.forward += other.forward
        self.backward += other.backward
        self.forward_examples += other.forward_examples
        self.backward_examples += other.backward_examples
