"""Finding the same examples, classes and labels again in another record; what cannot be found is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.comparison.answers import Answers

MatchedBy: TypeAlias = Literal["itself", "id", "content", "id and content", "none"]

# Labels are corrected now and then; where more than this share of them differ, the data are not the same.
_MOST_RELABELLED = 0.1
# Of what would differ by chance, where nothing but the number of a row says that examples are the same.
_MOST_OF_CHANCE = 0.5
# Where ids are names: fewer labels than this say little, and so does what chance does more often than this.
_LEAST_BY_CHANCE = 10
_SELDOM = 1e-3
_NAMED = 3


@dataclass(frozen=True)
class Match:
    """Where the examples of a record stand in another.

    Attributes:
        partners: int64[new example] place in the old record, -1 where it is not there.
        by: how they were found.
        unmatched: old examples that the new record does not have; unanswered: new ones that the old does not have.
        repeated: old and new examples whose id and picture are not unique.
        other_pictures: examples of the same id with another picture.
        by_row: whether ids are the numbers of the rows in both, and no pictures say that the examples are the same.
    """

    partners: NDArray[np.int64]
    by: MatchedBy
    unmatched: int
    unanswered: int
    repeated: int
    other_pictures: int
    by_row: bool = False

    @property
    def count(self) -> int:
        """Examples that were found."""
        return int(np.count_nonzero(self.partners >= 0))


def itself(count: int) -> Match:
    """The match of a record with itself."""
    return Match(np.arange(count, dtype=np.int64), "itself", 0, 0, 0, 0)


def match(old: Answers, new: Answers) -> Match:
    """Finds the new record's examples in the old one: by id, and by the picture's checksum where ids do not help.

    Ids that are there more than once name no example. Where most examples of the same id have another picture, and the
    pictures are found under other ids at least as often, the ids are numbers given anew, and the pictures count.

    Raises: DataError: no example is in both.
    """
    by_id, repeated_ids = _partners(old.ids, new.ids)
    by_content, _ = _partners(old.media, new.media)
    same, other = _pictures(old, new, by_id)
    found = int(np.count_nonzero(by_id >= 0))
    content = int(np.count_nonzero(by_content >= 0))
    if 2 * other > found and content >= found:
        by_id, found, same, other = np.full_like(by_id, -1), 0, 0, 0
    taken = np.zeros(len(old), np.bool_)
    taken[by_id[by_id >= 0]] = True
    free = (by_id < 0) & (by_content >= 0)
    free[free] = ~taken[by_content[free]]
    partners = np.where(free, by_content, by_id)
    total = int(np.count_nonzero(partners >= 0))
    if not total:
        raise DataError(
            f"{new.record.path} and {old.record.path} have no example in common, by id or by picture: they are records of "
            f"different data ({_some(new.ids)} here, {_some(old.ids)} there). Inspect both models on the same data."
        )
    by: MatchedBy = "id and content" if free.any() and found else "content" if free.any() else "id"
    by_row = by == "id" and 2 * same < total and _numbers_rows(old.ids) and _numbers_rows(new.ids)
    return Match(partners, by, len(old) - total, len(new) - total, repeated_ids, other, by_row)


def _partners(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Place in `old` of each of `new`, by keys that are unique in both; and how many are not unique."""
    import pyarrow as pa

    both = (
        pa.concat_arrays([*old.chunks, *new.chunks]) if old.num_chunks + new.num_chunks else pa.array([], pa.string())
    )
    codes = np.asarray(both.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    first, second = codes[: len(old)], codes[len(old) :]
    number = int(codes.max(initial=-1)) + 1
    times_old = np.bincount(first[first >= 0], minlength=number)
    times_new = np.bincount(second[second >= 0], minlength=number)
    places = np.full(number + 1, -1, np.int64)
    places[first] = np.arange(len(first))
    places[number] = -1
    unique = np.append((times_old == 1) & (times_new == 1), False)
    partners = np.where(unique[second], places[second], -1)
    repeated = int(times_old[times_old > 1].sum() + times_new[times_new > 1].sum())
    return partners.astype(np.int64), repeated


def _pictures(old: Answers, new: Answers, partners: NDArray[np.int64]) -> tuple[int, int]:
    """How many pairs of the same id have the same picture, and how many have two that differ."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = np.flatnonzero(partners >= 0)
    if not len(rows):
        return 0, 0
    same = pc.equal(new.media.take(pa.array(rows)), old.media.take(pa.array(partners[rows])))
    return int(pc.sum(same).as_py() or 0), int(pc.sum(pc.invert(same)).as_py() or 0)


def _numbers_rows(ids: pa.ChunkedArray) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.all(pc.equal(ids, pc.cast(pa.array(np.arange(len(ids))), ids.type))).as_py())


def _some(ids: pa.ChunkedArray) -> str:
    named = ", ".join(str(one) for one in ids[:_NAMED].to_pylist())
    return f"ids like {named}" if named else "no examples"


# --- classes and labels ---------------------------------------------------------------------------------------


def common_classes(all_: list[list[str]], base: int) -> tuple[list[str], list[NDArray[np.int64]]]:
    """One list of classes for several models, and where each of theirs stands in it.

    Args:
        all_: names of each model's classes in order of index.
        base: the model whose order counts; classes that only others have follow.

    Returns: the names, and for each model int64[class].
    Raises: DataError: a model has no class in common with the base.
    """
    names = list(all_[base])
    for other in all_:
        if _same_order(other, all_[base]):
            continue
        if not set(other) & set(all_[base]) or len(set(other)) < len(other):
            raise DataError(
                f"The records have other classes: {_listed(all_[base])} and {_listed(other)}. Compare models of the same "
                "classes, or name them alike (--classes)."
            )
        names += [name for name in other if name not in names]
    places = {name: index for index, name in enumerate(names)}
    return names, [
        np.arange(len(other))
        if _same_order(other, all_[base])
        else np.array([places[name] for name in other], np.int64)
        for other in all_
    ]


def _same_order(one: list[str], other: list[str]) -> bool:
    """Whether index means the same in both: equal names, or as many where one of them has but numbers."""
    return one == other or (len(one) == len(other) and (_numbered(one) or _numbered(other)))


def _numbered(names: list[str]) -> bool:
    return names == [str(index) for index in range(len(names))]


def _listed(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"


def relabelled(
    old: NDArray[np.float64], new: NDArray[np.float64], names: tuple[str, str], *, by_row: bool = False
) -> NDArray[np.bool_]:
    """Which matched examples have another label in the other record: bool[example].

    Where most examples are of one class, the labels of different data differ seldom, too: how many differ is held against how
    many would by chance, given how frequent the labels are. Names that are equal are some evidence by themselves, numbers of
    rows are none.

    Args:
        old: float64[example] labels there, NaN where unknown.
        new: float64[example] labels here.
        names: what the records are called.
        by_row: whether nothing but the number of its row says that an example is the same.

    Raises: DataError: so many that they cannot be the same data, or about as many as by chance.
    """
    both = np.isfinite(old) & np.isfinite(new)
    differ: NDArray[np.bool_] = both & (old != new)
    known, number = int(np.count_nonzero(both)), int(np.count_nonzero(differ))
    if not number:
        return differ
    chance = _differ_by_chance(old[both], new[both])
    if number > _MOST_RELABELLED * known:
        why = ""
    elif number > _MOST_OF_CHANCE * chance if by_row else number >= _LEAST_BY_CHANCE and _no_fewer(number, chance):
        why = f", and of labels with these frequencies about {chance:,.0f} would by chance"
    else:
        return differ
    cause = "whose rows are numbered alike" if by_row else "whose ids happen to be equal"
    raise DataError(
        f"{number:,} of {known:,} examples that {names[0]} and {names[1]} have in common have another label in each{why}: "
        f"they are records of different data {cause}, or their classes are in another order. Inspect both models on the same "
        f"data{', or import both with ids' if by_row else ''}."
    )


def _differ_by_chance(old: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """How many labels would differ if those of both records were dealt out anew."""
    values, codes = np.unique(np.concatenate([old, new]), return_inverse=True)
    first, second = (np.bincount(one, minlength=len(values)) for one in np.split(codes, [len(old)]))
    return len(old) - float(first.astype(np.float64) @ second) / len(old)


def _no_fewer(number: int, chance: float) -> bool:
    """Whether labels that agree no better than by chance differ as seldom as this once in a thousand times."""
    from scipy import special  # scipy.stats takes a second to import

    return float(special.pdtr(number, chance)) > _SELDOM
