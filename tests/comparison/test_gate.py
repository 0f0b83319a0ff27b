"""Rules that fail a comparison: read as they are written, judged by the end of the interval, refused where they say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pellucid import compare
from pellucid.comparison.gate import read_rule
from pellucid.errors import OptionError
from pellucid.record import schema
from support.answered import answered
from support.program import Program, in_process

TARGETS = [0] * 200 + [1] * 200


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The new model breaks 40 of 200 cats and fixes none: 100% to 90%, -10 points."""
    folder = tmp_path_factory.mktemp("gate")
    columns = {"light": ["day", "night"] * 200}
    old = answered(folder / "old.pellucid", TARGETS, TARGETS, columns=columns)
    new = answered(folder / "new.pellucid", TARGETS, [1] * 40 + [0] * 160 + [1] * 200, columns=columns)
    return old, new


@pytest.fixture
def pellucid(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


def test_a_rule_is_read_as_it_is_written() -> None:
    rule = read_rule("accuracy drops by 1% at 99%")
    assert (rule.metric, rule.falls, rule.may, rule.amount, rule.relative, rule.level) == (
        "accuracy", True, False, 0.01, False, 0.99,
    )  # fmt: skip
    rule = read_rule("Loss may rise by 5%")
    assert (rule.metric, rule.falls, rule.may, rule.amount, rule.relative, rule.level) == (
        "loss", False, True, 0.05, True, 0.95,
    )  # fmt: skip
    assert read_rule("loss rises by 0.2").relative is False
    assert read_rule("recall of 'polar bear' falls by .5%").group == "polar bear"
    assert read_rule("recall of drops by night drops by 2%").group == "drops by night"
    assert read_rule("recall of may drops").group == "may"
    assert read_rule("recall of cat may drop").may
    assert read_rule("recall of 'may' may drop by 1e-3").amount == 0.001
    rule = read_rule("""accuracy where 'what is it' is "it's a b" drops""")
    assert (rule.column, rule.group) == ("what is it", "it's a b")
    rule = read_rule("accuracy where light is night drops")
    assert (rule.metric, rule.column, rule.group, rule.amount) == ("accuracy", "light", "night", 0.0)
    assert read_rule("accuracy decreases by more than 1.5 percentage points at 99%").amount == 0.015
    assert (read_rule("ece increases by 1 point").falls, read_rule("ece increases by 1 point").amount) == (False, 0.01)
    with pytest.raises(OptionError, match="A loss has no points"):
        read_rule("loss rises by 2 points")


@pytest.mark.parametrize(
    "text",
    ["", "accuracy", "accuracy drops by one percent", "f1 drops by 1%", "accuracy drops by 1% at 100%", "accuracy drops at 20%",
     "churn drops by 1%", "loss where light is night rises", "accuracy drops by -1%", "accuracy drops by 1%; rm -rf"],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_an_example_or_a_reason(text: str) -> None:
    with pytest.raises(OptionError, match=r"--fail-if|level|Churn"):
        read_rule(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("accuracy drops by 5", "Write 5% for"), ("accuracy may drop by 1", "Write 1% for"), ("accuracy drops by 200%", ""),
     ("recall of cat falls by 100%", ""), ("accuracy where light is night drops by 2", "Write 2%"),
     ("churn rises by 3", "Write 3%"),
     ("ece rises by 150%", ""), ("confidence rises by 1000", ""), ("loss drops by 100%", "")],
)  # fmt: skip
def test_a_rule_that_can_never_fail_is_refused(text: str, hint: str) -> None:
    with pytest.raises(OptionError, match="can never fail") as told:
        read_rule(text)
    assert ("Write" in str(told.value)) == bool(hint)
    assert hint in str(told.value)
    for fine in (
        "accuracy drops by 99.9%",
        "accuracy drops by 0.5",
        "loss rises by 200%",
        "loss rises by 5",
        "loss drops by 5",
    ):
        assert read_rule(fine).amount > 0


# The interval of the difference is about -13.3 to -7.4 points.
@pytest.mark.parametrize(
    ("rule", "failed"),
    [
        ("accuracy drops", True),
        ("accuracy drops by 5% at 95%", True),
        ("accuracy drops by 9% at 95%", False),
        ("accuracy may drop by 9% at 95%", True),
        ("accuracy may drop by 14% at 95%", False),
        ("accuracy rises by 1%", False),
        ("accuracy drops by 7.4% at 95%", True),
        ("accuracy drops by 7.4% at 99%", False),
        ("recall of cat drops by 10%", True),
        ("recall of dog drops", False),
        ("accuracy where light is night drops by 3%", True),
        ("loss rises by 10%", True),
        ("loss falls", False),
        ("ece rises by 1%", False),
        ("churn rises by 5%", True),
        ("churn rises by 9%", False),
        ("confidence may drop by 1%", False),
    ],
)
def test_the_relevant_end_of_the_interval_decides(records: tuple[Path, Path], rule: str, failed: bool) -> None:
    found = compare(*records, fail_if=rule)
    (gate,) = found.panel.gates
    assert (gate.failed, found.failed) == (failed, failed), gate.sentence
    assert any(finding.kind == "gate-failed" for finding in found.panel.findings) == failed


def test_what_cannot_be_judged_is_refused(records: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"names the class 'fish'. Classes: cat, dog, bird"):
        compare(*records, fail_if="recall of fish drops")
    with pytest.raises(OptionError, match=r"names the column 'season'. Columns with few values: light"):
        compare(*records, fail_if="accuracy where season is winter drops")
    with pytest.raises(OptionError, match=r"names the value 'dusk' of light. Values: day, night"):
        compare(*records, fail_if="accuracy where light is dusk drops")
    with pytest.raises(OptionError, match=r"cannot be judged: no example has a label"):
        compare(*records, fail_if="recall of bird drops")
    unlabelled = answered(tmp_path / "unlabelled", [-1] * 400, TARGETS)
    with pytest.raises(OptionError, match=r"cannot be judged: no example has a label"):
        compare(unlabelled, unlabelled, fail_if="accuracy drops by 1%")


# --- the command ----------------------------------------------------------------------------------------------


def test_the_command_ends_with_1_where_a_rule_failed_and_0_where_none_did(
    pellucid: Program, records: tuple[Path, Path], tmp_path: Path
) -> None:
    passed = pellucid("compare", *records, "--fail-if", "accuracy drops by 20%")
    assert passed.code == 0
    assert "accuracy          100.00% → 90.00%, -10.00 points [-13." in passed.out
    assert "0 fixed, 40 broken, 360 right and 0 wrong both times" in passed.out
    out = tmp_path / "both.pellucid"
    failed = pellucid(
        "compare", *records, "--fail-if", "accuracy drops by 20%", "--fail-if", "accuracy drops by 5%", "--out", out
    )
    assert failed.code == 1
    assert "new: accuracy drops by 5%: FAILED. The difference is -10 points (95% interval -13." in failed.out
    assert "Traceback" not in failed.err
    assert (out / "manifest.json").is_file(), "it is written before the rule ends the command"


def test_the_command_answers_in_json(pellucid: Program, records: tuple[Path, Path]) -> None:
    import msgspec

    answered_ = pellucid("compare", *records, "--json", "--fail-if", "accuracy drops by 5%")
    assert answered_.code == 1
    panel = msgspec.convert(answered_.json, schema.ComparisonPanel)
    assert (panel.pairs[0].broken, panel.gates[0].failed) == (40, True)


def test_the_command_refuses_with_2(pellucid: Program, records: tuple[Path, Path], tmp_path: Path) -> None:
    assert "accuracy drops by 1% at 95%" in pellucid("compare", *records, "--fail-if", "worse").refusal
    assert "There is no record" in pellucid("compare", records[0], tmp_path / "nowhere").refusal
    assert "--out" in pellucid("compare", *records, "--open").refusal
    other = answered(tmp_path / "other", TARGETS, TARGETS, ids=[f"x{row}" for row in range(400)])
    refused = pellucid("compare", records[0], other, "--json")
    assert refused.code == 2
    assert json.loads(refused.out)["kind"] == "DataError"


def test_the_command_writes_the_app_as_one_file(pellucid: Program, records: tuple[Path, Path], tmp_path: Path) -> None:
    from pellucid.export import APP

    if not (APP / "index.html").is_file():
        pytest.skip("the app is not built")
    file = tmp_path / "both.html"
    assert pellucid("compare", *records, "--html", file).code == 0
    assert 'data-page="compare"' in file.read_text(encoding="utf-8")[:4000]


def test_a_value_may_be_written_as_the_same_number(tmp_path: Path) -> None:
    columns = {"site": [0, 1] * 200}
    old = answered(tmp_path / "old", TARGETS, TARGETS, columns=columns)
    new = answered(tmp_path / "new", TARGETS, [1] * 40 + TARGETS[40:], columns=columns)
    said = [
        compare(old, new, fail_if=f"accuracy where site is {one} drops").panel.gates[0] for one in ("1", "1.0", "'1'")
    ]
    assert [gate.difference for gate in said] == [said[0].difference] * 3
    with pytest.raises(OptionError, match=r"names the value '1\.5' of site\. Values: 0, 1"):
        compare(old, new, fail_if="accuracy where site is 1.5 drops")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("accuracy drops by 1%", "a fall of more than 1 point is shown."),
        ("accuracy drops by 2%", "a fall of more than 2 points is shown."),
        ("accuracy may drop", "a fall is not ruled out."),
        ("accuracy rises", "a rise is not shown."),
        ("accuracy may rise by 1%", "a rise of more than 1 point is ruled out."),
    ],
)
def test_what_a_rule_says_is_a_sentence(records: tuple[Path, Path], rule: str, told: str) -> None:
    (gate,) = compare(*records, fail_if=rule).panel.gates
    assert gate.sentence.endswith(f" examples): {told}")
