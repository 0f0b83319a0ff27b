"""What a program holds already as data: datasets, loaders, lists, iterables and code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from pellucid.data import Recipe, Source, from_python, open_data
from pellucid.data.batching import check_targets, collate
from pellucid.errors import DataError, OptionError
from pellucid.types import Example, Media
from support.modules import forget
from support.pictures import rows_of

# --- folders -------------------------------------------------------------------------------------------------------


# --- what a program holds ------------------------------------------------------------------------------------------


class Squares(Dataset[tuple[torch.Tensor, int]]):
    classes: list[str] = ["even", "odd"]  # noqa: RUF012 - as torchvision's data sets have it

    def __len__(self) -> int:
        return 5

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        if place >= 5:
            raise IndexError(place)
        return torch.full((2,), float(place**2)), place % 2


class Stream(IterableDataset[tuple[torch.Tensor, int]]):
    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        return iter([Squares()[place] for place in range(5)])


class Again:
    """An iterable that can be visited again, without a length."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        return iter([Squares()[place] for place in range(5)])


PAIRS = [("0", 0), ("1", 1), ("2", 0), ("3", 1), ("4", 0)]


@pytest.mark.parametrize(
    "make",
    [
        Squares,
        lambda: DataLoader(Squares(), batch_size=2, shuffle=True),
        lambda: [Squares()[place] for place in range(5)],
        lambda: tuple(Squares()[place] for place in range(5)),
        lambda: (Squares()[place] for place in range(5)),
        lambda: TensorDataset(torch.stack([Squares()[place][0] for place in range(5)]), torch.arange(5) % 2),
        lambda: [(np.full(2, place**2, np.float32), np.int64(place % 2)) for place in range(5)],
        lambda: [([float(place**2)] * 2, np.array([place % 2])) for place in range(5)],
        lambda: [{"image": torch.full((2,), float(place**2)), "label": place % 2} for place in range(5)],
        lambda: [Example(str(place), torch.full((2,), float(place**2)), place % 2) for place in range(5)],
        Stream,
        lambda: DataLoader(Stream(), batch_size=2),
        Again,
    ],
    ids=["dataset", "loader", "list", "tuple", "generator", "tensors", "arrays", "numbers", "dicts", "examples",
         "stream", "stream loader", "iterable"],
)  # fmt: skip
def test_everything_that_gives_examples_is_a_source_of_the_same_ones(make: Any) -> None:
    source = from_python(make())
    assert isinstance(source, Source)
    assert rows_of(source, 2) == PAIRS
    assert torch.equal(source.example(3).inputs, torch.tensor([9.0, 9.0]))
    assert rows_of(source, 3) == PAIRS, "and again"
    assert [name for batch in source.batches(2, start=3) for name in batch.ids] == ["3", "4"]
    assert [name for name, _ in rows_of(from_python(make(), limit=2))] == ["0", "1"]
    assert source.fingerprint() == from_python(make()).fingerprint()
    with pytest.raises(DataError, match="There is no example 5"):
        source.example(5)


def test_names_come_from_the_data_set_or_from_the_caller() -> None:
    assert from_python(Squares()).classes == ("even", "odd")
    assert from_python(DataLoader(Squares())).classes == ("even", "odd")
    assert from_python(Squares(), classes=["a", "b"]).classes == ("a", "b")
    assert from_python([torch.ones(2)]).classes is None


def test_an_input_may_be_a_tuple_a_dict_or_alone() -> None:
    pair = from_python([((torch.ones(2), torch.zeros(3)), 1)]).example(0)
    assert isinstance(pair.inputs, tuple)
    assert [part.shape for part in pair.inputs] == [(2,), (3,)]
    tokens = from_python([{"input_ids": [1, 2], "attention_mask": [1, 1], "labels": 3, "id": "a"}]).example(0)
    assert isinstance(tokens.inputs, dict)
    assert (tokens.id, tokens.target, sorted(tokens.inputs)) == ("a", 3, ["attention_mask", "input_ids"])
    assert tokens.inputs["input_ids"].tolist() == [1, 2]
    assert from_python(torch.ones(3, 2)).example(1).target is None
    assert from_python(TensorDataset(torch.ones(3, 2))).example(1).inputs[0].shape == (2,)
    batch = next(iter(from_python([((torch.ones(2), {"a": torch.zeros(3)}), 1)] * 4).batches(4)))
    assert isinstance(batch.inputs, tuple)
    assert (batch.inputs[0].shape, batch.inputs[1]["a"].shape) == ((4, 2), (4, 3))


def test_targets_may_be_numbers_missing_or_some_of_them() -> None:
    def targets(*values: object) -> torch.Tensor | None:
        return next(iter(from_python([(torch.ones(1), value) for value in values]).batches(8))).targets

    assert targets(0.5, None, 2) is not None
    torch.testing.assert_close(
        targets(0.5, None, 2), torch.tensor([0.5, float("nan"), 2.0], dtype=torch.float64), equal_nan=True
    )
    assert targets(3, None, True).tolist() == [3, -1, 1]  # type: ignore[union-attr]
    assert targets(None, None) is None


def test_pictures_are_made_of_tensors_that_are_images_and_given_ones_are_kept() -> None:
    kept = Media(b"mine", "png")
    source = from_python([torch.rand(3, 8, 8), torch.rand(8), Example("a", torch.rand(3, 8, 8), None, kept)])
    found = [source.example(row).media for row in range(3)]
    assert found[0] is not None
    assert found[1] is None
    assert found[2] is kept


def test_a_fingerprint_tells_other_values_and_other_lengths() -> None:
    def of(*values: float) -> str:
        return from_python([(torch.tensor([value]), 0) for value in values]).fingerprint()

    assert len({of(1.0), of(1.0, 2.0), of(1.0, 3.0), of(0.0, 2.0), of(1.0, 5.0, 2.0)}) == 5
    assert of(1.0, 2.0) == of(1.0, 2.0)


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([], "The list is empty: there is nothing to inspect"),
        (iter(()), "gave no examples: there is nothing to inspect"),
        (Image.new("RGB", (2, 2)), "must be a Dataset, a DataLoader or an iterable.*; got Image"),
        (3, "must be a Dataset, a DataLoader or an iterable.*; got int"),
        ("photos/", "must be a Dataset, a DataLoader or an iterable.*; got str"),
        ({"image": torch.ones(3)}, "must be a Dataset, a DataLoader or an iterable.*; got dict"),
    ],
)
def test_what_gives_no_examples_is_refused(examples: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        from_python(examples)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ((Image.new("RGB", (2, 2)), 0), "Example 0 is a Image; expected a tensor.*Turn images into tensors first"),
        (("text", 0), "Example 0 is a str; expected a tensor"),
        ((torch.ones(2), "cat"), "The target of example 0 is 'cat', and no names of classes are known"),
        (
            (torch.ones(2), torch.eye(2)),
            r"The target of example 0 is a Tensor of shape \(2, 2\); expected a class index",
        ),
    ],
)
def test_an_example_that_no_model_takes_is_refused_by_its_number(item: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        next(iter(from_python([item]).batches(1)))


def test_a_data_set_that_raises_is_refused_with_the_row() -> None:
    class Broken(Squares):
        def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
            if place == 3:
                raise OSError("the disk is gone")
            return super().__getitem__(place)

    with pytest.raises(DataError, match="Broken raised OSError at example 3: the disk is gone"):
        list(from_python(Broken()).batches(8))


def test_examples_of_one_batch_must_have_one_shape() -> None:
    examples = [Example("a", torch.ones(3, 8, 8)), Example("b", torch.ones(3, 8, 8)), Example("c", torch.ones(3, 8, 9))]
    with pytest.raises(
        DataError, match=r"a has \(3, 8, 8\), c has \(3, 8, 9\).*--size, --resize, --crop.*--batch-size 1"
    ):
        collate(examples, 0)
    assert [batch.ids for batch in from_python(examples).batches(1)] == [("a",), ("b",), ("c",)]


def test_labels_that_the_model_has_no_output_for_are_refused_by_name() -> None:
    batch = collate([Example("a", torch.ones(1), 2), Example("b", torch.ones(1), 7), Example("c", torch.ones(1))], 0)
    with pytest.raises(DataError, match=r"The label of b is 7, but the model has 7 outputs, 0 to 6 \(1 such"):
        check_targets(batch, 7)
    check_targets(batch, 8)
    with pytest.raises(DataError, match="The label of a is -2"):
        check_targets(collate([Example("a", torch.ones(1), -2)], 0), 8)
    check_targets(collate([Example("a", torch.ones(1), 9.5)], 0), 1)


# --- code ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "users_data.py"
    place.write_text(
        "import torch\n"
        "ready = [(torch.ones(2), 1), (torch.zeros(2), 0)]\n"
        "def make():\n    return ready\n"
        "def stream():\n    yield from ready\n"
        "def opened():\n    from pellucid.data import open_data\n    return open_data('digits:test', limit=3)\n"
        "def fails():\n    raise ValueError('no such split')\n"
    )
    yield place
    forget(tmp_path)


@pytest.mark.parametrize(("name", "count"), [("make", 2), ("stream", 2), ("ready", 2)])
def test_a_function_a_generator_and_a_list_of_a_file_are_opened(code: Path, name: str, count: int) -> None:
    source = open_data(f"{code}:{name}")
    assert (source.source, source.name, len(source)) == (f"{code}:{name}", name, count)
    assert len(open_data(f"{code}:{name}", limit=1)) == 1


def test_a_function_may_return_a_source(code: Path) -> None:
    assert len(open_data(f"{code}:opened")) == 3


def test_a_function_that_raises_and_flags_that_do_not_apply_are_refused(code: Path) -> None:
    with pytest.raises(DataError, match="raised ValueError: no such split"):
        open_data(f"{code}:fails")
    with pytest.raises(DataError, match=r"has no 'absent'\. It has: .*make"):
        open_data(f"{code}:absent")
    with pytest.raises(OptionError, match="--resize, --size, --crop"):
        open_data(f"{code}:make", recipe=Recipe(resize=8, origin="flags"))
    assert len(open_data(f"{code}:make", recipe=Recipe(resize=8, origin="model"))) == 2


def test_text_and_single_numbers_beside_the_input_come_along() -> None:
    row = {
        "input_ids": torch.tensor([3, 4]),
        "attention_mask": torch.ones(2),
        "text": "a b",
        "idx": 7,
        "labels": 1,
        "id": "r",
    }
    example = from_python([row]).example(0)
    assert (example.id, example.target, dict(example.columns)) == ("r", 1, {"text": "a b", "idx": 7})
    assert isinstance(example.inputs, dict)
    assert set(example.inputs) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray])
def test_whole_arrays_of_inputs_and_targets_are_examples(kind: Any) -> None:
    source = from_python((kind(np.arange(12.0).reshape(4, 3)), kind([1, 0, 1, 1])))
    assert len(source) == 4
    assert [source.example(row).target for row in range(4)] == [1, 0, 1, 1]
    torch.testing.assert_close(source.example(2).inputs, torch.tensor([6.0, 7.0, 8.0], dtype=torch.float64))
    inputs = (torch.ones(2, 3), torch.zeros(2, 3))
    assert len(from_python(inputs)) == 2
    assert from_python(inputs).example(1).target is None


def test_a_table_is_refused_with_what_to_give() -> None:
    table = pytest.importorskip("pandas").DataFrame({"a": [1.0, 2.0], "label": [0, 1]})
    with pytest.raises(DataError, match="A DataFrame does not say which of its columns are the input"):
        from_python(table)


def test_texts_of_several_lengths_are_to_be_padded() -> None:
    with pytest.raises(DataError, match=r"0 has \(3,\), 1 has \(4,\)\. Pad them to one length, or use --batch-size 1"):
        next(from_python([torch.arange(3), torch.arange(4)]).batches(2))
