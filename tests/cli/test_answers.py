"""Stdout is for answers alone, whatever the user's code prints, and only the program ends itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Program

PRINTS = """
import sys

print("imported")

from torch import nn


class Prints(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, values):
        print("forward")
        return self.layer(values)


class Ends(Prints):
    def forward(self, values):
        sys.exit("bye")
"""


@pytest.fixture
def printing(pellucid: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prints.py").write_text(PRINTS)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("printing")
def test_what_a_model_prints_is_no_part_of_the_answer(pellucid: Program) -> None:
    ended = pellucid("graph", "prints.py:Prints", "--input", "1,4", "--json")
    assert [node["name"] for node in ended.json["nodes"]] == ["values", "layer", "output"]
    assert ended.err == "imported\nforward\n"
    assert pellucid("graph", "prints.py:Prints", "--input", "1,4", "--svg", "-").out.startswith("<?xml")
    assert pellucid("graph", "prints.py:Prints", "--input", "1,4").out.startswith("   ")


@pytest.mark.usefixtures("printing")
def test_a_model_that_ends_the_program_is_refused(pellucid: Program) -> None:
    ended = pellucid("graph", "prints.py:Ends", "--input", "1,4", "--json")
    assert ended.code == 2
    assert ended.json["kind"] == "ModelError"
    assert "sys.exit('bye')" in ended.json["message"]


def test_help_is_an_answer(pellucid: Program) -> None:
    assert pellucid("graph", "--help").out.startswith("Usage: pellucid graph")
