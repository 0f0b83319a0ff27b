"""Losses of single examples, from a model's raw outputs, in float64 and without torch.

    loss_named("cross-entropy:smoothing=0.1").of(logits, targets)      # float64[example]

Outputs are float[example class]: logits, one a class; or float[example] numbers in a regression. Targets are int64[example]
class indices; float64[example class] soft labels, each row a distribution; float64[example class] zeros and ones where several
classes are true at once (multilabel); or float64[example] numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.types import OutputKind, Task

Floats: TypeAlias = NDArray[np.float64]
# Stands for the logit of a probability of exactly 0 or 1: its sigmoid is that in float64.
CERTAIN = 1e4
Function: TypeAlias = Callable[[Floats, NDArray[np.generic]], Floats]


@dataclass(frozen=True)
class Loss:
    """A loss, named and defined.

    Attributes:
        spec: as it is asked for on the command line.
        name: for people.
        formula: what it computes, in words; z are the outputs, p their softmax (or sigmoid), t the target.
        unit: of its values.
        function: (outputs, targets) -> float64[example].
        tasks: those that it is for.
        source: where it is defined.
        smoothing, weights, gamma: settings that its benchmarks follow from; `weights` one a class.
        own: whether it is a function of the user's.
    """

    spec: str
    name: str
    formula: str
    unit: str
    function: Function
    tasks: frozenset[Task]
    source: str = ""
    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
    gamma: float = 0.0
    own: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is the plain cross-entropy, the logarithmic score of the probabilities."""
        return self.spec == "cross-entropy"

    @property
    def is_cross_entropy(self) -> bool:
        """Whether it is a cross-entropy of one label an example, smoothed or weighted or neither."""
        return self.spec.startswith("cross-entropy")

    def of(self, outputs: NDArray[np.floating], targets: NDArray[np.generic]) -> Floats:
        """The loss of each example: float64[example]. Raises: OptionError: its own function gave something else."""
        if self.weights and outputs.shape[-1] != len(self.weights):
            raise OptionError(
                f"The loss {self.spec} has {len(self.weights)} class weights; the model has {outputs.shape[-1]} outputs."
            )
        found = np.asarray(self.function(np.asarray(outputs, np.float64), targets), np.float64)
        if found.shape != (len(outputs),):
            raise OptionError(
                f"The loss {self.spec} must give one number an example, shape ({len(outputs)},); it gave shape "
                f"{found.shape}. Give it without a mean or sum over the batch (reduction='none')."
            )
        return found


# --- functions --------------------------------------------------------------------------------------------------


def log_probabilities(logits: Floats) -> Floats:
    """Logarithm of the softmax: float64[example class]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def cross_entropy(
    logits: Floats, targets: NDArray[np.generic], smoothing: float = 0.0, weights: tuple[float, ...] = ()
) -> Floats:
    """Σ_k w_k q_k (-ln p_k), q the label, smoothed to (1 - ε) q + ε / K.

    Source: Szegedy et al. 2016, arXiv:1512.00567, section 7, for the smoothing.
    """
    costs = -log_probabilities(logits)
    if weights:
        costs = costs * np.asarray(weights)
    own = _at_label(costs, targets)
    return own if smoothing == 0 else (1 - smoothing) * own + smoothing * costs.mean(axis=1)


def focal(logits: Floats, targets: NDArray[np.generic], gamma: float = 2.0, weights: tuple[float, ...] = ()) -> Floats:
    """w_t (1 - p_t)^γ (-ln p_t): examples that are right and sure count less.

    Source: Lin et al. 2017, arXiv:1708.02002, eq. 5, over the softmax.
    """
    log_p = log_probabilities(logits)
    costs = (-np.expm1(log_p)) ** gamma * -log_p
    return _at_label(costs * np.asarray(weights) if weights else costs, targets)


def hinge(scores: Floats, targets: NDArray[np.generic]) -> Floats:
    """max(0, 1 + the highest other score - the target's score). Source: Crammer & Singer 2001, JMLR 2:265-292."""
    rows = np.arange(len(scores))
    classes = np.asarray(targets, np.int64)
    others = scores.copy()
    others[rows, classes] = -np.inf
    found: Floats = np.maximum(0.0, 1.0 + others.max(axis=1) - scores[rows, classes])
    return found


def hinge_sum(scores: Floats, targets: NDArray[np.generic]) -> Floats:
    """The mean over classes of max(0, 1 + other score - the target's score). Source: Weston & Watkins 1999, ESANN."""
    rows = np.arange(len(scores))
    classes = np.asarray(targets, np.int64)
    gaps = np.maximum(0.0, 1.0 + scores - scores[rows, classes][:, None])
    gaps[rows, classes] = 0.0
    found: Floats = gaps.sum(axis=1) / scores.shape[1]
    return found


def binary_cross_entropy(logits: Floats, targets: NDArray[np.generic], weights: tuple[float, ...] = ()) -> Floats:
    """The mean over classes of -y ln σ(z) - (1 - y) ln(1 - σ(z)), y 1 where the class is true."""
    costs = np.logaddexp(0.0, logits) - np.asarray(targets, np.float64) * logits
    found: Floats = (costs * np.asarray(weights) if weights else costs).mean(axis=1)
    return found


def class_costs(loss: Loss | None, logits: Floats, true: Floats) -> Floats | None:
    """What each class adds to a multilabel loss, float64[example class]; None where a loss does not fall into classes."""
    if loss is None or not loss.spec.startswith("binary-"):
        return None
    number = logits.shape[1]
    one = replace(loss, weights=())
    columns = [one.of(logits[:, [index]], true[:, [index]]) for index in range(number)]
    costs = np.stack(columns, axis=1) if number else np.zeros_like(logits)
    found: Floats = (costs * np.asarray(loss.weights) if loss.weights else costs) / number
    return found


def binary_focal(logits: Floats, targets: NDArray[np.generic], gamma: float = 2.0) -> Floats:
    """The mean over classes of (1 - p)^γ (-ln p), p the probability given to what is the case.

    Source: Lin et al. 2017, arXiv:1708.02002, eq. 4.
    """
    signed = logits * (2.0 * np.asarray(targets, np.float64) - 1.0)
    log_p = -np.logaddexp(0.0, -signed)
    found: Floats = ((-np.expm1(log_p)) ** gamma * -log_p).mean(axis=1)
    return found


def squared_error(outputs: Floats, targets: NDArray[np.generic]) -> Floats:
    """(output - target)²."""
    found: Floats = (outputs.reshape(len(outputs)) - np.asarray(targets, np.float64)) ** 2
    return found


def absolute_error(outputs: Floats, targets: NDArray[np.generic]) -> Floats:
    """|output - target|."""
    return np.abs(outputs.reshape(len(outputs)) - np.asarray(targets, np.float64))


def huber(outputs: Floats, targets: NDArray[np.generic], delta: float = 1.0) -> Floats:
    """e²/2 where the error |e| is at most δ, beyond it δ (|e| - δ/2). Source: Huber 1964, Ann. Math. Stat. 35:73-101."""
    error = absolute_error(outputs, targets)
    found: Floats = np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))
    return found


def _at_label(costs: Floats, targets: NDArray[np.generic]) -> Floats:
    """What a label costs, of the costs of each class: float64[example]."""
    if targets.ndim == 2:
        # A class that is never the label costs nothing, even where it is given no probability at all.
        soft = np.asarray(targets, np.float64)
        summed: Floats = np.where(soft > 0, soft * costs, 0.0).sum(axis=1)
        return summed
    found: Floats = costs[np.arange(len(costs)), np.asarray(targets, np.int64)]
    return found


# --- by name ----------------------------------------------------------------------------------------------------

_CLASSES: frozenset[Task] = frozenset({"classification"})
_SETS: frozenset[Task] = frozenset({"multilabel"})
_NUMBERS: frozenset[Task] = frozenset({"regression"})
SQUARE = "square of the target's unit"


def _cross_entropy(spec: str, smoothing: float, weights: tuple[float, ...]) -> Loss:
    if not 0 <= smoothing < 1:
        raise OptionError(f"--loss cross-entropy takes a smoothing from 0 to below 1; got {smoothing:g}.")
    words = (
        "The negative natural logarithm of the probability that the model gives to the target: 0 where it is certain "
        "and right, ln K where it guesses evenly among K classes."
    )
    if smoothing:
        words += f" A share of {smoothing:g} of each label is spread evenly over all classes (label smoothing)."
    if weights:
        words += " Multiplied by the weight of the class."
    function = partial(cross_entropy, smoothing=smoothing, weights=weights)
    name = "cross-entropy" + (f", smoothing {smoothing:g}" if smoothing else "") + (", weighted" if weights else "")
    source = "Szegedy et al. 2016, arXiv:1512.00567" if smoothing else "Good 1952, JRSS B 14:107-114"
    return Loss(spec, name, words, "nats", function, _CLASSES, source, smoothing, weights)


def _focal(spec: str, gamma: float, weights: tuple[float, ...]) -> Loss:
    if gamma < 0:
        raise OptionError(f"--loss focal takes a gamma of at least 0; got {gamma:g}.")
    words = (
        f"The cross-entropy times (1 - p)^{gamma:g}, p the probability of the target: examples that are right and sure "
        "count less. No proper score: its best probabilities are less sure than the truth."
    )
    name = f"focal loss, gamma {gamma:g}" + (", weighted" if weights else "")
    function = partial(focal, gamma=gamma, weights=weights)
    return Loss(spec, name, words, "nats", function, _CLASSES, "Lin et al. 2017, arXiv:1708.02002", 0, weights, gamma)


def _hinge(spec: str, variant: str) -> Loss:
    if variant == "crammer-singer":
        words = (
            "How far the target's score is from being 1 above the highest other score (Crammer-Singer); 0 from there on, 1 "
            "where all scores are equal."
        )
        return Loss(
            spec,
            "hinge loss, Crammer-Singer",
            words,
            "logits",
            hinge,
            _CLASSES,
            "Crammer & Singer 2001, JMLR 2:265-292",
        )
    if variant == "weston-watkins":
        words = (
            "The mean over all classes of how far the target's score is from being 1 above each other score "
            "(Weston-Watkins); (K - 1) / K where all scores are equal."
        )
        return Loss(
            spec, "hinge loss, Weston-Watkins", words, "logits", hinge_sum, _CLASSES, "Weston & Watkins 1999, ESANN"
        )
    raise OptionError(f"--loss hinge has the variants crammer-singer and weston-watkins; got '{variant}'.")


def _binary(spec: str, weights: tuple[float, ...]) -> Loss:
    words = (
        "The mean over all classes of the negative natural logarithm of the probability given to what is the case, the class "
        "being true or not: ln 2 where every class is given one half."
    )
    name = "binary cross-entropy" + (", weighted" if weights else "")
    function = partial(binary_cross_entropy, weights=weights)
    return Loss(spec, name, words, "nats a class", function, _SETS, "Good 1952, JRSS B 14:107-114", 0, weights)


def _binary_focal(spec: str, gamma: float) -> Loss:
    words = f"The mean over all classes of (1 - p)^{gamma:g} (-ln p), p the probability given to what is the case."
    return Loss(
        spec, f"binary focal loss, gamma {gamma:g}", words, "nats a class", partial(binary_focal, gamma=gamma), _SETS,
        "Lin et al. 2017, arXiv:1708.02002", 0, (), gamma,
    )  # fmt: skip


def _huber(spec: str, delta: float) -> Loss:
    if delta <= 0:
        raise OptionError(f"--loss huber takes a delta above 0; got {delta:g}.")
    words = (
        f"Half the square of an error up to {delta:g}, and beyond it {delta:g} times what grows with the error itself."
    )
    return Loss(
        spec, f"Huber loss, delta {delta:g}", words, SQUARE, partial(huber, delta=delta), _NUMBERS,
        "Huber 1964, Ann. Math. Stat. 35:73-101",
    )  # fmt: skip


def _mse(spec: str) -> Loss:
    return Loss(
        spec,
        "squared error",
        "The square of the difference between output and target.",
        SQUARE,
        squared_error,
        _NUMBERS,
    )


def _mae(spec: str) -> Loss:
    words = "The absolute difference between output and target."
    return Loss(spec, "absolute error", words, "the target's unit", absolute_error, _NUMBERS)


_MAKERS: Mapping[str, tuple[Callable[..., Loss], Mapping[str, object]]] = {
    "cross-entropy": (_cross_entropy, {"smoothing": 0.0, "weights": ()}),
    "focal": (_focal, {"gamma": 2.0, "weights": ()}),
    "hinge": (_hinge, {"variant": "crammer-singer"}),
    "binary-cross-entropy": (_binary, {"weights": ()}),
    "binary-focal": (_binary_focal, {"gamma": 2.0}),
    "squared-error": (_mse, {}),
    "absolute-error": (_mae, {}),
    "huber": (_huber, {"delta": 1.0}),
}
NAMES = tuple(_MAKERS)
DEFAULTS: Mapping[Task, str] = {
    "classification": "cross-entropy",
    "multilabel": "binary-cross-entropy",
    "regression": "squared-error",
}


def loss_named(spec: str) -> Loss:
    """A loss by its name and settings: "focal:gamma=1,weights=1/2/1".

    Raises: OptionError: no such loss or setting, or a value that it cannot have.
    """
    name, _, rest = spec.partition(":")
    if name not in _MAKERS:
        raise OptionError(f"There is no loss '{name}'. Expected {', '.join(NAMES)}, or your own as 'file.py:function'.")
    make, known = _MAKERS[name]
    settings = dict(known)
    for piece in filter(None, rest.split(",")):
        key, _, text = piece.partition("=")
        if key not in known:
            offered = ", ".join(f"{one}=" for one in known) or "no settings"
            raise OptionError(f"--loss {name} takes {offered}; got '{piece}'.")
        settings[key] = _setting(name, key, text, known[key])
    return make(spec, **settings)


def _setting(name: str, key: str, text: str, example: object) -> object:
    if isinstance(example, str):
        return text
    try:
        values = tuple(float(one) for one in text.split("/"))
    except ValueError:
        values = ()
    if isinstance(example, tuple) and values and min(values) >= 0 and max(values) > 0:
        return values
    if isinstance(example, float) and len(values) == 1 and np.isfinite(values[0]):
        return values[0]
    wanted = "numbers of at least 0 with / between, one a class" if isinstance(example, tuple) else "one number"
    raise OptionError(f"--loss {name}:{key}= takes {wanted}; got '{text}'.")


def default_loss(task: Task) -> Loss | None:
    """The loss of a task where none was asked for; None where a task has none."""
    return loss_named(DEFAULTS[task]) if task in DEFAULTS else None


def own_loss(spec: str, function: Function, words: str = "") -> Loss:
    """A loss of the user's own; `function` takes outputs and targets and gives one number an example."""
    every: frozenset[Task] = frozenset({"classification", "multilabel", "regression"})
    name = spec.rpartition(":")[2] or spec
    return Loss(spec, name, words or "A loss of your own.", "its own unit", function, every, own=True)


def on_model_outputs(loss: Loss, task: Task, kind: OutputKind, *, single: bool = False) -> Loss:
    """A loss of the user's own, handed what the model itself gives where ours take logits; ours as they are.

    Args:
        loss: takes what stands for logits, as all losses here.
        task: of the model.
        kind: what its outputs are; probabilities are handed over as they are, not as logarithms.
        single: whether it gives one number an example, which is handed over alone, float64[example], with targets of floating
            point: what torch's losses of one output take.
    """
    if not loss.own or task not in ("classification", "multilabel"):
        return loss
    function, alone = loss.function, single and task == "classification"

    def of(outputs: Floats, targets: NDArray[np.generic]) -> Floats:
        given = outputs
        if kind == "probabilities":
            given = np.exp(outputs) if task == "classification" else np.exp(-np.logaddexp(0.0, -outputs))
        if not alone:
            return function(given, targets)
        # Of two logits the difference counts, infinite where a saved probability is 0 or 1.
        one = given[:, 1] if kind == "probabilities" else given[:, 1] - given[:, 0]
        one = np.where(np.isinf(one), np.copysign(CERTAIN, one), one)
        # Of a soft label the second class' probability.
        return function(one, np.asarray(targets if targets.ndim == 1 else targets[:, 1], np.float64))

    return replace(loss, function=of)
