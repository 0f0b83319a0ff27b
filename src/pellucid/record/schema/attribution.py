"""Answers of attribution methods, computed on demand with the model at hand; none of them is stored."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

Cost = Literal["plain", "backward", "passes"]


class MethodOption(msgspec.Struct, frozen=True):
    """An option of a method: its default as JSON, and what words may set it to.

    `kind`: "flag" (true or false), "choice" (one of `choices`), "integer", "number" or "extents" (a whole number, or one for
    each axis of positions); an "integer" with `choices` may be one of them too. `unset` says what null means where the option
    may be null, and is empty where it may not.
    """

    name: str
    default: str
    kind: Literal["flag", "choice", "integer", "number", "extents"] = "number"
    choices: list[str] = field(default_factory=list)
    unset: str = ""
    unit: str = ""
    does: str = ""


class MethodInfo(msgspec.Struct, frozen=True):
    """A method of attribution.

    `cost` is "plain" (from one forward and one backward that all such methods share), "backward" (one further forward and
    backward) or "passes" (many); `price` says it in words, `price_of` with options in braces ("{samples} forwards"), empty
    where it does not depend on any. `positions`: it needs a layer with positions in a plane.
    `input_only`: it makes no maps of layers.
    """

    name: str
    title: str
    cost: Cost
    price: str
    does: str
    source: str
    positions: bool
    input_only: bool
    options: list[MethodOption]
    price_of: str = ""


class MethodList(msgspec.Struct, frozen=True):
    """The answer to the live question "methods": all of them, cheap ones first."""

    methods: list[MethodInfo]


class AttributedLayer(msgspec.Struct, frozen=True):
    """A layer that has maps in the file; `height` and `width` are its own, 1 where it has no positions in a plane."""

    index: int
    name: str
    height: int
    width: int


class AttributedMethod(msgspec.Struct, frozen=True):
    """What one method has found.

    `refused` is empty, or why there is no map. `residual` is sum(map) - `difference`, where `difference` is what the map
    promises to add up to, F(x) - F(baseline); both are None where the method promises nothing. `error` is the mean standard
    error of the map of the input over the mean of its magnitude, where the method is an estimate; in a partial answer that
    of the map so far, and of integrated gradients the residual of the last attempt as a part of the difference. `layers`
    are the indices of layers that have a map, `layer_refused` says of a layer's index why it has none. `done` of `total`
    passes or copies were made so far.
    """

    name: str
    refused: str = ""
    residual: float | None = None
    difference: float | None = None
    error: float | None = None
    layers: list[int] = field(default_factory=list)
    layer_refused: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0


class AttributionAnswer(msgspec.Struct, frozen=True):
    """Metadata of the answer to the live question "attribute" (key "attribute" of the safetensors header).

    What is explained: `aim` "class" (the logit of class `explained`; of a regression its one number, and None), "loss" (in nats,
    or the squared error of a regression) or "unit" (`unit` of `layer` at `place`: "mean", "max" or a position). Tensors:
    "input.values" as in a focus file, of whole numbers "input.ids" int32; "<method>.input" float16[height width], [token]
    or [feature], for a tree "<method>.input.<path>"; "<method>.error" the standard error in the same shape;
    "<method>.<index>" of a layer, [height width], [token] or [unit], at most 56 positions a side, the strongest of each
    cell. Channels are summed, of saliency the largest is taken. `scales` as in a focus file.
    `partial` answers come while the question is under way.
    """

    row: int
    example: str
    target: int | None
    prediction: int | None
    aim: Literal["class", "loss", "unit"]
    explained: int | None
    layer: str
    unit: int | None
    place: str
    score: float | None
    methods: list[AttributedMethod]
    layers: list[AttributedLayer]
    scales: dict[str, float]
    forwards: int = 0
    backwards: int = 0
    partial: bool = False


class SanityAnswer(msgspec.Struct, frozen=True):
    """The answer to the live question "sanity": correlations of a map with itself while the weights are randomised.

    `correlations[i]` is Spearman's rank correlation after the parameters of `modules[i]` and all before it were drawn anew,
    None where one of the maps is constant. `random` are those with the maps of several wholly random models, `mean` their mean
    size, `low` and `high` its 95% interval, and below `chance` unrelated maps of the same form stay 19 times in 20. The
    `verdict` is "fails" where the interval lies above `limit` and `chance`, "passes" where it lies below `limit`,
    "undecided" else, "undefined" where no correlation is; `fails` says the first.
    """

    method: str
    modules: list[str]
    correlations: list[float | None]
    fails: bool
    limit: float
    done: int = 0
    total: int = 0
    partial: bool = False
    verdict: Literal["fails", "passes", "undecided", "undefined"] = "undefined"
    random: list[float | None] = field(default_factory=list)
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None


class PerturbationCurve(msgspec.Struct, frozen=True):
    """The score as positions go or come, the strongest of a map first, with the area under the curve by trapezoids."""

    scores: list[float | None]
    area: float | None


class CurvesAnswer(msgspec.Struct, frozen=True):
    """The answer to the live question "curves": deletion and insertion of a method's map (Petsiuk et al. 2018).

    `fractions` of the positions that are filled, or back; `of` says what the score is: "probability" of a class, "output" of a
    regression, "loss" or "unit".
    """

    method: str
    fractions: list[float]
    deletion: PerturbationCurve
    insertion: PerturbationCurve
    of: str
    fill: str
    warnings: list[str] = field(default_factory=list)
