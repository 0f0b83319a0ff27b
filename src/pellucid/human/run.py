"""`pellucid human import`: files of answers into a record, and people beside its model."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.naming import plain_name
from pellucid.errors import DataError
from pellucid.human.answers import Answers, kept_answers, part_path
from pellucid.human.compare import panel_of
from pellucid.human.mapping import CategoryMap, categories_in, category_map
from pellucid.human.matching import CONDITION, found_in
from pellucid.human.model import model_of
from pellucid.human.people import People, side_by_side
from pellucid.human.probabilities import read_probabilities
from pellucid.human.reading import files_of, read_answers
from pellucid.human.view import View, view_of
from pellucid.measures.hierarchy import ClassTree
from pellucid.record import Record, Writer, schema
from pellucid.record.tables import parquet_bytes

if TYPE_CHECKING:
    import pyarrow as pa

# What a record says of itself that was made of answers alone.
MADE = "made_of_answers"


def import_people(
    paths: str | Path | Sequence[str | Path],
    record: str | Path,
    *,
    hierarchy: str | Path | None = None,
    ids: str | Path | None = None,
    categories: str | Path | None = None,
    combine: Literal["sum", "mean"] = "sum",
    classes: Sequence[str] | None = None,
    probabilities: str | Path | None = None,
    exclude: Collection[str] = (),
    title: str | None = None,
) -> schema.HumanPanel:
    """Takes people's answers into a record and compares them with each other and with its model.

        panel = pellucid.human.import_people(["edge_subject-01_session_1.csv", ...], "net.pellucid", categories="human16.json")
        panel.answer, panel.people.kappa, panel.with_model.kappa

    Args:
        paths: files or folders of files; none to compare again what the record holds.
        record: its folder; a record of the images that people answered is made where there is none.
        hierarchy: a tree of classes, by which categories that are coarser than the model's classes are found.
        ids: what the tree calls the classes, in order of index.
        categories: JSON, of each category the classes.
        combine: how probabilities of classes become that of their category: "sum", for a concept includes its kinds; "mean", as
            Geirhos et al. 2021 take it.
        classes: names of the classes in order of index, for counts that do not name them.
        probabilities: the model's, of all classes: .npy or Parquet. Where categories are coarser the record's most probable
            classes may not settle which is first.
        exclude: codes of observers to leave out; "flagged" for all with a flag.
        title: of a record that is made.

    Returns: what was written. Raises: DataError, OptionError, RecordError.
    """
    place = Path(record)
    held = Record(place) if (place / "manifest.json").exists() else None
    kept = kept_answers(held) if held is not None else []
    known = classes if classes is not None else _classes(held)
    read = [read_answers(path, known or None) for path in files_of([paths] if isinstance(paths, str | Path) else paths)]
    fresh, again = _fresh(kept, read)
    if not kept and not fresh:
        raise DataError(f"There are no answers to compare: {place} holds none, and no file of them is given.")
    if held is None or held.manifest.options.get(MADE) is True:
        named = list(categories_in(Path(categories))) if categories is not None else list(known)
        people = side_by_side([*kept, *fresh], categories=_asked(named, [*kept, *fresh]), exclude=exclude, same=_plain)
        return _alone(place, held, people, kept, fresh, again, title)
    view = seen_by_both(
        held, [*kept, *fresh], hierarchy=hierarchy, ids=ids, categories=categories, combine=combine,
        probabilities=probabilities, exclude=exclude,
    )  # fmt: skip
    panel, arrays = panel_of(view, _sources([*kept, *fresh]), held.manifest.examples, _classes(held), again=again)
    with Writer.open(place) as writer:
        _write(writer, len(kept), fresh, panel, arrays)
    return panel


def seen_by_both(
    held: Record,
    answers: Sequence[Answers],
    *,
    hierarchy: str | Path | None = None,
    ids: str | Path | None = None,
    categories: str | Path | None = None,
    combine: Literal["sum", "mean"] = "sum",
    probabilities: str | Path | None = None,
    exclude: Collection[str] = (),
) -> View:
    """People and a record's model on the same images, as arrays; nothing is written.

    Args:
        held: a record of a model.
        answers: those of files, or `kept_answers(held)`.
        hierarchy: as `import_people` takes it, like all that follow.
        ids: likewise.
        categories: likewise.
        combine: likewise.
        probabilities: likewise.
        exclude: likewise.

    Raises: DataError, OptionError.
    """
    examples, classes = held.examples(), _classes(held)
    file = None if categories is None else Path(categories)
    named = list(categories_in(file)) if file is not None else classes
    people = side_by_side(answers, categories=_asked(named, answers), exclude=exclude, same=_plain)
    kinds = category_map(
        people.categories,
        classes,
        file=file,
        hierarchy=None if hierarchy is None else Path(hierarchy),
        ids=None if ids is None else Path(ids),
        tree=_tree(held),
        combine=combine,
    )
    wide = None
    if probabilities is not None:
        wide = read_probabilities(Path(probabilities), [str(one) for one in examples["id"].to_pylist()], len(classes))
    found = found_in(people, examples, numbered=any(one.layout == "counts" for one in answers))
    manifest = held.manifest
    name = (
        manifest.model.name if manifest.model is not None else manifest.saved.name if manifest.saved is not None else ""
    )
    title = manifest.title or name or "the model"
    return view_of(people, found, kinds, model_of(examples, len(classes), kinds, wide), _targets(examples), title)


def _plain(name: str) -> str:
    return plain_name(name) or name


def _classes(held: Record | None) -> list[str]:
    """Names of the record's classes; empty where there are none."""
    return list(held.manifest.data.classes) if held is not None and held.manifest.data is not None else []


def _asked(named: Sequence[str], all_: Sequence[Answers]) -> list[str]:
    """Of the names that are known, those that people could choose: all, or those they did where most are not theirs."""
    import pyarrow.compute as pc

    said = {
        _plain(one)
        for answers in all_
        for name in ("response", "category")
        for one in pc.unique(answers.table[name]).to_pylist()
        if one is not None
    }
    theirs = [one for one in named if _plain(one) in said]
    return list(named) if 2 * len(theirs) >= len(named) else theirs


def _fresh(kept: Sequence[Answers], read: Sequence[Answers]) -> tuple[list[Answers], list[str]]:
    """The files that the record does not hold yet, and the names of those that it does."""
    taken = {one.sha256 for one in kept}
    fresh, again = [], []
    for one in read:
        if one.sha256 in taken:
            again.append(one.name)
        else:
            fresh.append(one)
        taken.add(one.sha256)
    return fresh, again


def _sources(all_: Sequence[Answers]) -> list[schema.HumanSource]:
    return [one.source(part_path(index)) for index, one in enumerate(all_)]


def _tree(held: Record) -> ClassTree | None:
    if "hierarchy" not in held.panels:
        return None
    panel = held.panel("hierarchy")
    if not isinstance(panel, schema.HierarchyPanel):
        return None
    return ClassTree(tuple(panel.names), np.array(panel.parents, np.int64), np.array(panel.classes, np.int64))


def _targets(examples: pa.Table) -> NDArray[np.int64]:
    """int64[example], -1 where unknown."""
    import pyarrow as pa

    return np.asarray(examples["target"].cast(pa.float64()).fill_null(-1).to_numpy(), np.int64)


def _write(
    writer: Writer,
    number: int,
    fresh: Sequence[Answers],
    panel: schema.HumanPanel,
    arrays: dict[str, NDArray[np.generic]],
) -> None:
    """Answers first: they cannot be made again, and the panel can."""
    for index, one in enumerate(fresh, number):
        writer.write_file(part_path(index), parquet_bytes(one.kept()), rows=one.table.num_rows)
    writer.write_panel(panel, arrays)
    writer.update()


# --- people alone ---------------------------------------------------------------------------------------------------


def _alone(
    place: Path,
    held: Record | None,
    people: People,
    kept: Sequence[Answers],
    fresh: Sequence[Answers],
    again: Collection[str],
    title: str | None,
) -> schema.HumanPanel:
    """People compared with each other: the record's examples are the images that they answered."""
    table = _images(people) if held is None else held.examples()
    kinds = CategoryMap(tuple((index,) for index in range(len(people.categories))), "same")
    view = view_of(people, found_in(people, table), kinds, None, _targets(table), "")
    panel, arrays = panel_of(
        view, _sources([*kept, *fresh]), table.num_rows, people.categories, itself=True, again=again
    )
    if held is not None:
        with Writer.open(place) as writer:
            _write(writer, len(kept), fresh, panel, arrays)
        return panel
    from pellucid import __version__

    name = title or (fresh[0].experiment or Path(fresh[0].name).stem)
    manifest = schema.Manifest(
        pellucid_version=__version__,
        title=name,
        data=schema.DataInfo(
            name, ", ".join(one.name for one in fresh[:3]), "", table.num_rows, list(people.categories)
        ),
        task="classification",
        options={MADE: True},
        versions={"python": platform.python_version(), "numpy": np.__version__, "pellucid": __version__},
    )
    with Writer.create(place, manifest) as writer, writer.sealing():
        writer.write_part(0, table, {})
        _write(writer, 0, fresh, panel, arrays)
    return panel


def _images(people: People) -> pa.Table:
    """An examples table of the images that people answered; no model answered them."""
    import pyarrow as pa

    number, several = len(people.names), len(people.conditions) > 1
    conditions = [people.conditions[place] for place in people.condition]
    ids = [f"{condition}/{name}" if several else name for name, condition in zip(people.names, conditions, strict=True)]
    columns = {
        "row": pa.array(np.arange(number)),
        "id": pa.array(ids, pa.string()),
        "target": pa.array(people.category, pa.int32(), mask=people.category < 0),
        "prediction": pa.nulls(number, pa.int32()),
        "loss": pa.nulls(number, pa.float64()),
        "confidence": pa.nulls(number, pa.float32()),
        "entropy": pa.nulls(number, pa.float32()),
        "margin": pa.nulls(number, pa.float32()),
        "rank": pa.nulls(number, pa.int32()),
        "top_classes": pa.nulls(number, pa.list_(pa.int32())),
        "top_probabilities": pa.nulls(number, pa.list_(pa.float32())),
        "media": pa.nulls(number, pa.string()),
        "nonfinite": pa.array(np.zeros(number, np.bool_)),
    }
    if several:
        columns[CONDITION] = pa.array(conditions, pa.string())
    return pa.table(columns)
