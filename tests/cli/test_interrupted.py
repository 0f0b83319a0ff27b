"""Ctrl-C: what an interrupted command leaves, and what it says of that."""

from __future__ import annotations

from pathlib import Path

from pellucid.record import Record
from support.program import Program, alone


def test_an_interrupted_command_that_cannot_be_resumed_does_not_say_so(workplace: Path) -> None:
    arguments = ["fit", "net.py:Interrupted", "--data", "digits", "--limit", 200, "--json"]
    interrupted = alone(*arguments, folder=workplace, INTERRUPT_AT="100")
    assert interrupted.code == 130, interrupted.err
    assert interrupted.json == {"kind": "Interrupted", "message": "Interrupted."}


def test_an_interrupt_leaves_a_record_that_resume_finishes_to_the_same_table(
    pellucid: Program, workplace: Path
) -> None:
    arguments = ["inspect", "net.py:Interrupted", "--data", "digits", "--limit", 1200, "--batch-size", 128]
    arguments += ["--chosen", 4, "--lens", "predictions", "--lens", "loss", "--lens", "accuracy"]
    # After the first part of 1,024 rows, in the middle of the second.
    interrupted = alone(*arguments, "--out", "cut", "--json", folder=workplace, INTERRUPT_AT="1100")
    assert interrupted.code == 130, interrupted.err
    assert interrupted.json["kind"] == "Interrupted"
    assert "--resume" in interrupted.json["message"]
    cut = Record(workplace / "cut")
    assert cut.state == "interrupted"
    assert cut.examples().num_rows == 1024

    refused = pellucid(*arguments, "--out", "cut")
    assert "--resume" in refused.refusal
    resumed = pellucid(*arguments, "--out", "cut", "--resume")
    assert resumed.code == 0, resumed.err
    whole = pellucid(*arguments, "--out", "whole")
    assert whole.code == 0, whole.err
    one, other = (Record(workplace / name) for name in ("cut", "whole"))
    assert one.state == "complete"
    assert one.examples().equals(other.examples())
    assert one.examples().num_rows == 1200
    assert one.panels == other.panels
    for name in one.panels:
        assert one.panel(name) == other.panel(name)
