"""How items of a program are read: what the model is given, what is the target, and what comes along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from pellucid.data import Source, from_python, read_for
from pellucid.data.memory import words_about
from pellucid.data.signature import signature_of
from pellucid.errors import DataError

IDS = torch.arange(6).reshape(3, 2)


class Takes(nn.Module):
    """A forward of tensors, a number of each example, and two settings."""

    def forward(
        self, x: Tensor, mask: Any = None, length: Any = None, scale: float = 1.0, mode: str | None = None
    ) -> Any:
        raise NotImplementedError


class TakesBatch(nn.Module):
    def forward(self, batch: Any) -> Any:
        raise NotImplementedError


class TakesAnything(nn.Module):
    def forward(self, *parts: Any, **named: Any) -> Any:
        raise NotImplementedError


def read(item: Any, model: nn.Module | None = None, **given: Any) -> Any:
    source = from_python([item], **given)
    return (source if model is None else read_for(source, model)).example(0)


def test_a_signature_says_what_is_given_by_name_and_what_is_one_setting_for_a_batch() -> None:
    takes = signature_of(Takes())
    assert takes is not None
    assert takes.positional == ("x", "mask", "length", "scale", "mode")
    assert takes.settings == {"scale", "mode"}
    assert (takes.any_number, takes.any_name) == (False, False)
    anything = signature_of(TakesAnything())
    assert anything is not None
    assert (anything.named, anything.any_number, anything.any_name) == (frozenset(), True, True)
    unread = nn.Module()
    unread.forward = torch.relu  # type: ignore[assignment]  # written in C, and says nothing of its arguments
    assert signature_of(unread) is None


def test_an_entry_called_as_an_input_is_given_alone_only_where_no_other_is_a_tensor() -> None:
    item = {"x": torch.ones(2), "mask": torch.zeros(2), "label": 1}
    for model in (None, Takes(), TakesBatch(), TakesAnything()):
        assert set(read(item, model).inputs) == {"x", "mask"}, model
    assert isinstance(read({"x": torch.ones(2), "note": "a", "label": 1}, Takes()).inputs, Tensor)
    picture = read({"image": torch.rand(3, 4, 4), "tabular": torch.ones(2), "label": 1})
    assert picture.media is not None
    with pytest.raises(
        DataError, match=r"Example 0 has 'boxes' beside 'x', and the model's forward takes no argument of that name"
    ):
        read({"x": torch.ones(2), "boxes": torch.ones(4), "label": 1}, Takes())


def test_numbers_are_inputs_where_forward_names_them_or_where_there_is_nothing_else() -> None:
    item = {"x": torch.ones(2), "length": 2, "idx": 7, "note": "a", "label": 1}
    named = read(item, Takes())
    assert (named.inputs["length"].item(), named.columns) == (2, {"idx": 7, "note": "a"})
    unnamed = read(item)
    assert isinstance(unnamed.inputs, Tensor)
    assert unnamed.columns == {"length": 2, "idx": 7, "note": "a"}
    single = read({"x": torch.ones(2), "idx": torch.tensor(7), "rating": np.float64(0.5), "label": 1}, nn.Linear(2, 2))
    assert isinstance(single.inputs, Tensor)
    assert single.columns == {"idx": 7, "rating": 0.5}
    table = read({"city": 3, "age": 0.5, "name": "a", "y": 1}, TakesBatch())
    assert ({name: part.item() for name, part in table.inputs.items()}, table.columns) == (
        {"city": 3, "age": 0.5},
        {"name": "a"},
    )


def test_none_and_settings_of_forward_are_given_as_they_are_and_other_numbers_as_tensors() -> None:
    item = ((torch.ones(2), None, 5, 2.0, "fast"), 1)
    source = read_for(from_python([item, item]), Takes())
    batch = next(source.batches(2))
    assert isinstance(batch.inputs, tuple)
    assert batch.inputs[2].tolist() == [5, 5]
    assert (batch.inputs[1], *batch.inputs[3:]) == (None, 2.0, "fast")
    named = read(({"x": torch.ones(2), "scale": 2.0, "length": 5}, 1), Takes()).inputs
    assert (named["scale"], named["length"].item()) == (2.0, 5)
    other = read_for(from_python([item, ((torch.ones(2), None, 5, 3.0, "fast"), 1)]), Takes())
    with pytest.raises(DataError, match=r"the same of what is no tensor: 0 has 2\.0, 1 has 3\.0"):
        next(other.batches(2))
    assert source.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("last", [1, 0.5, torch.tensor(1), torch.ones(1), np.int64(1), None, "cat"])
def test_the_last_of_three_parts_that_looks_like_a_target_is_no_input(last: Any) -> None:
    for parts in ((IDS[0], IDS[1], last), [IDS[0], torch.tensor(2), last]):
        with pytest.raises(
            DataError, match=r"An item of 3 parts is 3 inputs, and the last of example 0 \(.*\) looks like a target"
        ):
            read(parts)
    assert len(read(((IDS[0], IDS[1], torch.tensor(1)), None)).inputs) == 3


def test_more_parts_than_forward_takes_are_refused_and_others_are_inputs() -> None:
    class Two(nn.Module):
        def forward(self, first: Any, second: Any) -> Any:
            raise NotImplementedError

    item = (IDS[0], IDS[1], IDS[2])
    assert len(read(item).inputs) == 3
    assert len(read(item, Takes()).inputs) == 3
    assert read([0.5, 1.5, 2.5], Two()).inputs.tolist() == [0.5, 1.5, 2.5]
    with pytest.raises(DataError, match="the model's forward takes 2"):
        read(item, Two())


def test_items_without_an_input_are_refused_by_their_entries() -> None:
    with pytest.raises(DataError, match=r"no entry that is an input: it has text \(str\) beside the target"):
        read({"text": "a b", "label": 1})
    with pytest.raises(DataError, match="Part 'words' of example 0 is a str"):
        read(({"ids": IDS[0], "words": "a b"}, 1))
    with pytest.raises(DataError, match=r"Part 1 of example 0 is a str"):
        read(((IDS[0], "a"), 1))
    with pytest.raises(DataError, match="Example 0 holds no tensor"):
        read(((None, None), 1))
    unlabelled = read({"input_ids": IDS[0], "text": "a b"})
    assert (set(unlabelled.inputs), unlabelled.target, unlabelled.columns) == ({"input_ids"}, None, {"text": "a b"})


def test_sparse_and_nested_inputs_are_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"a sparse \(sparse_coo\) tensor, of which no batch can be made.*to_dense"):
        from_python([(torch.eye(2).to_sparse(), 1)]).fingerprint()


def test_a_class_may_be_called_by_its_name() -> None:
    names = ["neg", "pos", "Very_Good"]
    assert [read((IDS[0], name), classes=names).target for name in ("pos", "neg", "very good")] == [1, 0, 2]
    assert read_for(from_python([(IDS[0], "pos")]), Takes(), names).example(0).target == 1
    with pytest.raises(
        DataError, match=r"The target of example 0 is 'bad', which is no name of a class\. They are 'neg', 'pos'"
    ):
        read((IDS[0], "bad"), classes=names)
    with pytest.raises(DataError, match="is 'pos', and no names of classes are known"):
        read((IDS[0], "pos"))


# --- a loader's own collate_fn -------------------------------------------------------------------------------------


def loader(make: Any, items: Any = None) -> DataLoader[Any]:
    return DataLoader(items or [("a b", 1), ("c", 0)], batch_size=2, collate_fn=make)


def test_a_collate_fn_says_what_one_example_is_where_it_makes_a_batch_of_one() -> None:
    def tokens(items: list[tuple[str, int]]) -> dict[str, Any]:
        ids = torch.tensor([[len(text), 0] for text, _ in items])
        return {
            "input_ids": ids,
            "text": [text for text, _ in items],
            "labels": torch.tensor([one for _, one in items]),
        }

    example = from_python(loader(tokens)).example(0)
    assert (example.target, example.columns, example.inputs["input_ids"].tolist()) == (1, {"text": "a b"}, [3, 0])  # type: ignore[call-overload, index]


def test_a_batch_that_cannot_be_taken_apart_leaves_the_item_as_it_is() -> None:
    def flat(items: list[tuple[Tensor, int]]) -> Any:
        return torch.cat([ids for ids, _ in items]), torch.tensor([one for _, one in items])

    def broken(items: list[Any]) -> Any:
        raise ValueError("two or more")

    items = [(torch.arange(3), 1), (torch.arange(3), 0)]
    for make in (flat, broken, lambda items: tuple(zip(*items, strict=True))):
        source = from_python(loader(make, items))
        example = source.example(0)
        assert isinstance(example.inputs, Tensor)
        assert (example.inputs.tolist(), example.target) == ([0, 1, 2], 1)
        assert "The collate_fn of the DataLoader is not used" in words_about(source)


# --- whole arrays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "whole",
    [
        {"input_ids": IDS, "attention_mask": torch.ones(3, 2), "labels": torch.tensor([2, 0, 1])},
        {"input_ids": IDS.tolist(), "attention_mask": np.ones((3, 2)), "labels": [2, 0, 1]},
        ({"input_ids": IDS, "attention_mask": torch.ones(3, 2)}, torch.tensor([2, 0, 1])),
    ],
)
def test_mappings_of_whole_arrays_are_examples(whole: Any) -> None:
    source: Source = from_python(whole)
    assert (len(source), source.name) == (3, "arrays")
    example = source.example(1)
    assert example.target == 0
    assert isinstance(example.inputs, dict)
    assert example.inputs["input_ids"].tolist() == [2, 3]  # type: ignore[union-attr]
    assert set(example.inputs) == {"input_ids", "attention_mask"}


def test_tuples_of_whole_arrays_are_examples_and_what_is_not_as_long_is_none() -> None:
    pair = from_python(((IDS, torch.ones(3, 4)), torch.tensor([2, 0, 1])))
    assert (len(pair), [part.shape for part in pair.example(2).inputs], pair.example(2).target) == (3, [(2,), (4,)], 1)
    with pytest.raises(
        DataError, match=r"got dict\. Of a dict of whole arrays one entry must be the target, and all must be as long"
    ):
        from_python({"x": IDS, "label": 1})


def test_what_became_of_an_item_is_told() -> None:
    source = from_python([{"x": IDS[:1], "mask": IDS[:1], "labels": 1, "idx": 3}])
    assert words_about(read_for(source, Takes())) == (
        "Of the entries of an example, 'labels' is the target; 'idx' came along as a column; the model was given 'x', 'mask'. "
        "Items (inputs, target) say it otherwise. Its inputs begin with an axis of 1: if that is a batch axis, leave it out "
        "(x[0]), for one is added to every example."
    )
    assert words_about(from_python([(torch.rand(1, 4, 4), 1)])) == ""
    assert words_about(from_python(TensorDataset(IDS, torch.tensor([2, 0, 1])))) == ""
