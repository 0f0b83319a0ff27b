"""Classes of the data under the model's names."""

from __future__ import annotations

import pytest
import torch

from pellucid.data import from_python
from pellucid.data.naming import under_names
from pellucid.errors import DataError

MODEL = ("goldfish, Carassius auratus", "tabby, tabby cat", "Egyptian cat", "traffic light, stoplight")


def source(names: tuple[str, ...] | None, targets: list[int | None], limit: int | None = None):
    items = [(torch.full((2,), float(place)), target) for place, target in enumerate(targets)]
    return from_python(items, classes=names, limit=limit)


def targets_of(found) -> list[int | None]:
    """As batches and as single examples say them, which must be the same."""
    single = [found.example(row).target for row in range(len(found))]
    batched = [int(target) for batch in found.batches(2) for target in batch.targets]
    assert [-1 if target is None else target for target in single] == batched
    return single


@pytest.mark.parametrize(
    "spelt", ["tabby, tabby cat", "tabby", "tabby cat", "Tabby_Cat", "TABBY-CAT", "tabbycat", " tabby  cat "]
)
def test_a_class_is_found_by_its_name_or_a_synonym_in_any_spelling(spelt: str) -> None:
    found = under_names(source((spelt, "goldfish"), [0, 1, 0]), MODEL)
    assert targets_of(found) == [1, 0, 1]
    assert found.classes == MODEL


def test_names_keep_what_else_a_source_says() -> None:
    inner = source(("stoplight", "goldfish"), [0, None, 1])
    found = under_names(inner, MODEL)
    assert (found.name, found.source, len(found)) == (inner.name, inner.source, 3)
    assert found.preprocessing == inner.preprocessing
    assert found.skipped == []
    assert found.fingerprint() == inner.fingerprint()
    assert targets_of(found) == [3, None, 0]
    assert [batch.start for batch in found.batches(1, start=1)] == [1, 2]


@pytest.mark.parametrize("names", [None, MODEL])
def test_a_source_without_names_or_with_the_same_ones_stays_as_it_is(names: tuple[str, ...] | None) -> None:
    inner = source(names, [0, 3])
    assert under_names(inner, MODEL) is inner


def test_the_same_names_in_another_spelling_and_the_same_order_change_no_target() -> None:
    inner = source(("Goldfish", "tabby", "egyptian_cat", "stoplight"), [0, 1, 2, 3])
    assert targets_of(under_names(inner, MODEL)) == [0, 1, 2, 3]


def test_as_many_names_none_of_which_is_known_are_taken_in_their_order() -> None:
    inner = source(("n01443537", "n02123045", "n02124075", "n06874185"), [0, 1, 2, 3])
    assert under_names(inner, MODEL) is inner


def test_names_that_the_model_does_not_have_are_refused_with_both_lists() -> None:
    with pytest.raises(DataError) as raised:
        under_names(source(("tabby", "zebra", "okapi"), [0]), MODEL)
    words = str(raised.value)
    assert "has classes that the model does not have: 'zebra', 'okapi'." in words
    assert "The model has 4: 'goldfish, Carassius auratus'" in words
    assert "--classes FILE" in words


def test_many_unknown_names_are_counted() -> None:
    with pytest.raises(DataError, match=r"'x0', 'x1', 'x2', 'x3', 'x4' and 3 more\."):
        under_names(source(tuple(f"x{number}" for number in range(8)), [0]), MODEL)


def test_one_known_name_among_as_many_is_no_reason_to_trust_the_order() -> None:
    with pytest.raises(DataError, match="'b', 'c', 'd'"):
        under_names(source(("tabby", "b", "c", "d"), [0]), MODEL)


def test_names_that_differ_by_signs_alone_are_told_apart() -> None:
    model = ("C", "C++", "C#", "+", "-")
    assert targets_of(under_names(source(("C#", "C++", "C", "-"), [0, 1, 2, 3]), model)) == [2, 1, 0, 4]
    with pytest.raises(DataError, match=r"'\*'"):
        under_names(source(("C", "*"), [0]), model)


def test_names_in_other_scripts_are_found() -> None:
    assert targets_of(under_names(source(("СОБАКА", "猫"), [0, 1]), ("猫", "собака"))) == [1, 0]


def test_of_equal_names_the_first_is_taken() -> None:
    assert targets_of(under_names(source(("crane", "owl"), [0, 1]), ("crane", "owl", "crane"))) == [0, 1]


def test_a_label_beyond_the_datas_own_classes_is_refused_by_name() -> None:
    found = under_names(source(("stoplight", "goldfish"), [0, 1, 2]), MODEL)
    with pytest.raises(DataError, match=r"The label of 2 is 2, but list has 2 classes, 0 to 1"):
        list(found.batches(8))
    with pytest.raises(DataError, match="The label of 2 is 2"):
        found.example(2)
