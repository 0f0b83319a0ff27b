"""Trees of classes: read from every kind of file, asked for kinds, ancestors and gravity, and refused where they are no trees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.hierarchy import read_ids, read_tree
from pellucid.errors import DataError
from pellucid.measures.hierarchy import ClassTree, gravities, tree_of
from support.shared import REASON, SHARED

CLASSES = ("tabby, tabby cat", "poodle", "rifle", "handgun", "teapot")
EDGES = {"thing": ["animal", "gun"], "animal": ["tabby", "poodle"], "gun": ["rifle", "handgun"]}

INDENTED = "thing\n  animal\n    tabby\n    poodle\n    unicorn\n  gun\n    rifle\n    handgun\n"
NESTED = json.dumps({"thing": {"animal": ["tabby", "poodle", "unicorn"], "gun": {"rifle": None, "handgun": None}}})
NAMED = json.dumps(
    {
        "name": "thing",
        "children": [
            {"name": "animal", "children": [{"name": "tabby"}, {"name": "poodle"}, {"name": "unicorn"}]},
            {"name": "gun", "children": ["rifle", "handgun"]},
        ],
    }
)
TABLE = "parent,child\nthing,animal\nthing,gun\nanimal,tabby\nanimal,poodle\nanimal,unicorn\ngun,rifle\ngun,handgun\n"
PAIRS = TABLE.partition("\n")[2].replace(",", " ")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", INDENTED), ("a.json", NESTED), ("a.json", NAMED), ("a.csv", TABLE), ("a.txt", PAIRS)],
    ids=["indented", "nested", "named", "table", "pairs"],
)
def test_every_kind_of_file_is_the_same_tree(tmp_path: Path, name: str, text: str) -> None:
    tree = read_tree(written(tmp_path, name, text), CLASSES)
    assert tree.names == ("thing", "animal", "tabby", "poodle", "gun", "rifle", "handgun", "teapot")
    assert tree.parents.tolist() == [-1, 0, 1, 1, 0, 4, 4, -1]
    assert tree.classes.tolist() == [-1, -1, 0, 1, -1, 2, 3, 4]
    assert tree.unknown == ("unicorn",)
    assert tree.unplaced == (4,)


def test_a_concept_includes_its_kinds(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, "a.txt", INDENTED), CLASSES)
    probabilities = np.array([[0.1, 0.2, 0.3, 0.25, 0.15], [1.0, 0.0, 0.0, 0.0, 0.0]])
    nodes = [tree.find(name) for name in ("gun", "animal", "thing")]
    assert tree.kinds(nodes[0]).tolist() == [2, 3]
    found = tree.concept_probabilities(probabilities, nodes)
    np.testing.assert_allclose(found, [[0.55, 0.3, 0.85], [0.0, 1.0, 1.0]], atol=1e-15)
    assert tree.concept_probabilities(probabilities, []).shape == (2, 0)


def test_mistakes_weigh_by_how_far_up_they_meet(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, "a.txt", INDENTED), CLASSES)
    assert [tree.gravity(0, other) for other in range(5)] == [0, 1, 2, 2, 3]
    assert tree.names[tree.common_ancestor(2, 3)] == "gun"
    assert tree.common_ancestor(0, 4) == -1


def test_a_class_with_kinds_stands_beside_them() -> None:
    tree = tree_of({"dog": ["poodle", "pug"]}, ["dog"], {}, {"dog": 0, "poodle": 1, "pug": 2})
    assert tree.names == ("dog", "dog", "poodle", "pug")
    assert tree.classes.tolist() == [-1, 0, 1, 2]
    assert tree.kinds(tree.find("dog")).tolist() == [0, 1, 2]
    assert tree.gravity(0, 1) == 1


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_gravity_is_symmetric_and_zero_for_the_same_class_alone(number: int, random) -> None:  # type: ignore[no-untyped-def]
    children: dict[str, list[str]] = {}
    for node in range(1, number):
        children.setdefault(str(random.randrange(node)), []).append(str(node))
    leaves = [str(node) for node in range(number) if str(node) not in children]
    tree = tree_of(children, ["0"], {}, {name: index for index, name in enumerate(leaves)})
    assert sorted(tree.classes[tree.classes >= 0].tolist()) == list(range(len(leaves)))
    assert all(tree.parents[node] < node for node in range(len(tree.names)))
    for one in range(len(leaves)):
        for other in range(len(leaves)):
            assert tree.gravity(one, other) == tree.gravity(other, one)
            assert (tree.gravity(one, other) == 0) == (one == other)
    every = tree.kinds(0).tolist() if children else [0]
    assert every == list(range(len(leaves)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "is empty"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"thing": 3}', "holds 3 beneath 'thing'"),
        ("a.csv", "thing,tabby,cat,more\n", "has 4 cells"),
        ("a.csv", "tabby,tabby\n", "beneath itself"),
        ("a.csv", "a,tabby\nb,tabby\n", "in two places"),
        ("a.csv", "a,b\nb,a\na,tabby\n", "in a circle"),
        ("a.csv", "a,tabby\na,tabby cat\n", "places the class"),
        ("a.txt", "bird\n  crow\n", "None of the 5 classes"),
        ("a.txt", "a\n  tabby\n \tpoodle\n", "tabs and spaces"),
    ],
)
def test_what_is_no_tree_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_tree(written(tmp_path, name, text), CLASSES)


def test_ids_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 ids of classes, but 5 classes"):
        read_tree(written(tmp_path, "a.txt", INDENTED), CLASSES, ["n1", "n2"])
    with pytest.raises(DataError, match="cannot be read"):
        read_tree(tmp_path / "missing.txt", CLASSES)
    with pytest.raises(DataError, match="list of ids"):
        read_ids(written(tmp_path, "ids.json", '{"names": []}'))


@pytest.mark.skipif(SHARED is None, reason=REASON)
@pytest.mark.data
def test_imagenet_by_wordnet_ids() -> None:
    folder = SHARED / "data" / "imagenet"  # type: ignore[operator]
    held = json.loads((folder / "classes.json").read_text())
    tree: ClassTree = read_tree(folder / "isa.txt", held["names"], read_ids(folder / "classes.json"))
    assert not tree.unplaced
    assert not tree.unknown
    assert int((tree.classes >= 0).sum()) == 1000
    # n02084071 is WordNet's dog: 118 breeds and the kinds beside them, classes 151 to 268.
    dogs = tree.kinds(tree.find("n02084071"))
    assert set(range(151, 269)) <= set(dogs.tolist())


def test_groups_of_classes_are_as_far_apart_as_what_includes_both(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, "a.txt", INDENTED), CLASSES)
    found = gravities(tree, [(0,), (1,), (2, 3), (4,), ()])
    assert found.tolist() == [
        [0, 1, 2, 3, 3],
        [1, 0, 2, 3, 3],
        [2, 2, 0, 3, 3],
        [3, 3, 3, 0, 3],
        [3, 3, 3, 3, 0],
    ]
    single = gravities(tree, [(index,) for index in range(5)])
    assert single.tolist() == [[tree.gravity(one, other) for other in range(5)] for one in range(5)]
