"""`pellucid graph --input`: several arguments, their names and types, whole numbers, the batch, examples of the model's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Program

NETWORKS = """
import torch
from torch import nn


class Ids(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(50, 8), nn.Linear(8, 2)

    def forward(self, ids):
        return self.head(self.embed(ids))


class Catches(nn.Module):
    \"\"\"A call raises before the ones that want whole numbers, and nothing comes of it.\"\"\"

    def __init__(self):
        super().__init__()
        self.values, self.ids = nn.Linear(4, 2), Ids()

    def forward(self, first, second):
        try:
            return self.values(first[:, :1])
        except RuntimeError:
            return self.ids(first) + self.ids(second)


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.ids, self.values = Ids(), nn.Linear(4, 2)

    def forward(self, values, ids, *, mask=None):
        said = self.ids(ids).mean(1) + self.values(values)
        return said if mask is None else said.masked_fill(mask, 0.0)


class Twice(Both):
    def forward(self, first, second):
        return self.ids(first) + self.ids(second)


class Unlike(nn.Module):
    \"\"\"Whole numbers do not help: the width is wrong too.\"\"\"

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(50, 8), nn.Linear(9, 2)

    def forward(self, ids):
        return self.head(self.embed(ids))


def image():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))


def flat():
    return nn.Sequential(nn.Linear(4, 2))


def tuple_():
    return Both(), {"example": (torch.zeros(1, 4), torch.zeros(1, 7, dtype=torch.long))}


def named():
    return Both(), {"example": {"ids": torch.zeros(1, 5, dtype=torch.long), "values": torch.zeros(1, 4)}}


def own():
    model = flat()
    model.example_input_array = torch.zeros(1, 4)
    return model
"""


@pytest.fixture(autouse=True)
def networks(workplace: Path) -> None:
    (workplace / "own.py").write_text(NETWORKS, encoding="utf-8")


def inputs(program: Program, model: str, *given: str) -> dict[str, tuple[list[int], str]]:
    """Shape and type of everything that went into the model, by name."""
    answered = program("graph", f"own.py:{model}", *(word for one in given for word in ("--input", one)), "--json")
    assert answered.code == 0, answered.out
    nodes = [node for node in answered.json["nodes"] if node["kind"] == "input"]
    return {node["path"]: (node["outputs"][0], node["output_dtypes"][0]) for node in nodes}


def test_arguments_by_place_by_name_and_of_types(pellucid: Program) -> None:
    assert inputs(pellucid, "Ids", "1,7:int") == {"ids": ([1, 7], "int64")}
    assert inputs(pellucid, "Ids", "1,7:int32") == {"ids": ([1, 7], "int32")}
    given = inputs(pellucid, "Both", "1,4:float", "mask=1,1:bool", "ids=1,7:int")
    assert given == {"values": ([1, 4], "float32"), "ids": ([1, 7], "int64"), "mask": ([1, 1], "bool")}
    assert inputs(pellucid, "Both", "1,4", "1,7:int") == {"values": ([1, 4], "float32"), "ids": ([1, 7], "int64")}


def test_whole_numbers_are_tried_where_the_forward_asks_for_them_and_that_is_said(pellucid: Program) -> None:
    assert inputs(pellucid, "Ids", "1,7") == {"ids": ([1, 7], "int64")}
    said = pellucid("graph", "own.py:Ids", "--input", "1,7").err
    assert said == "Its forward takes whole numbers, which it was given: --input 1,7:int\n"
    assert inputs(pellucid, "Both", "1,4", "1,7") == {"values": ([1, 4], "float32"), "ids": ([1, 7], "int64")}
    given = inputs(pellucid, "Both", "ids=1,7", "values=1,4", "mask=1,1:bool")
    assert {name: kind for name, (_, kind) in given.items()} == {"values": "float32", "ids": "int64", "mask": "bool"}
    assert {kind for _, kind in inputs(pellucid, "Twice", "1,7", "1,7").values()} == {"int64"}
    assert {kind for _, kind in inputs(pellucid, "Catches", "1,7", "1,7").values()} == {"int64"}


def test_types_that_were_asked_for_are_not_changed(pellucid: Program) -> None:
    refused = pellucid("graph", "own.py:Ids", "--input", "1,7:float")
    assert refused.code == 2
    assert "scalar types: Long, Int" in refused.err
    assert "It was called with zeros of shape (1, 7) of float32; --input gives another." in refused.err


def test_what_else_is_wrong_is_told_of_the_forward_that_got_further(pellucid: Program) -> None:
    refused = pellucid("graph", "own.py:Unlike", "--input", "1,7")
    assert refused.code == 2
    assert "head (Linear) takes (..., 9)" in refused.err
    assert "It was called with zeros of shape (1, 7) of int64; --input gives another." in refused.err


def test_the_first_axis_is_told_to_be_the_batch(pellucid: Program) -> None:
    assert pellucid("graph", "own.py:image", "--input", "1,3,32,32").err == ""
    several = "The first axis of --input counts examples: 5,3,32,32 is 5 examples of shape 3,32,32.\n"
    assert pellucid("graph", "own.py:image", "--input", "5,3,32,32").err == several
    assert pellucid("graph", "own.py:image", "--input", "3,32,32").err == (
        "The first axis of --input counts examples: 3,32,32 is 3 examples of shape 32,32. But 0 (Conv2d) read it as one "
        "without that axis: give --input 1,3,32,32\n"
    )
    single = "The first axis of --input counts examples: 4 is 4 examples of one number each.\n"
    assert pellucid("graph", "own.py:flat", "--input", "4").err == single


def test_an_example_of_the_models_own(pellucid: Program) -> None:
    assert inputs(pellucid, "tuple_") == {"values": ([1, 4], "float32"), "ids": ([1, 7], "int64")}
    assert inputs(pellucid, "named") == {"ids": ([1, 5], "int64"), "values": ([1, 4], "float32")}
    assert inputs(pellucid, "own") == {"input": ([1, 4], "float32")}
    assert inputs(pellucid, "tuple_", "1,4", "1,9:int")["ids"] == ([1, 9], "int64")


FORM = "--input takes [NAME=]SHAPE[:TYPE], like 1,3,224,224 or 1,16:int or mask=1,16:bool"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["1,7:whole"], f"{FORM}; the type 'whole' is not int, float, bool or another of torch's (float16, int32)."),
        (["1,7:"], f"{FORM}; the type '' is not int, float, bool or another of torch's (float16, int32)."),
        (["1,7:nn"], f"{FORM}; the type 'nn' is not int, float, bool or another of torch's (float16, int32)."),
        (["a b=1,7"], f"{FORM}; the name 'a b' is none that an argument can have."),
        (["=1,7"], f"{FORM}; the name '' is none that an argument can have."),
        (["ids=1,x"], "--input takes whole numbers with commas between; got '1,x'."),
        (["1,0"], "--input takes whole numbers of at least 1; got '1,0'."),
        (["ids=1", "ids=2"], "--input gives the argument 'ids' twice."),
    ],
)
def test_what_cannot_be_an_argument_is_refused(pellucid: Program, given: list[str], said: str) -> None:
    asked = [word for one in given for word in ("--input", one)]
    assert pellucid("graph", "own.py:Ids", *asked).refusal == said


def test_an_argument_larger_than_any_tensor_is_refused(pellucid: Program) -> None:
    said = pellucid("graph", "own.py:Ids", "--input", f"{1 << 40},{1 << 40}").refusal
    assert said.startswith(f"--input {1 << 40},{1 << 40} cannot be made: ")
