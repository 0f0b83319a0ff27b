"""Trees of classes: a concept includes its kinds, and a mistake is as grave as the way up to what both classes are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError


@dataclass(frozen=True)
class ClassTree:
    """Concepts above classes; parents stand before their children.

    Attributes:
        names: of every node.
        parents: int64[node], -1 for a root.
        classes: int64[node], the class a node stands for, -1 for a concept above classes.
        unplaced: classes that the file does not place: each is a root of its own.
        unknown: leaves of the file that are no class of the model, and are left out.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    classes: NDArray[np.int64]
    unplaced: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()

    @cached_property
    def node_of_class(self) -> NDArray[np.int64]:
        """int64[class]: the node of each class."""
        nodes = np.flatnonzero(self.classes >= 0)
        found = np.full(len(nodes), -1, np.int64)
        found[self.classes[nodes]] = nodes
        return found

    @cached_property
    def heights(self) -> NDArray[np.int64]:
        """int64[node]: the longest way down to a node without children; 0 for these."""
        heights = np.zeros(len(self.names), np.int64)
        for node in range(len(self.names) - 1, -1, -1):
            parent = self.parents[node]
            if parent >= 0:
                heights[parent] = max(heights[parent], heights[node] + 1)
        return heights

    def find(self, name: str) -> int:
        """The node of that name. Raises: DataError: there is none, or there are several."""
        found = [node for node, one in enumerate(self.names) if one == name]
        if len(found) == 2 and self.parents[found[1]] == found[0]:
            return found[0]  # a class with kinds stands beside them, under the concept of its name
        if len(found) != 1:
            raise DataError(f"The hierarchy has {len(found)} concepts named {name!r}; expected one.")
        return found[0]

    def kinds(self, node: int) -> NDArray[np.int64]:
        """int64[kind], ascending: the classes at and below a node, which its probability sums over."""
        below = np.zeros(len(self.names), bool)
        below[node] = True
        for child in range(node + 1, len(self.names)):
            below[child] = self.parents[child] >= 0 and below[self.parents[child]]
        classes = self.classes[below]
        return np.sort(classes[classes >= 0])

    def concept_probabilities(self, probabilities: NDArray[np.floating], nodes: Sequence[int]) -> NDArray[np.float64]:
        """What the model gives to concepts: float64[example node], sums over float[example class]."""
        columns = [probabilities[:, self.kinds(node)].sum(axis=1, dtype=np.float64) for node in nodes]
        return np.stack(columns, axis=1) if columns else np.zeros((len(probabilities), 0))

    def ancestors(self, node: int) -> list[int]:
        """The node itself and all above it, upward."""
        found = []
        while node >= 0:
            found.append(node)
            node = int(self.parents[node])
        return found

    def common_ancestor(self, one: int, other: int) -> int:
        """The lowest node that includes both classes; -1 where they stand under different roots."""
        above = set(self.ancestors(int(self.node_of_class[one])))
        return next((node for node in self.ancestors(int(self.node_of_class[other])) if node in above), -1)

    def gravity(self, one: int, other: int) -> int:
        """How far up two classes meet: the height of their lowest common ancestor, 0 for the same class.

        One more than the greatest height where they meet nowhere.
        Source: Deng, Berg, Li & Fei-Fei 2010, ECCV, section 5 (hierarchical cost).
        """
        node = self.common_ancestor(one, other)
        return int(self.heights[node]) if node >= 0 else int(self.heights.max(initial=0)) + 1


def gravities(tree: ClassTree, groups: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """How grave it is to take one group of classes for another: int64[group group], 0 on the diagonal.

    The height of the lowest concept that includes both groups; one more than the greatest height where none does, or where a
    group is empty.

    Args:
        tree: over the classes.
        groups: classes, such as the kinds of concepts that people chose among.

    Source: Deng, Berg, Li & Fei-Fei 2010, ECCV, section 5 (hierarchical cost).
    """
    above = [_above_all(tree, group) for group in groups]
    highest = int(tree.heights.max(initial=0)) + 1
    found = np.full((len(groups), len(groups)), highest, np.int64)
    for one, ancestors in enumerate(above):
        for other in range(one):
            shared = ancestors & above[other]
            if shared:
                found[one, other] = found[other, one] = min(int(tree.heights[node]) for node in shared)
    np.fill_diagonal(found, 0)
    return found


def _above_all(tree: ClassTree, group: Sequence[int]) -> set[int]:
    """Nodes that include all classes of a group."""
    chains = [set(tree.ancestors(int(tree.node_of_class[index]))) for index in group]
    return set.intersection(*chains) if chains else set()


def tree_of(
    children: Mapping[str, Sequence[str]], roots: Sequence[str], titles: Mapping[str, str], classes: Mapping[str, int]
) -> ClassTree:
    """A tree over the classes of a model from named edges; branches without any class of it are left out.

    Args:
        children: of each name that has some.
        roots: names without a parent.
        titles: what a name is called, where that is not the name itself.
        classes: name or title -> class index, of every class of the model.

    Raises: DataError: a name has two parents, a cycle, or a class that has several places or kinds below it.
    """
    names: list[str] = []
    parents: list[int] = []
    indices: list[int] = []
    unknown: list[str] = []
    seen: set[str] = set()
    placed: dict[int, str] = {}
    waiting = [(root, -1) for root in reversed(roots)]
    while waiting:
        name, parent = waiting.pop()
        if name in seen:
            raise DataError(f"The hierarchy has {name!r} in two places; expected a tree, each name with one parent.")
        seen.add(name)
        title = titles.get(name, name)
        index = classes.get(name, classes.get(title, -1))
        below = children.get(name, ())
        if index >= 0 and index in placed:
            raise DataError(f"The hierarchy places the class {title!r} twice: as {placed[index]!r} and as {name!r}.")
        if index >= 0:
            placed[index] = name
        elif not below:
            unknown.append(title)
        if index >= 0 and below:
            # A class with kinds of its own: it stands beside them, under the concept of its name.
            names.append(title)
            parents.append(parent)
            indices.append(-1)
            parent = len(names) - 1
        place = len(names)
        names.append(title)
        parents.append(parent)
        indices.append(index)
        above = parent if index >= 0 and below else place
        waiting.extend((child, above) for child in reversed(below))
    lost = sorted(set(children) - seen)
    if lost:
        raise DataError(f"The hierarchy runs in a circle at {lost[0]!r}: none of its names is above all the others.")
    number = max(classes.values(), default=-1) + 1
    by_index: dict[int, str] = {}
    for name, index in classes.items():
        by_index.setdefault(index, titles.get(name, name))
    unplaced = [index for index in range(number) if index not in placed]
    for index in unplaced:
        names.append(by_index.get(index, str(index)))
        parents.append(-1)
        indices.append(index)
    return _pruned(names, np.array(parents, np.int64), np.array(indices, np.int64), tuple(unplaced), tuple(unknown))


def _pruned(
    names: list[str],
    parents: NDArray[np.int64],
    classes: NDArray[np.int64],
    unplaced: tuple[int, ...],
    unknown: tuple[str, ...],
) -> ClassTree:
    """Without the branches that hold no class."""
    kept = classes >= 0
    for node in range(len(names) - 1, -1, -1):
        if kept[node] and parents[node] >= 0:
            kept[parents[node]] = True
    places = np.cumsum(kept) - 1
    moved = np.where(parents[kept] >= 0, places[parents[kept]], -1)
    return ClassTree(
        tuple(name for name, keep in zip(names, kept, strict=True) if keep), moved, classes[kept], unplaced, unknown
    )
