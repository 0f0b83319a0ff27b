"""Faults planted in a training table are found; healthy ones give no finding."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from pellucid.record import schema
from pellucid.record.tables import training_schema
from pellucid.watch import training_findings

STEPS = 40
LAYERS = ("stem", "block1", "block2", "head")

Key = tuple[str, str]
Series = dict[Key, dict[int, float]]


def healthy() -> Series:
    """Four layers whose gradients differ by factors of a few, updates of 1e-3, a loss that falls."""
    rng = np.random.default_rng(0)
    series: Series = {}
    for place, layer in enumerate(LAYERS):
        series[layer, "gradient_norm"] = {
            step: float(0.1 * 3.0**place * rng.lognormal(0, 0.3)) for step in range(1, STEPS + 1)
        }
        series[layer, "weight_norm"] = {step: 4.0 + 0.01 * step for step in range(1, STEPS + 1)}
        series[layer, "update_ratio"] = {step: float(1e-3 * rng.lognormal(0, 0.3)) for step in range(1, STEPS + 1)}
    series["", "gradient_norm"] = {step: float(3 * rng.lognormal(0, 0.3)) for step in range(1, STEPS + 1)}
    series["", "learning_rate"] = dict.fromkeys(range(1, STEPS + 1), 0.01)
    series["", "loss"] = {step: 0.2 + 2 * math.exp(-step / 10) for step in range(1, STEPS + 1)}
    series["", "accuracy"] = {step: 0.95 - 0.8 * math.exp(-step / 10) for step in range(1, STEPS + 1)}
    series["", "validation_loss"] = {step: 0.25 + 2 * math.exp(-step / 10) for step in range(5, STEPS + 1, 5)}
    series["", "validation_accuracy"] = {step: 0.92 - 0.8 * math.exp(-step / 10) for step in range(5, STEPS + 1, 5)}
    return series


def table_of(series: Series) -> pa.Table:
    """Rows in no order, with a histogram among them; what is not finite is null."""
    rows = [
        {
            "step": step, "seconds": 0.1 * step, "layer": layer, "quantity": quantity,
            "value": value if math.isfinite(value) else None, "bins": None, "counts": None,
        }
        for (layer, quantity), values in series.items()
        for step, value in values.items()
    ]  # fmt: skip
    rows.append(
        {"step": 1, "seconds": 0.1, "layer": "stem", "quantity": "weight_histogram", "bins": [3], "counts": [4]}
    )
    np.random.default_rng(1).shuffle(rows)  # type: ignore[arg-type]
    return pa.Table.from_pylist(rows, training_schema())


def changed(series: Series, key: Key, change: Callable[[int, float], float]) -> Series:
    """The series with one of them changed, step by step."""
    return series | {key: {step: change(step, value) for step, value in series[key].items()}}


def found(series: Series) -> dict[str, schema.Finding]:
    findings = training_findings(table_of(series))
    assert len({finding.kind for finding in findings}) == len(findings)
    return {finding.kind: finding for finding in findings}


def test_a_healthy_run_gives_no_finding() -> None:
    assert training_findings(table_of(healthy())) == []


def test_an_empty_table_gives_no_finding() -> None:
    assert training_findings(training_schema().empty_table()) == []


def test_a_layer_whose_gradient_vanishes_is_named() -> None:
    (finding,) = found(changed(healthy(), ("stem", "gradient_norm"), lambda step, value: value * 1e-6)).values()
    assert (finding.kind, finding.severity, finding.page) == ("vanishing-gradients", "high", "training")
    assert finding.selection == {"layer": "stem"}
    assert "vanishing in layer stem" in finding.sentence
    assert finding.count == STEPS
    assert finding.evidence["layers"] == 1


def test_a_gradient_of_zero_beside_one_that_vanishes_is_the_smallest() -> None:
    series = changed(healthy(), ("stem", "gradient_norm"), lambda step, value: 0.0)
    series = changed(series, ("block1", "gradient_norm"), lambda step, value: value * 1e-6)
    (finding,) = found(series).values()
    assert finding.kind == "vanishing-gradients"
    assert "those of stem are zero, unlike the median layer's" in finding.sentence
    assert "layers stem, block1" in finding.sentence


@pytest.mark.parametrize("factor", [0.1, 0.01])
def test_gradients_that_vanish_layer_by_layer_explode_in_none(factor: float) -> None:
    """Half of the layers vanish, the one in the middle too: those that are left are as large as ever."""
    series: Series = {("", "loss"): dict.fromkeys(range(1, STEPS + 1), 0.7)}
    for place in range(20):
        layer = f"layer{place}"
        series[layer, "gradient_norm"] = dict.fromkeys(range(1, STEPS + 1), 0.1 * factor ** (19 - place))
        series[layer, "weight_norm"] = dict.fromkeys(range(1, STEPS + 1), 3.0)
        series[layer, "update_ratio"] = dict.fromkeys(range(1, STEPS + 1), 0.03 * factor ** (19 - place))
    (finding,) = found(series).values()
    assert finding.kind == "vanishing-gradients"
    assert finding.selection == {"layer": "layer0"}
    assert "times smaller than those of layer19" in finding.sentence
    # The same the other way round, by its size beside the loss, explodes, and vanishes in none.
    for place in range(20):
        layer = f"layer{place}"
        series[layer, "gradient_norm"] = dict.fromkeys(range(1, STEPS + 1), 0.1 * factor**-place)
        series[layer, "update_ratio"] = dict.fromkeys(range(1, STEPS + 1), 1e-3)
    (finding,) = found(series).values()
    assert finding.kind == "exploding-gradients"
    assert finding.selection == {"layer": "layer19"}


def test_weights_that_begin_at_zero_make_the_others_gradients_no_smaller() -> None:
    series = changed(healthy(), ("head", "weight_norm"), lambda step, value: 1e-6 * step)
    series = changed(series, ("head", "gradient_norm"), lambda step, value: 0.1)
    assert training_findings(table_of(series)) == []


def without(series: Series, layer: str, steps: Callable[[int], bool], *, zeros: bool = False) -> Series:
    """The series, where no gradient reaches a layer at some steps, and its weights stay."""
    changes = {(layer, "update_ratio"): {s: 0.0 if steps(s) else v for s, v in series[layer, "update_ratio"].items()}}
    norms = series[layer, "gradient_norm"].items()
    changes[layer, "gradient_norm"] = (
        {s: 0.0 if steps(s) else v for s, v in norms} if zeros else {s: v for s, v in norms if not steps(s)}
    )
    return series | changes


@pytest.mark.parametrize("zeros", [False, True], ids=["none", "zeros"])
@pytest.mark.parametrize(
    ("steps", "severity", "words"),
    [
        (lambda step: True, ("medium", "high"), "at any of 40 recorded steps: the loss does not depend on"),
        (lambda step: step > 12, ("medium", "high"), "at 28 of 40 recorded steps, all after step 12 among them: the"),
        (lambda step: step > 28, ("medium", "high"), "at 12 of 40 recorded steps, all after step 28 among them: the"),
        (lambda step: step % 5 != 0, ("low", "low"), "at 32 of 40 recorded steps: the other steps alone"),
    ],
    ids=["never", "early", "late", "rarely"],
)
def test_a_layer_that_no_gradient_reaches_is_named_and_its_learning_rate_is_not_blamed(
    zeros: bool, steps: Callable[[int], bool], severity: tuple[str, str], words: str
) -> None:
    (finding,) = found(without(healthy(), "head", steps, zeros=zeros)).values()
    assert (finding.kind, finding.severity) == ("no-gradient", severity[zeros])
    assert f"No gradient reached layer head {words}" in finding.sentence
    assert finding.selection == {"layer": "head"}


def test_a_layer_that_is_used_at_every_second_step_gives_no_finding() -> None:
    assert training_findings(table_of(without(healthy(), "head", lambda step: step % 2 == 0))) == []


def test_an_optimizer_that_frees_gradients_before_its_step_gives_no_finding() -> None:
    series = {key: values for key, values in healthy().items() if key[1] != "gradient_norm"}
    assert training_findings(table_of(series)) == []


def test_a_network_that_dies_is_found_unless_its_loss_is_zero() -> None:
    series = healthy()
    for layer in LAYERS:
        series = without(series, layer, lambda step: step > 10, zeros=True)
    (finding,) = found(series).values()
    assert (finding.kind, finding.severity) == ("no-gradient", "high")
    assert finding.evidence == {"layers": len(LAYERS), "steps": 30}
    assert "nothing learns" in finding.sentence
    ended = changed(series, ("", "loss"), lambda step, value: value if step <= 10 else 0.0)
    assert training_findings(table_of(ended)) == []


def test_weights_that_grow_from_zero_are_not_thrown_about() -> None:
    """At step t a step of the size of all before is 1 / t of the weights: of 12 steps, 0.13 at the median of the late ones."""
    series = {key: {step: value for step, value in values.items() if step <= 12} for key, values in healthy().items()}
    grown = changed(series, ("head", "update_ratio"), lambda step, value: 1 / (step - 1) if step > 1 else math.nan)
    assert training_findings(table_of(grown)) == []
    assert "large-updates" in found(changed(series, ("head", "update_ratio"), lambda step, value: 0.5))


def test_accuracy_in_percent_is_read_as_such() -> None:
    percent = changed(healthy(), ("", "accuracy"), lambda step, value: 100 * value)
    assert training_findings(table_of(percent)) == []
    worse = changed(percent, ("", "validation_accuracy"), lambda step, value: 100 * (value - 0.3))
    (finding,) = found(worse).values()
    assert "in training and 60.5% on validation" in finding.sentence
    counts = changed(percent, ("", "accuracy"), lambda step, value: 3_000 * value)
    assert training_findings(table_of(counts)) == []


def with_outputs(series: Series, zero: Callable[[int], bool]) -> pa.Table:
    """The table with histograms of an activation's outputs, all 0 at some steps."""
    rows = [
        {
            "step": step, "seconds": 0.1 * step, "layer": "relu", "quantity": "activation_histogram",
            "bins": [-1] if zero(step) else [-1, 500], "counts": [64] if zero(step) else [30, 34],
        }
        for step in range(1, STEPS + 1)
    ]  # fmt: skip
    return pa.concat_tables([table_of(series), pa.Table.from_pylist(rows, training_schema())])


def test_an_activation_whose_outputs_are_all_zero_is_dead() -> None:
    (finding,) = training_findings(with_outputs(healthy(), lambda step: step > 10))
    assert (finding.kind, finding.severity) == ("dead-activations", "high")
    assert "output of layer relu is 0 in the second half of the run (relu: at 30 of 40" in finding.sentence
    assert training_findings(with_outputs(healthy(), lambda step: step % 4 > 0)) == []


def test_a_layer_whose_gradient_explodes_is_named() -> None:
    (finding,) = found(changed(healthy(), ("head", "gradient_norm"), lambda step, value: value * 1e6)).values()
    assert (finding.kind, finding.severity) == ("exploding-gradients", "high")
    assert finding.selection == {"layer": "head"}
    assert "exploding in layer head" in finding.sentence


def test_a_gradient_that_grows_without_end_explodes() -> None:
    grown = changed(healthy(), ("", "gradient_norm"), lambda step, value: value * 10 ** (step / 8))
    (finding,) = found(grown).values()
    assert (finding.kind, finding.severity) == ("exploding-gradients", "high")
    assert "times as large at the end of the run as at its beginning" in finding.sentence


def test_a_gradient_that_is_nan_explodes() -> None:
    lost = changed(healthy(), ("", "gradient_norm"), lambda step, value: math.nan if step > 20 else value)
    (finding,) = found(lost).values()
    assert finding.kind == "exploding-gradients"
    assert finding.sentence == "The gradient of the whole model is not finite at 20 of 40 recorded steps."
    assert finding.evidence["nonfinite"] == 20


def test_a_gradient_that_is_never_finite_explodes() -> None:
    lost = changed(healthy(), ("", "gradient_norm"), lambda step, value: math.inf)
    assert "not finite at 40 of 40" in found(lost)["exploding-gradients"].sentence


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_lost_is_found_at_its_first_step(value: float) -> None:
    (finding,) = found(changed(healthy(), ("", "loss"), lambda step, old: value if step in (7, 9) else old)).values()
    assert (finding.kind, finding.severity) == ("nonfinite-loss", "high")
    assert finding.sentence == "The loss was NaN or infinite at 2 of 40 recorded steps, first at step 7."
    assert finding.selection == {"step": "7"}


@pytest.mark.parametrize(
    ("factor", "kind", "advice"),
    [(1e-5, "small-updates", "learning rate may be far too low"), (500, "large-updates", "may be far too high")],
)
def test_a_learning_rate_of_the_wrong_size_is_found(factor: float, kind: str, advice: str) -> None:
    series = healthy()
    for layer in LAYERS:
        series = changed(series, (layer, "update_ratio"), lambda step, value: value * factor)
    (finding,) = found(series).values()
    assert (finding.kind, finding.severity) == (kind, "medium")
    assert advice in finding.sentence
    assert finding.evidence["layers"] == len(LAYERS)
    assert "and 1 more" in finding.sentence


def test_a_gap_between_training_and_validation_is_found() -> None:
    (finding,) = found(changed(healthy(), ("", "validation_accuracy"), lambda step, value: value - 0.3)).values()
    assert (finding.kind, finding.severity) == ("train-validation-gap", "medium")
    assert "in training and 60.5% on validation" in finding.sentence


def test_a_validation_loss_that_rises_again_is_found() -> None:
    risen = changed(healthy(), ("", "validation_loss"), lambda step, value: 0.5 + 0.03 * abs(step - 15))
    (finding,) = found(risen).values()
    assert finding.kind == "train-validation-gap"
    assert "has risen from 0.5 at step 15" in finding.sentence
    assert finding.evidence["lowest_step"] == 15


@pytest.mark.parametrize(
    "losses",
    [
        (-1, -1.5, -1.8, -1.9, -2.0, -1.99, -1.995, -1.998, -1.99, -1.995, -1.998, -1.999),
        (2, 1, 0, 0, 1e-9, 1e-9, 1e-9, 1e-9),
        (2, 1, 1e-12, 1e-9, 1e-9, 1e-9, 1e-9),
        (-100, -99.9, -99.8, -99.7, -99.6, -99.5),
        (0.5, 0.49, 0.5, 0.51, 0.5, 0.51, 0.5),
        tuple(np.random.default_rng(0).normal(0, 0.1, 30)),
    ],
    ids=["negative", "down to 0", "down to about 0", "a hundredth", "wavers", "wavers around 0"],
)
def test_a_validation_loss_that_stays_down_is_no_finding(losses: tuple[float, ...]) -> None:
    series = healthy() | {("", "validation_loss"): dict(enumerate(losses, start=1))}
    assert training_findings(table_of(series)) == []


@pytest.mark.parametrize(
    "losses",
    [
        (2.3, 1.5, 0.5, 0.7, 0.9, 0.9, 0.9),
        (-1, -1.5, -2, -1.8, -1.6, -1.5, -1.4),
        (-90, -95, -100, -99, -97, -96, -95),
        (1.0, 0.0, -0.5, 0.0, 0.5, 1.0, 1.5),
    ],
)
def test_a_validation_loss_of_any_sign_that_rises_is_found(losses: tuple[float, ...]) -> None:
    series = healthy() | {("", "validation_loss"): dict(enumerate(losses, start=1))}
    (finding,) = found(series).values()
    end = sorted(losses[-3:])[1]
    assert f"has risen from {min(losses):.3g} at step 3 to {end:.3g}" in finding.sentence
    assert (finding.evidence["lowest"], finding.evidence["end"]) == (min(losses), end)


def test_updates_that_shrink_with_the_gradient_are_no_finding_and_those_that_stay_behind_are() -> None:
    series = changed(healthy(), ("stem", "update_ratio"), lambda step, value: value if step < 10 else 0.0)
    assert found(series)["small-updates"].selection == {"layer": "stem"}
    for layer in LAYERS:  # all of them, so that none vanishes beside the others
        series = changed(series, (layer, "gradient_norm"), lambda step, value: value if step < 10 else 1e-8)
    assert training_findings(table_of(series)) == []


@pytest.mark.parametrize(
    "series",
    [
        changed(healthy(), ("stem", "gradient_norm"), lambda step, value: value * (1e-6 if step == 30 else 1.0)),
        changed(healthy(), ("head", "update_ratio"), lambda step, value: 5.0 if step == 1 else value),
        changed(healthy(), ("", "gradient_norm"), lambda step, value: value * (1e5 if step == STEPS else 1.0)),
        changed(healthy(), ("", "validation_loss"), lambda step, value: 0.5 + (1.0 if step == STEPS else 0.001 * step)),
    ],
    ids=["one small gradient", "a large first update", "a large last gradient", "a bad last validation"],
)
def test_one_odd_step_says_nothing(series: Series) -> None:
    assert training_findings(table_of(series)) == []


def test_two_faults_are_both_found_worst_first() -> None:
    series = changed(healthy(), ("", "validation_accuracy"), lambda step, value: value - 0.3)
    series = changed(series, ("", "loss"), lambda step, value: math.nan)
    kinds = [finding.kind for finding in training_findings(table_of(series))]
    assert kinds == ["nonfinite-loss", "train-validation-gap"]
