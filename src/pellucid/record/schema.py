"""Everything a record holds, as types: the one source from which files, checks and TypeScript types are made.

A record is a folder; `docs/format.md` is its public contract. Importing this needs no torch.

Optional numbers are None where a value is not defined; NaN never enters JSON.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

SCHEMA_VERSION = 1

# Sub-octave bins of a histogram keep this many bits of the float32 mantissa: 4 bins an octave.
MANTISSA_BITS = 2

State = Literal["running", "complete", "interrupted", "failed"]
Severity = Literal["high", "medium", "low", "info"]


class Interval(msgspec.Struct, frozen=True):
    """A confidence interval; `method` names how it was made (wilson, bootstrap, t)."""

    low: float
    high: float
    level: float = 0.95
    method: str = "wilson"


class Histogram(msgspec.Struct, frozen=True):
    """Counts over fixed bins of the float32 bit pattern, so that histograms merge exactly.

    A bin's id is the top 1 + 8 + `mantissa_bits` bits of the float32 (sign, octave, sub-octave) as an unsigned
    integer; `bins` is sorted by the value the bin stands for, lowest first. Zeros (of either sign), infinities and
    NaN are counted apart.
    """

    bins: list[int]
    counts: list[int]
    zero: int = 0
    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0
    mantissa_bits: int = MANTISSA_BITS


class Finding(msgspec.Struct, frozen=True):
    """One plain sentence with its evidence.

    Attributes:
        kind: stable name of the check that found it ("dead-layer", "confused-pair").
        weight: orders findings of one severity, larger first; between 0 and 1.
        count: how many observations the sentence rests on.
        evidence: the numbers it rests on, by name.
        page: the page of the app that shows it.
        selection: what to select there, as parameters of the app's URL (see docs/architecture.md).
    """

    kind: str
    severity: Severity
    sentence: str
    count: int
    page: str
    weight: float = 0.0
    interval: Interval | None = None
    evidence: dict[str, str | int | float | None] = field(default_factory=dict)
    selection: dict[str, str] = field(default_factory=dict)


# --- the manifest ---------------------------------------------------------------------------------------------


class ModelInfo(msgspec.Struct, frozen=True):
    """The model under inspection. `fingerprint` is a SHA-256 over names, shapes, dtypes and values."""

    name: str
    source: str
    fingerprint: str
    parameters: int
    trainable: int
    bytes: int


class DataInfo(msgspec.Struct, frozen=True):
    """The data. `fingerprint` is a SHA-256 over its source and ids; `classes` are names in order of index."""

    name: str
    source: str
    fingerprint: str
    examples: int | None
    classes: list[str] = field(default_factory=list)


class Preprocessing(msgspec.Struct, frozen=True):
    """What was done to an example before the model saw it, as named steps in order; also their fingerprint."""

    steps: list[dict[str, str | int | float | list[int | float] | None]] = field(default_factory=list)
    origin: str = "none"
    fingerprint: str = ""


class StageInfo(msgspec.Struct):
    """How far a stage of the inspection has come, and what it spent."""

    name: Literal["trace", "sweep", "focus"]
    state: State = "running"
    examples: int = 0
    forward: int = 0
    backward: int = 0
    forward_examples: int = 0
    backward_examples: int = 0
    seconds: float = 0.0


class FileRef(msgspec.Struct, frozen=True):
    """A finished file of the record: path inside it, size in bytes, SHA-256, rows where it is a table."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None


class Skipped(msgspec.Struct, frozen=True):
    """An example that was left out, and why."""

    id: str
    reason: str


class Manifest(msgspec.Struct):
    """What the record holds and how it came to be; rewritten atomically whenever something is finished.

    `call_seconds` is the measured time of each call of the graph, by its id: clocks stand here alone, so that all else in a
    record is the same whenever it is made again.
    """

    schema_version: int = SCHEMA_VERSION
    pellucid_version: str = ""
    title: str = ""
    created: str = ""
    updated: str = ""
    state: State = "running"
    error: str | None = None
    model: ModelInfo | None = None
    data: DataInfo | None = None
    preprocessing: Preprocessing | None = None
    task: Literal["classification", "regression", "none"] = "none"
    options: dict[str, str | int | float | bool | list[str] | None] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=dict)
    stages: list[StageInfo] = field(default_factory=list)
    examples: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    nonfinite: int = 0
    chosen: int = 0
    watched: bool = False
    call_seconds: list[float | None] = field(default_factory=list)
    files: list[FileRef] = field(default_factory=list)


# --- panels ---------------------------------------------------------------------------------------------------


class Panel(msgspec.Struct, tag_field="lens", kw_only=True):
    """A lens's answer. `count` is the number of examples (or values, for weights) that it rests on."""

    count: int = 0
    findings: list[Finding] = field(default_factory=list)


class Pool(msgspec.Struct, frozen=True):
    """What a pooling layer looks at and keeps, axis by axis.

    Attributes:
        kind: how a window becomes one value.
        window, stride, padding: positions along each pooled axis; of an adaptive or global pool, those it comes to.
        kept: output positions by input positions: the largest share of the input's values that a maximum lets through,
            the number of means by the number of values for an average.
        seen: share of the input's positions that lie in any window; the rest is dropped unseen.
    """

    kind: Literal["max", "average", "lp"]
    window: list[int]
    stride: list[int]
    padding: list[int]
    kept: float
    seen: float


class GraphNode(msgspec.Struct, frozen=True):
    """One module call, function or input of the traced model.

    Attributes:
        parent: id of the module call that encloses it, None at the top.
        inputs, outputs: shapes of the tensors that went in and came out; their types in input_dtypes, output_dtypes.
        parameters: unique parameters in it and below it; own_parameters: only its own.
        flops: multiply-adds counted twice, for the traced example; None where not counted.
        memory: bytes of its outputs for the traced example.
        layer: index of the captured layer whose output it is, or None.
        source: file name and line of the call, without folders.
        role: the part it plays.
        activation: name of the activation function that it is, or None.
        arguments: its settings that are no tensors, by name, as text ("kernel_size": "(3, 3)").
        operators: aten operators that ran in it and below it.
        steps: of a recurrent layer, how many steps it runs over; each step's output is fed back into the next.
        pool: what it keeps, of a pooling layer.
        error: what it raised, where the forward failed in it.
        shares: ids of earlier calls of another path that read a parameter of its own: tied weights.
    """

    id: int
    path: str
    name: str
    operation: str
    kind: Literal["module", "function", "input", "output"]
    parent: int | None
    call: int
    inputs: list[list[int]]
    outputs: list[list[int]]
    input_dtypes: list[str]
    output_dtypes: list[str]
    parameters: int
    own_parameters: int
    trainable: int
    flops: int | None
    memory: int
    layer: int | None = None
    source: str | None = None
    role: Literal["compute", "norm", "activation", "pool", "join", "pass", "other"] = "other"
    activation: str | None = None
    arguments: dict[str, str] = field(default_factory=dict)
    operators: int = 0
    steps: int | None = None
    pool: Pool | None = None
    error: str | None = None
    shares: list[int] = field(default_factory=list)


class GraphEdge(msgspec.Struct, frozen=True):
    """A tensor that flows from output number `output` of `source` to argument number `argument` of `target`.

    `activation` names the activation function whose output it is, None elsewhere; `feeds_back` says that it carries the
    output of one step of a loop into the next.
    """

    source: int
    target: int
    output: int
    argument: int
    shape: list[int]
    activation: str | None = None
    feeds_back: bool = False


class Loop(msgspec.Struct, frozen=True):
    """Sibling calls that the forward made several times over, in the same order, with the same parameters.

    Attributes:
        calls: ids of the siblings of each step, a list a step, all of one length.
        feeds_back: whether a step reads what the one before it made.
    """

    calls: list[list[int]]
    feeds_back: bool


class LayerInfo(msgspec.Struct, frozen=True):
    """A captured layer, as in pellucid.types.Layer; `node` is its id in the graph, None where untraced."""

    index: int
    name: str
    operation: str
    shape: list[int]
    layout: Literal["maps", "tokens", "vector", "other"]
    units: int
    activation: str | None = None
    node: int | None = None


class GraphPanel(Panel, tag="graph"):
    """The traced model.

    `repeats` are runs of sibling calls of equal structure, as ids of nodes: each can be drawn once, with a multiplier. The
    same place inside two of them has the same distance from their ids.

    Attributes:
        unused: names of the parameters that the forward never read; uncalled: paths of the modules it never called.
        backend: how it was traced: on tensors without values (meta, fake), with values (real), or read from a file.
        backend_reason: why it was not traced without values, where that was tried; "" elsewhere.
        data_dependent: where the path through the model depended on the values of its inputs ("bool() at net.py:31");
            empty where it did not.
        operators: aten operators that the forward ran, or operations that the file lists.
        error: why the trace stopped half-way; the graph then ends there.
    """

    nodes: list[GraphNode]
    edges: list[GraphEdge]
    layers: list[LayerInfo]
    parameters: int
    trainable: int
    flops: int | None
    unused: list[str]
    backend: Literal["meta", "fake", "real", "file", "none"]
    error: str | None = None
    repeats: list[list[int]] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    uncalled: list[str] = field(default_factory=list)
    backend_reason: str = ""
    data_dependent: list[str] = field(default_factory=list)
    operators: int = 0


class GraphChange(msgspec.Struct, frozen=True):
    """One difference between two graphs.

    Attributes:
        kind: what happened to the call on the way from the old graph to the new.
        old, new: its id in each graph; None where it is not there.
        what: what changed ("operation", "arguments", "parameters", "trainable", "shape", "type", "name", "inputs"); empty
            for the other kinds.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    old: int | None
    new: int | None
    what: list[str] = field(default_factory=list)


class GraphDifferencePanel(Panel, tag="graph_difference"):
    """What became of another graph; the record's own graph, in the panel "graph", is the new one.

    Attributes:
        name: what the old model is called.
        old: the old graph.
        matches: ids of calls that are the same, or changed or moved: [old, new].
    """

    name: str
    old: GraphPanel
    matches: list[list[int]]
    changes: list[GraphChange]


class PredictionsPanel(Panel, tag="predictions"):
    """What the examples table holds."""

    classes: list[str]
    outputs: int
    top_k: int
    nonfinite: int
    without_target: int
    columns: list[str]


class Benchmark(msgspec.Struct, frozen=True):
    """A loss to compare with: what it is and its value in the loss's unit."""

    name: str
    value: float
    explanation: str


class ClassLoss(msgspec.Struct, frozen=True):
    """Loss of the examples of one true class; `share` is its part of the total loss."""

    index: int
    count: int
    mean: float | None
    share: float | None
    interval: Interval | None = None


class LabelIssue(msgspec.Struct, frozen=True):
    """An example whose given label the model confidently disputes."""

    row: int
    example: str
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float


class LossPanel(Panel, tag="loss"):
    """The loss, named and defined, over the examples that have a target."""

    name: str
    definition: str
    unit: str
    mean: float | None
    interval: Interval | None
    nonfinite: int
    benchmarks: list[Benchmark]
    by_class: list[ClassLoss]
    histogram: Histogram
    label_issues: list[LabelIssue]


class TopK(msgspec.Struct, frozen=True):
    """Share of examples whose target is among the k most probable classes."""

    k: int
    correct: int
    accuracy: float
    interval: Interval


class ClassAccuracy(msgspec.Struct, frozen=True):
    """One class: support (true), predicted, true positives; rates are None where their denominator is 0."""

    index: int
    support: int
    predicted: int
    true_positive: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float | None


class CalibrationBin(msgspec.Struct, frozen=True):
    """Examples whose confidence lies in (low, high], the first bin closed below; None where empty."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


class AccuracyPanel(Panel, tag="accuracy"):
    """How often the most probable class is the target. `ece` is the expected calibration error, equal-width bins."""

    correct: int
    accuracy: float | None
    interval: Interval | None
    balanced_accuracy: float | None
    top_k: list[TopK]
    by_class: list[ClassAccuracy]
    calibration: list[CalibrationBin]
    ece: float | None
    mean_confidence: float | None


class ConfusedPair(msgspec.Struct, frozen=True):
    """Examples of class `true` called `predicted`: `count` of `support`.

    `expected` is the count if the errors of that true class fell on the other classes in proportion to how often each
    is wrongly predicted for the classes beside the two, one added to each; `p_value` is that of Fisher's exact test
    against those classes, one-sided, after Holm's correction over all pairs.
    """

    true: int
    predicted: int
    count: int
    support: int
    rate: float
    interval: Interval
    expected: float
    p_value: float


class ConfusionPanel(Panel, tag="confusion"):
    """Sparse counts: rows are true classes, columns are predicted classes; three parallel lists."""

    classes: list[str]
    rows: list[int]
    columns: list[int]
    counts: list[int]
    pairs: list[ConfusedPair]


class ActivationLayer(msgspec.Struct, frozen=True):
    """One layer's output over the whole sweep.

    Moments, the maximum and dead units are exact over all `values`; the histogram, the share of zeros, saturation and,
    after a ReLU, the minimum come from `histogram_values` of them, a strided sample unless equal. A unit is dead when
    its output was 0 for every example and position (only after an activation that can be 0), saturated when at least
    95% of its sampled values lie at the activation's upper or lower bound (None where the activation has none).
    """

    index: int
    name: str
    values: int
    nonfinite: int
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    zero_share: float | None
    units: int
    dead_units: int | None
    saturated_units: int | None
    histogram: Histogram
    histogram_values: int


class ActivationsPanel(Panel, tag="activations"):
    """Activations of every layer.

    Arrays (arrays/activations.safetensors), by layer index i: "i.mean", "i.maximum", "i.zero_share" float32[unit];
    "i.top_rows" int64[unit k] rows of the examples table, -1 where fewer; "i.top_values" float32[unit k], strongest
    first; "i.top_positions" int32[unit k], flattened position of the strongest response in the layer's map.
    """

    layers: list[ActivationLayer]
    top_k: int


class ParameterRow(msgspec.Struct, frozen=True):
    """One parameter tensor. The spectrum is of the tensor as a matrix, first axis by the rest, largest first.

    `spectrum` holds at most 64 singular values; stable_rank is the squared Frobenius norm over the squared spectral
    norm. Both are None for tensors that are no matrix.
    """

    name: str
    node: int | None
    shape: list[int]
    dtype: str
    count: int
    nonfinite: int
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    norm: float | None
    zero_share: float | None
    histogram: Histogram
    spectrum: list[float] | None
    spectral_norm: float | None
    stable_rank: float | None


class WeightsPanel(Panel, tag="weights"):
    """Every parameter of the model, counted once."""

    parameters: list[ParameterRow]


class FocusExample(msgspec.Struct, frozen=True):
    """An example that was looked at closely; its maps are in arrays/focus/<row>.safetensors."""

    row: int
    example: str
    target: int | None
    prediction: int | None
    explained: int
    score: float | None
    reason: str


class GradientLayer(msgspec.Struct, frozen=True):
    """Gradients of the explained score by one layer's output, over the chosen examples.

    `norm` is the mean over examples of the L2 norm; `no_cam` says why the layer can have no Grad-CAM, None if it can.
    """

    index: int
    name: str
    norm: float | None
    zero_share: float | None
    nonfinite: int
    histogram: Histogram
    no_cam: str | None = None


class GradientsPanel(Panel, tag="gradients"):
    """What the answers of the chosen examples depended on. `explains` says in words which output was explained."""

    explains: str
    input_shape: list[int]
    examples: list[FocusExample]
    layers: list[GradientLayer]


class LastValue(msgspec.Struct, frozen=True):
    """The newest value of a quantity of the whole model; None where it was not finite."""

    quantity: str
    step: int
    value: float | None


class TrainingPanel(Panel, tag="training"):
    """What a Watch saw, in short; the training table holds it all. `count` is its number of rows.

    `steps` are those that the optimizer took, `recorded` those of them at which layers were looked at; `quantities` are
    those of layers and of the whole model.
    """

    steps: int
    recorded: int
    layers: list[str]
    quantities: list[str]
    last: list[LastValue]


class Table(msgspec.Struct, frozen=True):
    """A table of a lens that the app has no page for: column names and rows of plain values."""

    title: str
    columns: list[str]
    rows: list[list[str | int | float | bool | None]]


class CustomPanel(Panel, tag="custom"):
    """The answer of a lens that came by entry point: shown as tables."""

    title: str
    tables: list[Table]


AnyPanel = (
    GraphPanel
    | GraphDifferencePanel
    | PredictionsPanel
    | LossPanel
    | AccuracyPanel
    | ConfusionPanel
    | ActivationsPanel
    | WeightsPanel
    | GradientsPanel
    | TrainingPanel
    | CustomPanel
)


# --- one example, looked at closely ---------------------------------------------------------------------------


class FocusLayer(msgspec.Struct, frozen=True):
    """One layer of a focused example.

    `height` and `width` are the layer's own; maps in the file may be reduced to at most 56 positions a side by taking
    the strongest in each cell. `cam` is "ok" or the reason why there is no Grad-CAM. `attribution` is the sum over the
    layer's values of |gradient x activation|: how much of the score passes through it.
    """

    index: int
    name: str
    height: int
    width: int
    cam: str
    gradient_norm: float | None
    attribution: float | None = None


class Focus(msgspec.Struct, frozen=True):
    """Metadata of a focus file (key "focus" of the safetensors header), stored or computed on demand.

    Tensors: "input.values" and "input.gradient" float16, shape of the input (or "input.<path>." for a tree);
    "i.grad_cam" float16[height width], non-negative; "i.maps" float16[channel height width] of the strongest
    channels; "i.channels" int32[channel]; "i.peaks" int32[channel], flattened position in the layer's own size;
    "i.values" float16[unit] for vectors and tokens' channel means. `scales` is what each float16 tensor was divided
    by (its largest magnitude); multiply to get the numbers back.
    """

    row: int
    example: str
    target: int | None
    prediction: int | None
    explained: int
    score: float | None
    layers: list[FocusLayer]
    scales: dict[str, float]
    live: bool = False
    warnings: list[str] = field(default_factory=list)


# --- what programs get ----------------------------------------------------------------------------------------


class Summary(msgspec.Struct, frozen=True):
    """The answer of `pellucid show --json`."""

    record: str
    title: str
    state: State
    examples: int
    skipped: int
    nonfinite: int
    accuracy: float | None
    accuracy_interval: Interval | None
    mean_loss: float | None
    loss: str | None
    passes: list[StageInfo]
    findings: list[Finding]
    panels: list[str]
    watched: bool


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error over HTTP and every failed command with --json: kind is the class's name."""

    kind: str
    message: str
