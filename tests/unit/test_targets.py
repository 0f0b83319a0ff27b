"""Classes, numbers, soft labels and sets of classes, told apart from how data give them, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from pellucid.data import check_targets, collate, from_python, open_data
from pellucid.data.naming import under_names
from pellucid.data.numbers import number_targets
from pellucid.data.targets import soft_label, target_of, written
from pellucid.data.whole import whole_targets
from pellucid.errors import DataError, OptionError
from pellucid.types import Example

PICTURE = torch.zeros(1, 2, 2)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (3, (3, None, None)),
        (torch.tensor(3), (3, None, None)),
        (np.float32(0.5), (0.5, None, None)),
        (None, (None, None, None)),
        ({2, 0}, (None, None, frozenset({0, 2}))),
        (frozenset(), (None, None, frozenset())),
        (torch.tensor([True, False, True]), (None, None, frozenset({0, 2}))),
        (np.array([0.25, 0.75]), (1, (0.25, 0.75), None)),
        (torch.tensor([1, 48, 1, 0]), (1, (0.02, 0.96, 0.02, 0.0), None)),
        (np.array([0, 1, 0]), (1, (0.0, 1.0, 0.0), None)),
        (np.array([1.0, 0.0, 1.0]), (None, None, frozenset({0, 2}))),
        (torch.tensor([1, 0, 1]), (None, None, frozenset({0, 2}))),
        (np.zeros(3, np.float32), (None, None, frozenset())),
        (np.array([2, 0, 1]), (0, (2 / 3, 0.0, 1 / 3), None)),
        ([1.0, 0.0, 1.0], (None, None, frozenset({0, 2}))),
        ([0.25, 0.75], (1, (0.25, 0.75), None)),
        ((True, False, True), (None, None, frozenset({0, 2}))),
        (-100, (-100, None, None)),
    ],
)
def test_a_target_is_what_it_is_given_as(given: Any, found: object) -> None:
    assert target_of(given, "row 0") == found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            np.array([1.0, 0.0, 1.5]),
            "sums to 2.5, and probabilities sum to 1.*several true classes as 0 and 1.*--outputs numbers",
        ),
        (np.array([0.5, -0.5, 1.0]), "holds numbers of at least 0, not all 0.*--outputs numbers"),
        (np.array([np.nan, 1.0]), "holds numbers of at least 0"),
        ({-1}, "must be indices of at least 0; got -1"),
        ({"cat"}, "must be indices of at least 0; got 'cat'"),
        (np.zeros((2, 2)), r"is a ndarray of shape \(2, 2\); expected a class index"),
        ("cat", r"is 'cat', and no names of classes are known. Give them in order of index \(classes=\[...\]"),
        (
            [0, 2],
            "is a list of whole numbers.*give a Python set; if they are one 0 or 1, or one count, a class, an array or tensor",
        ),
        ([2, -100, 1], "holds -100, which stands for no label in a row of labels.*give None in their place"),
        (
            torch.tensor([2, -100, 1]),
            "holds -100, which stands for no label in a row of labels.*give None in their place",
        ),
    ],
)
def test_what_could_be_two_things_is_refused(given: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"row 0.*{words}|{words}"):
        target_of(given, "row 0")


def test_a_batch_holds_soft_labels_beside_their_most_probable_class() -> None:
    source = from_python([(PICTURE, torch.tensor([0.9, 0.1])), (PICTURE, None), (PICTURE, torch.tensor([3, 7]))])
    batch = next(source.batches(8))
    assert batch.targets is not None
    assert batch.targets.tolist() == [0, -1, 1]
    assert batch.soft is not None
    np.testing.assert_allclose(batch.soft, [[0.9, 0.1], [np.nan, np.nan], [0.3, 0.7]], rtol=1e-7)
    assert batch.sets == ()
    check_targets(batch, 2)
    with pytest.raises(DataError, match="soft labels name 2 classes, but the model has 3 outputs"):
        check_targets(batch, 3)
    with pytest.raises(DataError, match="that of b has 2 of them, that of a 3"):
        collate([Example("a", PICTURE, 0, soft=(1.0, 0, 0)), Example("b", PICTURE, 0, soft=(1.0, 0))], 0)


def test_a_batch_holds_sets_and_refuses_those_beyond_the_outputs() -> None:
    batch = next(from_python([(PICTURE, {0, 2}), (PICTURE, None), (PICTURE, set())]).batches(8))
    assert (batch.targets, batch.soft) == (None, None)
    assert batch.sets == (frozenset({0, 2}), None, frozenset())
    check_targets(batch, 3)
    with pytest.raises(DataError, match="classes of 0 are 0, 2, but the model has 2 outputs"):
        check_targets(batch, 2)


def test_labels_follow_the_models_names() -> None:
    examples = [(PICTURE, np.array([0.25, 0.75])), (PICTURE, None)]
    source = under_names(from_python(examples, classes=["dog", "cat"]), ["cat", "owl", "dog"])
    batch = next(source.batches(4))
    np.testing.assert_array_equal(batch.soft, [[0.75, 0, 0.25], [np.nan] * 3])
    assert source.example(0).soft == (0.75, 0.0, 0.25)
    assert source.example(0).target == 0
    sets = under_names(from_python([(PICTURE, {0, 1})], classes=["dog", "cat"]), ["cat", "owl", "dog"])
    assert next(sets.batches(4)).sets == (frozenset({0, 2}),)
    assert sets.example(0).classes == frozenset({0, 2})


def test_fingerprints_tell_labels_apart() -> None:
    labels: list[Any] = [1, np.array([0.25, 0.75]), np.array([0.3, 0.7]), {0, 1}, {1}]
    assert len({from_python([(PICTURE, label)]).fingerprint() for label in labels}) == 5
    assert written(Example("a", PICTURE, classes=frozenset({9, 1}))) == "[1, 9]"


def parquet(folder: Path, **columns: pa.Array) -> str:
    path = folder / "some.parquet"
    Image.new("L", (2, 2)).save(folder / "a.png")
    content = (folder / "a.png").read_bytes()
    rows = len(next(iter(columns.values())))
    images = pa.array([{"bytes": content, "path": "a.png"}] * rows)
    pq.write_table(pa.table({"image": images, **columns}), path)
    return str(path)


def test_a_column_of_counts_or_probabilities_of_a_parquet_file_is_soft_labels(tmp_path: Path) -> None:
    counts = pa.array([[48, 2], [25, 25], None], pa.list_(pa.int16(), 2))
    spec = parquet(tmp_path, label=pa.array([0, 1, 1]), human_counts=counts)
    plain = next(open_data(spec).batches(8))
    assert plain.soft is None
    batch = next(open_data(spec, labels="human_counts").batches(8))
    np.testing.assert_array_equal(batch.soft, [[0.96, 0.04], [0.5, 0.5], [np.nan, np.nan]])
    assert batch.targets is not None
    assert batch.targets.tolist() == [0, 0, -1]
    assert batch.along()["label"] == [0, 1, 1]  # the other labels come along
    assert open_data(spec).fingerprint() != open_data(spec, labels="human_counts").fingerprint()


def test_a_column_of_lists_of_indices_or_booleans_is_sets(tmp_path: Path) -> None:
    spec = parquet(
        tmp_path,
        label=pa.array([[0, 2], [], None], pa.list_(pa.int64())),
        tags=pa.array([[True, False, True], [False] * 3, None], pa.list_(pa.bool_(), 3)),
    )
    expected = (frozenset({0, 2}), frozenset(), None)
    assert next(open_data(spec).batches(8)).sets == expected
    assert next(open_data(spec, labels="tags").batches(8)).sets == expected


def test_a_column_that_is_not_there_and_data_without_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'votes' \(--labels\). It has: image, label"):
        open_data(parquet(tmp_path, label=pa.array([0])), labels="votes")
    with pytest.raises(OptionError, match="--labels names a column of a Parquet file; 'digits' is none"):
        open_data("digits", labels="votes")


def test_float16_probabilities_of_many_classes_are_probabilities() -> None:
    values = np.random.default_rng(0).dirichlet(np.ones(1000)).astype(np.float16)
    assert sum(soft_label(values, "row 0")) == pytest.approx(1.0, abs=1e-12)


def test_a_sampler_of_indices_says_which_examples_there_are() -> None:
    held = torch.utils.data.TensorDataset(torch.arange(10.0)[:, None], torch.arange(10))
    held.classes = ["even", "odd"]  # type: ignore[attr-defined]
    for loader in (
        torch.utils.data.DataLoader(held, sampler=torch.utils.data.SubsetRandomSampler([7, 2, 5]), batch_size=2),
        torch.utils.data.DataLoader(torch.utils.data.Subset(held, [2, 5, 7]), shuffle=True),
    ):
        source = from_python(loader)
        assert (len(source), source.name, source.classes) == (3, "TensorDataset", ("even", "odd"))
        assert [source.example(row).target for row in range(3)] == [2, 5, 7]
    weighted = torch.utils.data.WeightedRandomSampler([0.1] * 10, 4)
    assert len(from_python(torch.utils.data.DataLoader(held, sampler=weighted))) == 10


def test_what_torch_ignores_is_no_class_and_may_be_a_number() -> None:
    items = [(PICTURE, 1), (PICTURE, -100), (PICTURE, 0)]
    source = whole_targets(from_python(items))
    batch = next(source.batches(8))
    assert batch.targets is not None
    assert batch.targets.tolist() == [1, -1, 0]
    assert [source.example(row).target for row in range(3)] == [1, None, 0]
    floating = next(whole_targets(from_python([(PICTURE, 1.0), (PICTURE, -100.0)])).batches(8))
    assert floating.targets is not None
    assert floating.targets.tolist() == [1, -1]
    numbers = next(number_targets(from_python(items)).batches(8))
    assert numbers.targets is not None
    assert numbers.targets.tolist() == [1, -100, 0]
