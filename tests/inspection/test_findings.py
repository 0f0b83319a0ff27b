"""Every planted fault is found, with its evidence and a link that the app understands; healthy networks are left in peace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pellucid
from pellucid.predictions import panels_of
from pellucid.record import Record
from pellucid.record.schema import Finding
from support.faults import (
    PLANTED,
    Changed,
    Fault,
    confused_pair,
    dead_layer,
    dead_units,
    deep,
    held_out,
    items,
    noisy,
    nonfinite_weights,
    overconfident,
    swapped_labels,
    underconfident,
    unused_parameters,
    wrong_labels,
)
from support.nets import digits, trained


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Fault]], Record]:
    """The record of a fault; each is inspected once."""
    kept: dict[str, Record] = {}

    def inspect(fault: Callable[[], Fault]) -> Record:
        if fault.__name__ not in kept:
            model, examples = fault()
            out = tmp_path_factory.mktemp("faults") / fault.__name__
            kept[fault.__name__] = pellucid.inspect(model, examples, out=out, chosen=8, batch_size=60)
        return kept[fault.__name__]

    return inspect


@pytest.mark.parametrize(
    ("kind", "fault", "about", "severity"), PLANTED, ids=[f"{kind}-{fault.__name__}" for kind, fault, _, _ in PLANTED]
)
def test_a_planted_fault_is_found(
    kind: str,
    fault: Callable[[], Fault],
    about: dict[str, str],
    severity: str,
    inspected: Callable[[Callable[[], Fault]], Record],
) -> None:
    found = [one for one in inspected(fault).findings if one.kind == kind]
    assert found, [one.kind for one in inspected(fault).findings]
    assert any(about.items() <= one.selection.items() and one.severity == severity for one in found), found


def test_every_kind_that_a_lens_can_find_has_a_planted_fault() -> None:
    # Only saved predictions can lack an answer: tests/predictions has that.
    assert kinds_in_code() == {kind for kind, *_ in PLANTED} | {"unanswered"}


def kinds_in_code() -> set[str]:
    """Names of the checks in the lenses, as their code spells them."""
    lenses = Path(pellucid.__file__).parent / "lenses"
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(lenses.glob("*.py")))
    text = text.replace('kind="stable"', "")  # of a sort, not of a finding
    assert len(re.findall(r"\bFinding\(", text)) == len(re.findall(r"\bkind=", text)), "a finding has no kind"
    written = re.findall(r"\bkind=(.*?),", text) + re.findall(r"\bword = (\"(?:over|under)confident.*)", text)
    found = {name for line in written for name in re.findall(r"\"([a-z][a-z-]+)\"", line)}
    # One is put together from two words.
    joined = "kind=f\"{'vanishing' if ratio <= VANISHING else 'exploding'}-gradient\""
    return found | {"vanishing-gradient", "exploding-gradient"} if joined in text else found


# --- healthy networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_a_healthy_network_on_right_labels_has_no_finding(activation: type[nn.Module], tmp_path: Path) -> None:
    found = pellucid.inspect(trained(activation), held_out(), out=tmp_path / "net", chosen=16, batch_size=60)
    assert found.panel("accuracy").accuracy > 0.97  # type: ignore[union-attr, operator]
    assert [one.sentence for one in found.findings] == []


@pytest.mark.parametrize("seed", range(4))
def test_a_handful_of_examples_is_no_reason_to_raise_an_alarm(seed: int, tmp_path: Path) -> None:
    rows = torch.randperm(540, generator=torch.Generator().manual_seed(seed))[:12]
    images, labels = digits("test")
    found = pellucid.inspect(trained(), items(images[rows], labels[rows]), out=tmp_path / "net", chosen=4)
    assert [one.sentence for one in found.findings] == []


def test_hard_examples_are_no_wrong_labels_and_their_errors_no_pair(tmp_path: Path) -> None:
    """Errors in all directions, as confident as they should be."""
    found = pellucid.inspect(
        Changed(lambda logits, images: logits * 0.55), items(*noisy(0.3)), out=tmp_path / "net", chosen=4, batch_size=60
    )
    assert found.panel("accuracy").accuracy < 0.93  # type: ignore[union-attr, operator]
    assert not {"label-errors", "overconfident", "worse-than-prior"} & {one.kind for one in found.findings}


def test_a_deep_network_with_balanced_gradients_is_not_called_vanishing(tmp_path: Path) -> None:
    found = pellucid.inspect(deep(1.4, nn.Tanh), held_out(60), out=tmp_path / "net", chosen=8)
    assert not {one.kind for one in found.findings if one.kind.endswith("-gradient")}


# --- what a finding holds -------------------------------------------------------------------------------------

PAGES = {"overview", "graph", "loss", "accuracy", "confusion", "gradients", "activations", "histograms", "training",
         "examples"}  # fmt: skip


def understood(finding: Finding, record: Record) -> None:
    """Asserts that the app would select something by every parameter of a finding's selection."""
    layers = {layer.name for layer in record.panel("graph").layers}  # type: ignore[union-attr]
    modules = {row.name.rpartition(".")[0] for row in record.panel("weights").parameters}  # type: ignore[union-attr]
    classes = len(record.manifest.data.classes) if record.manifest.data else 0
    for name, value in finding.selection.items():
        match name:
            case "true" | "predicted" | "class" | "explained":
                assert 0 <= int(value) < classes
            case "rows":
                rows = [int(row) for row in value.split(",")]
                assert rows
                assert all(0 <= row < record.manifest.examples for row in rows)
            case "layer":
                assert value in layers | modules
            case _ if name.startswith("column."):
                assert value in record.examples()[name.removeprefix("column.")].to_pylist()
            case "v.view":
                assert value == "learning"
            case "v.kind":
                assert value in ("weights", "activations", "gradients")
            case other:
                pytest.fail(f"the app knows no selection '{other}'")


@pytest.mark.parametrize(
    "fault", {fault.__name__: fault for _, fault, _, _ in PLANTED}.values(), ids=lambda one: one.__name__
)
def test_every_finding_has_evidence_a_count_a_page_and_a_selection_that_the_app_understands(
    fault: Callable[[], Fault], inspected: Callable[[Callable[[], Fault]], Record]
) -> None:
    record = inspected(fault)
    assert record.findings
    for one in record.findings:
        # What is told for information alone may rest on no example.
        assert one.evidence or one.severity == "info", one
        assert all(not isinstance(value, float) or np.isfinite(value) for value in one.evidence.values()), one
        assert one.count > 0 or one.severity == "info", one
        assert 0 <= one.weight <= 1, one
        assert one.page in PAGES, one
        assert re.fullmatch(r"[^\n]+\.", one.sentence), one
        understood(one, record)


@pytest.mark.parametrize("fault", [swapped_labels, dead_layer, overconfident, nonfinite_weights])
def test_findings_come_worst_first(
    fault: Callable[[], Fault], inspected: Callable[[Callable[[], Fault]], Record]
) -> None:
    found = inspected(fault).findings
    ranks = [(("high", "medium", "low", "info").index(one.severity), -one.weight) for one in found]
    assert len(found) > 1
    assert ranks == sorted(ranks)
    assert inspected(fault).summary().findings == found


def only(found: Iterable[Finding], kind: str) -> Finding:
    return next(one for one in found if one.kind == kind)


def test_a_dead_layer_is_described_by_its_units(inspected: Callable[[Callable[[], Fault]], Record]) -> None:
    one = only(inspected(dead_units).findings, "dead-layer")
    assert one.sentence.startswith("5 of 16 units of layer features.6 never fired on 200 examples")
    assert (one.count, one.evidence) == (200, {"dead_units": 5, "units": 16})


def test_disputed_labels_are_the_planted_ones(inspected: Callable[[Callable[[], Fault]], Record]) -> None:
    _, labels = digits("test")
    given = torch.tensor([target for _, target in wrong_labels()[1]])
    planted = set((given != labels).nonzero()[:, 0].tolist())
    record = inspected(wrong_labels)
    issues = record.panel("loss").label_issues  # type: ignore[union-attr]
    named = {issue.row for issue in issues}
    assert len(planted & named) >= 24, "nearly all planted ones are found"
    assert len(named - planted) <= 4, "and hardly any other"
    assert all(issue.suggested == int(labels[issue.row]) for issue in issues if issue.row in planted)
    one = only(record.findings, "label-errors")
    assert set(map(int, one.selection["rows"].split(","))) == named
    assert one.evidence["disputed"] >= 18  # type: ignore[operator]


def test_a_confused_pair_says_how_often_and_what_chance_would_say(
    inspected: Callable[[Callable[[], Fault]], Record],
) -> None:
    record = inspected(confused_pair)
    table = record.examples().to_pydict()
    threes = [said for true, said in zip(table["target"], table["prediction"], strict=True) if true == 3]
    one = only(record.findings, "confused-pair")
    assert one.count == len(threes)
    assert one.evidence["count"] == threes.count(8)
    assert one.interval is not None
    assert one.interval.low < threes.count(8) / len(threes) < one.interval.high
    assert one.sentence.startswith(f"3 is taken for 8: {threes.count(8)} of {len(threes)} (")


def test_confidence_is_compared_with_accuracy(inspected: Callable[[Callable[[], Fault]], Record]) -> None:
    for fault, kind, sign in ((overconfident, "overconfident", 1), (underconfident, "underconfident", -1)):
        record = inspected(fault)
        table = record.examples().to_pydict()
        right = np.mean([true == said for true, said in zip(table["target"], table["prediction"], strict=True)])
        one = only(record.findings, kind)
        np.testing.assert_allclose(one.evidence["accuracy"], right)
        np.testing.assert_allclose(one.evidence["mean_confidence"], np.mean(table["confidence"]), rtol=1e-6)
        assert sign * (one.evidence["mean_confidence"] - right) > 0.02  # type: ignore[operator]


@pytest.mark.parametrize("least", [1.0, 0.99])
def test_a_model_that_is_always_sure_and_sometimes_wrong_is_overconfident(least: float) -> None:
    target, prediction = np.arange(90) % 3, np.arange(90) * 2 % 3
    probabilities = np.eye(3)[prediction]
    probabilities[0] = [least, 1 - least, 0]
    one = only(panels_of(probabilities, target)["accuracy"].findings, "overconfident")
    assert one.evidence["accuracy"] == 30 / 90
    np.testing.assert_allclose(one.evidence["mean_confidence"], (89 + least) / 90)
    assert ("deviations" in one.evidence) == (least < 1)
    assert not panels_of(np.eye(3)[target], target)["accuracy"].findings


def test_unused_parameters_are_counted_and_named(inspected: Callable[[Callable[[], Fault]], Record]) -> None:
    one = only(inspected(unused_parameters).findings, "unused-parameters")
    assert one.sentence == "2 parameters are never read when the model answers: spare.weight, spare.bias."
