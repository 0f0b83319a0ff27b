"""Which classes of the model stand for each category among which people chose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pellucid.data.hierarchy import read_ids, read_tree
from pellucid.data.naming import plain_name
from pellucid.errors import DataError, OptionError
from pellucid.measures.hierarchy import ClassTree

Combined: TypeAlias = Literal["same", "sum", "mean"]


@dataclass(frozen=True)
class CategoryMap:
    """Of each category the classes that stand for it, in ascending order; empty where none does.

    `combined`: "same" where each category is one class and nothing is added up; else how probabilities of classes become that
    of their category: their sum, for a concept includes its kinds, or their mean, as Geirhos et al. 2021 take it. `tree` says how
    near the categories are, where one is known.
    """

    classes: tuple[tuple[int, ...], ...]
    combined: Combined
    tree: ClassTree | None = None

    @property
    def mapped(self) -> list[int]:
        """Places of the categories that some class stands for."""
        return [place for place, kinds in enumerate(self.classes) if kinds]


def category_map(
    categories: Sequence[str],
    classes: Sequence[str],
    *,
    file: Path | None = None,
    hierarchy: Path | None = None,
    ids: Path | None = None,
    tree: ClassTree | None = None,
    combine: Literal["sum", "mean"] = "sum",
) -> CategoryMap:
    """What stands for what: by a file, by a tree of classes, else by equal names.

    Args:
        categories: among which people chose.
        classes: of the model, in order of index.
        file: JSON, of each category the classes, by index or name.
        hierarchy: a tree of classes as `read_tree` takes it; a category is the concept or class of its name, with all its kinds.
        ids: what the tree calls the classes.
        tree: a tree that is known already, where neither is given.
        combine: how probabilities of several classes become one.

    Raises: OptionError: both a file and a hierarchy. DataError: they cannot be read, or name classes that there are not.
    """
    if file is not None and hierarchy is not None:
        raise OptionError("--categories and --hierarchy both say which classes make a category; give one of them.")
    if file is not None:
        kinds = _from_file(file, categories, classes)
    elif hierarchy is not None:
        tree = read_tree(hierarchy, classes, read_ids(ids) if ids is not None else None)
        kinds = _from_tree(tree, categories)
    else:
        kinds = _by_name(categories, classes)
        if tree is not None:
            kinds = [one or other for one, other in zip(kinds, _from_tree(tree, categories), strict=True)]
    _refuse_twice(kinds, categories, classes)
    single = all(len(one) <= 1 for one in kinds)
    return CategoryMap(tuple(kinds), "same" if single else combine, tree)


def categories_in(file: Path) -> dict[str, list[object]]:
    """The object of a file of categories, its names in order. Raises: DataError: it is none."""
    try:
        held = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"The categories in {file} cannot be read: {error}.") from error
    if not isinstance(held, dict) or not held or not all(isinstance(one, list) for one in held.values()):
        raise DataError(
            f'Expected in {file} an object of categories, each with a list of the classes that stand for it: {{"cat": [281, 282]}}.'
        )
    return held


def _from_file(file: Path, categories: Sequence[str], classes: Sequence[str]) -> list[tuple[int, ...]]:
    held = {plain_name(name) or name: (name, kinds) for name, kinds in categories_in(file).items()}
    places = _places(classes)
    found = []
    for category in categories:
        name, kinds = held.get(plain_name(category) or category, (category, []))
        found.append(tuple(sorted({_index(kind, places, len(classes), name, file) for kind in kinds})))
    return found


def _index(kind: object, places: Mapping[str, int], number: int, category: str, file: Path) -> int:
    index = kind if isinstance(kind, int) else places.get(plain_name(str(kind)) or str(kind), -1)
    if isinstance(kind, bool) or not 0 <= index < number:
        raise DataError(
            f"The category {category!r} of {file} holds {kind!r}, which is no class of the model: it has {number}, from 0."
        )
    return index


def _from_tree(tree: ClassTree, categories: Sequence[str]) -> list[tuple[int, ...]]:
    nodes: dict[str, list[int]] = {}
    for node, title in enumerate(tree.names):
        for part in dict.fromkeys([title, *title.split(",")]):
            key = plain_name(part) or part
            if node not in nodes.setdefault(key, []):
                nodes[key].append(node)
    found = []
    for category in categories:
        places = nodes.get(plain_name(category) or category, [])
        if len(places) == 2 and tree.parents[places[1]] == places[0]:
            places = places[:1]  # a class with kinds stands beside them, under the concept of its name
        if len(places) > 1:
            raise DataError(
                f"The hierarchy has {len(places)} concepts named {category!r}: say which classes it means (--categories FILE)."
            )
        found.append(tuple(map(int, tree.kinds(places[0]))) if places else ())
    return found


def _by_name(categories: Sequence[str], classes: Sequence[str]) -> list[tuple[int, ...]]:
    places = _places(classes)
    return [
        () if (index := places.get(category, places.get(plain_name(category) or category))) is None else (index,)
        for category in categories
    ]


def _places(classes: Sequence[str]) -> dict[str, int]:
    """Index by name as it stands, by the name without case and signs, and by each of several synonyms."""
    found: dict[str, int] = {}
    for spelled in (
        lambda name: [plain_name(part) for part in name.split(",")],
        lambda name: [plain_name(name)],
        lambda name: [name],
    ):
        for index, name in reversed(list(enumerate(classes))):
            found.update(dict.fromkeys(filter(None, spelled(name)), index))
    return found


def _refuse_twice(kinds: Sequence[tuple[int, ...]], categories: Sequence[str], classes: Sequence[str]) -> None:
    taken: dict[int, str] = {}
    for category, one in zip(categories, kinds, strict=True):
        for index in one:
            if index in taken:
                raise DataError(
                    f"The class {index} ({classes[index]}) stands for {taken[index]!r} and for {category!r}; expected one of "
                    "them."
                )
            taken[index] = category
