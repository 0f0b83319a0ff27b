"""docs/watch.md names the options, quantities, shares and thresholds of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pellucid
from pellucid.watch import findings, journal, layer_findings, readings, watcher

TEXT = (Path(__file__).parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")
SECTIONS = {heading: body for heading, _, body in (part.partition("\n") for part in TEXT.split("\n## ")[1:])}
QUANTITIES = {
    "gradient_norm", "weight_norm", "update_ratio", "weight_histogram", "gradient_histogram", "activation_histogram",
    "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy",
}  # fmt: skip


def first_cells(section: str) -> list[str]:
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS[section], re.MULTILINE)
    return [name for cell in rows for name in re.findall(r"`([\w-]+)`", cell)]


def test_every_option_is_on_the_page_with_its_default() -> None:
    parameters = inspect.signature(pellucid.watch.watch).parameters
    options = {name: one for name, one in parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert first_cells("Options") == list(options)
    for name, default in re.findall(r"^\| `(\w+)` \| (.*?) \|", SECTIONS["Options"], re.MULTILINE):
        if default in ("None", "False"):
            assert str(options[name].default) == default


def test_every_quantity_is_on_the_page() -> None:
    assert set(first_cells("What is recorded")) == QUANTITIES


def test_every_finding_is_on_the_page_with_its_thresholds() -> None:
    source = inspect.getsource(findings) + inspect.getsource(layer_findings)
    kinds = set(re.findall(r'"((?:\w+-)+(?:loss|gradients?|updates|gap|steps|activations))"', source))
    kinds |= {f"{kind}-gradients" for kind in ("vanishing", "exploding")}
    assert set(first_cells("Findings")) == kinds
    rows = dict(re.findall(r"^\| `([\w-]+)` \| \w+ \| (.*) \|$", SECTIONS["Findings"], re.MULTILINE))
    assert f"below {layer_findings.VANISHING:.0e}".replace("e-0", "e-") in rows["vanishing-gradients"]
    assert f"above {layer_findings.EXPLODING:.0e}".replace("e+0", "e") in rows["exploding-gradients"]
    assert f"more than {findings.GROWTH:,.0f} times" in rows["exploding-gradients"]
    assert f"below {layer_findings.SMALL_UPDATE:.0e}".replace("e-0", "e-") in rows["small-updates"]
    assert f"{layer_findings.CONVERGED:.0e} of".replace("e-0", "e-") in rows["small-updates"]
    assert f"above {layer_findings.LARGE_UPDATE}, and above {layer_findings.GROWING:.0f} / t" in rows["large-updates"]
    assert f"above {layer_findings.LARGE_GRADIENT:,.0f} times" in rows["exploding-gradients"]
    assert f"by more than {findings.GAP} (" in rows["train-validation-gap"]
    assert f"more than {findings.RISE:.0%} of" in rows["train-validation-gap"]


def test_shares_and_samples_are_those_of_the_code() -> None:
    assert f"{readings.SAMPLE:,} values" in SECTIONS["Options"]
    assert (watcher._NORMS_SHARE, watcher._HISTOGRAMS_SHARE) == (0.008, 0.007)
    assert "as often as 0.8% of the time allows" in SECTIONS["Options"]
    assert "0.7% of their own" in SECTIONS["Options"]
    assert (journal._SOONEST, journal._LATEST, journal._SHARE) == (1.0, 60.0, 0.004)
    assert "at most every second, at least every minute, and otherwise as often as 0.4%" in " ".join(TEXT.split())
