"""Reading a tree of classes from a file: indented text, JSON, or a table of parent and child."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.data.naming import plain_name
from pellucid.errors import DataError
from pellucid.measures.hierarchy import ClassTree, tree_of


@dataclass
class Edges:
    """Who stands beneath whom, as a file says it."""

    children: dict[str, list[str]] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)
    below: set[str] = field(default_factory=set)

    def add(self, name: str, parent: str | None) -> None:
        """Takes in a name, beneath its parent where it has one."""
        if parent is not None:
            self.order.setdefault(parent)
            self.children.setdefault(parent, []).append(name)
            self.below.add(name)
        self.order.setdefault(name)

    @property
    def roots(self) -> list[str]:
        """Names that stand beneath no other, in order."""
        return [name for name in self.order if name not in self.below]


def read_tree(path: str | Path, classes: Sequence[str], ids: Sequence[str] | None = None) -> ClassTree:
    """The tree of a file over the classes of a model.

    Args:
        path: indented text (a name a line, deeper ones below), JSON (objects and lists in one another, their leaves names; or
            {"name": ..., "children": [...]}), or a table of parent and child: .csv with or without a header, else two words a
            line. A leaf is a class where their names are equal but for case, spaces, dashes and underscores, or one of
            the class's synonyms ("tabby, tabby cat").
        classes: names, in order of index.
        ids: what the file calls them instead, in the same order: WordNet ids, say.

    Raises: DataError: the file cannot be read as any of these, is no tree, or holds none of the classes.
    """
    file = Path(path)
    if ids is not None and len(ids) != len(classes):
        raise DataError(
            f"There are {len(ids)} ids of classes, but {len(classes)} classes; expected one each, in order."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The hierarchy {file} cannot be read as text: {error}.") from error
    edges, titles = _edges(text, file)
    if not edges.order:
        raise DataError(f"The hierarchy {file} is empty. Expected indented names, JSON, or lines of parent and child.")
    if ids is not None:
        titles = {**titles, **dict(zip(ids, classes, strict=True))}
    known = _known(edges.order, titles, classes, ids)
    found = {index for name, index in known.items() if name in edges.order}
    if not found:
        raise DataError(
            f"None of the {len(classes)} classes ({', '.join(map(repr, classes[:3]))}, ...) is named in {file}, whose first "
            f"names are {', '.join(map(repr, list(edges.order)[:3]))}. Where it uses ids, give them in order of class: --ids FILE."
        )
    try:
        return tree_of(edges.children, edges.roots, titles, known)
    except RecursionError as error:
        raise DataError(f"The hierarchy {file} is nested too deeply.") from error


def read_ids(path: str | Path) -> list[str]:
    """Ids of classes in order of index: one a line, a JSON list, or a JSON object that holds one list of ids as "wnids" or "ids".

    Raises: DataError: the file is none of these.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() != ".json":
            return [line.strip() for line in text.splitlines() if line.strip()]
        held = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"The ids in {file} cannot be read: {error}.") from error
    if isinstance(held, dict):
        held = held.get("wnids", held.get("ids"))
    if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
        raise DataError(f'Expected a list of ids in {file}, or an object that holds it as "wnids" or "ids".')
    return held


def _known(
    names: Mapping[str, None], titles: Mapping[str, str], classes: Sequence[str], ids: Sequence[str] | None
) -> dict[str, int]:
    """Class index by the name that the file uses, and by the model's own."""
    exact = {name: index for index, name in reversed(list(enumerate(classes)))}
    loose = {plain_name(part): index for name, index in exact.items() for part in [*name.split(","), name]}
    loose.pop("", None)
    known = dict(exact)
    if ids is not None:
        # Ids leave no doubt: names beside them are not looked at, since a concept may bear the name of one of its kinds.
        return {**{name: index for index, name in enumerate(ids)}, **known}
    for name in names:
        title = titles.get(name, name)
        index = exact.get(name, exact.get(title, loose.get(plain_name(title))))
        if index is not None:
            known[name] = index
    return known


def _edges(text: str, file: Path) -> tuple[Edges, dict[str, str]]:
    suffix = file.suffix.lower()
    if suffix == ".json":
        return _from_json(text, file), {}
    if suffix in (".csv", ".tsv"):
        return _from_table(list(csv.reader(text.splitlines(), delimiter="\t" if suffix == ".tsv" else ",")), file)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    indented = any(line[0].isspace() for line in lines)
    pairs = [line.split() for line in lines]
    if not indented and pairs and all(len(pair) == 2 for pair in pairs):
        return _from_table(pairs, file)
    return _from_indents(lines, file), {}


def _from_table(rows: list[list[str]], file: Path) -> tuple[Edges, dict[str, str]]:
    """Rows of parent, child and, if there is a third, what the child is called."""
    edges, titles = Edges(), {}
    filled = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if filled and [cell.casefold() for cell in filled[0][:2]] == ["parent", "child"]:
        filled = filled[1:]
    for number, row in enumerate(filled, 1):
        if len(row) not in (2, 3) or not row[1]:
            raise DataError(f"Row {number} of {file} has {len(row)} cells; expected parent, child and perhaps a title.")
        if row[0] == row[1]:
            raise DataError(f"Row {number} of {file} has {row[0]!r} beneath itself.")
        edges.add(row[1], row[0] or None)
        if len(row) == 3 and row[2]:
            titles[row[1]] = row[2]
    return edges, titles


def _from_indents(lines: list[str], file: Path) -> Edges:
    edges = Edges()
    above: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        depth = len(line) - len(line.lstrip())
        if "\t" in line[:depth] and " " in line[:depth]:
            raise DataError(f"Line {number} of {file} is indented by tabs and spaces; expected one of them.")
        while above and above[-1][0] >= depth:
            above.pop()
        edges.add(name, above[-1][1] if above else None)
        above.append((depth, name))
    return edges


def _from_json(text: str, file: Path) -> Edges:
    edges = Edges()
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"The hierarchy {file} is no JSON: {error}.") from error
    waiting: list[tuple[object, str | None]] = [(held, None)]
    while waiting:
        value, parent = waiting.pop()
        if isinstance(value, str):
            edges.add(value, parent)
        elif isinstance(value, list):
            waiting.extend((one, parent) for one in reversed(value))
        elif isinstance(value, dict) and isinstance(value.get("name"), str):
            edges.add(value["name"], parent)
            waiting.append((value.get("children", []), value["name"]))
        elif isinstance(value, dict):
            for name in value:
                edges.add(name, parent)
            waiting.extend((below, name) for name, below in reversed(value.items()) if below is not None)
        else:
            raise DataError(
                f"The hierarchy {file} holds {value!r}{f' beneath {parent!r}' if parent else ''}; expected names, lists of them, "
                'objects whose keys are names, or {"name": ..., "children": [...]}.'
            )
    return edges
