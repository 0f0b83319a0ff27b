"""All answers side by side: who answered what to which image under which condition, and what does not count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError, OptionError
from pellucid.human.answers import Answers, TimeUnit
from pellucid.human.images import image_name, in_order, plain_condition
from pellucid.measures.agreement import MISSING
from pellucid.record.schema import HumanFlag

# People need longer than this from a picture to an answer; more than a tenth of such trials is no slip.
FASTEST = 0.15
_MOST_TOO_FAST = 0.1
# Below so many answers the same one throughout may be right.
_LEAST_ANSWERS = 10
FLAGGED = "flagged"


@dataclass(frozen=True)
class People:
    """Answers by observer and image; an "image" is a picture under a condition.

    Attributes:
        names: own names of the images.
        conditions: in order; `condition` int[image] places in them.
        categories: among which people chose.
        category: int[image], the true one, -1 where not known.
        observers: codes; `answers` int[observer image]: a category, `len(categories)` for no answer, -1 where not asked.
        seconds: float[observer image], NaN where not known.
        crowd: int[image answer], of answers whose observers are not known; answers as in `answers`.
        flags: of each observer.
        excluded: bool[observer].
        judgements, repeated: answers read, and those repeated, which do not count.
        merged: conditions written in several ways, with all spellings.
        disputed: images that the files give several true categories; the first counts.
        units: of the response times of each file, by its name, where they are not plainly seconds.
    """

    names: tuple[str, ...]
    conditions: tuple[str, ...]
    condition: NDArray[np.int64]
    categories: tuple[str, ...]
    category: NDArray[np.int64]
    observers: tuple[str, ...]
    answers: NDArray[np.int32]
    seconds: NDArray[np.float64]
    crowd: NDArray[np.int64]
    flags: tuple[tuple[HumanFlag, ...], ...]
    excluded: NDArray[np.bool_]
    judgements: int
    repeated: int
    merged: tuple[tuple[str, ...], ...]
    disputed: int
    units: tuple[tuple[str, TimeUnit], ...] = ()

    @property
    def kept(self) -> NDArray[np.int64]:
        """Places of the observers who are not left out."""
        return np.flatnonzero(~self.excluded)

    def counts(self, observers: Sequence[int] | NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """int[image answer]: how often each answer was given, the last column no answer; of all people where None."""
        found = self.crowd.copy() if observers is None else np.zeros_like(self.crowd)
        for place in self.kept if observers is None else observers:
            asked = np.flatnonzero(self.answers[place] != MISSING)
            np.add.at(found, (asked, self.answers[place, asked]), 1)
        return found

    def right(self, category: NDArray[np.int64]) -> NDArray[np.int8]:
        """int[observer image]: 1 right, 0 wrong, -1 where not asked or the true category is not known."""
        known = (self.answers != MISSING) & (category >= 0)
        return np.where(known, self.answers == category, MISSING).astype(np.int8)


def side_by_side(
    all_: Sequence[Answers],
    *,
    categories: Sequence[str] = (),
    exclude: Collection[str] = (),
    same: Callable[[str], str] = str.casefold,
) -> People:
    """Lays answers side by side.

    Args:
        all_: of each file, in order: of an observer's answers to the same image and condition the first counts.
        categories: those that are known already, first; others follow in the order of the alphabet.
        exclude: codes of observers to leave out, or "flagged" for all with a flag.
        same: what makes two spellings of a category one.

    Raises: DataError: files of several experiments, or no answers. OptionError: an observer to leave out is not there.
    """
    _one_experiment(all_)
    rows = _Rows(all_)
    if not rows.count:
        raise DataError("There are no answers to compare.")
    listed = [*categories, *(one for answers in all_ for one in answers.categories)]
    listed += sorted({one for one in (*rows.response, *rows.category) if one is not None})
    places: dict[str, int] = {}
    titles: list[str] = []
    for one in listed:
        if same(one) not in places:
            places[same(one)] = len(titles)
            titles.append(one)
    spelled: dict[str, set[str]] = {}
    for text in set(rows.condition):
        spelled.setdefault(plain_condition(text), set()).add(text)
    conditions = in_order(spelled)
    keys: dict[tuple[str, str], int] = {}
    image = np.array(
        [
            keys.setdefault((name, condition), len(keys))
            for name, condition in zip(map(image_name, rows.example), map(plain_condition, rows.condition), strict=True)
        ]
    )
    order = {one: place for place, one in enumerate(conditions)}
    response = np.array([len(titles) if one is None else places[same(one)] for one in rows.response])
    true = np.array([-1 if one is None else places[same(one)] for one in rows.category])
    category, disputed = _categories(image, true, len(keys))
    observers = list(dict.fromkeys(one for one in rows.observer if one))
    found = _Filled(len(observers), len(keys), len(titles))
    found.add({one: place for place, one in enumerate(observers)}, rows, image, response)
    flags = tuple(_flags(found.answers[place], found.seconds[place], len(titles)) for place in range(len(observers)))
    return People(
        names=tuple(name for name, _ in keys),
        conditions=tuple(conditions),
        condition=np.array([order[condition] for _, condition in keys], np.int64),
        categories=tuple(titles),
        category=category,
        observers=tuple(observers),
        answers=found.answers,
        seconds=found.seconds,
        crowd=found.crowd,
        flags=flags,
        excluded=_excluded(observers, flags, exclude),
        judgements=int(rows.weight.sum()),
        repeated=found.repeated,
        merged=tuple(tuple(sorted(texts)) for texts in spelled.values() if len({text.strip() for text in texts}) > 1),
        disputed=disputed,
        units=tuple((one.name, one.unit) for one in all_ if one.unit != "seconds"),
    )


class _Rows:
    """The columns of all files, one after the other."""

    def __init__(self, all_: Sequence[Answers]) -> None:
        def column(name: str) -> list[Any]:
            return [one for answers in all_ for one in answers.table[name].to_pylist()]

        self.observer: list[str | None] = column("observer")
        self.example: list[str] = column("example")
        self.condition: list[str] = [one or "" for one in column("condition")]
        self.category: list[str | None] = column("category")
        self.response: list[str | None] = column("response")
        self.seconds = np.array([np.nan if one is None else one for one in column("seconds")], np.float64)
        self.weight = np.array([1 if one is None else one for one in column("count")], np.int64)
        self.count = len(self.example)


class _Filled:
    """The tables of answers while they are filled."""

    def __init__(self, observers: int, images: int, categories: int) -> None:
        self.answers = np.full((observers, images), MISSING, np.int32)
        self.seconds = np.full((observers, images), np.nan)
        self.crowd = np.zeros((images, categories + 1), np.int64)
        self.repeated = 0

    def add(
        self, observers: dict[str, int], rows: _Rows, image: NDArray[np.int64], response: NDArray[np.int64]
    ) -> None:
        """Takes all rows in, the first of an observer and image."""
        for row, name in enumerate(rows.observer):
            place = image[row]
            if not name:
                self.crowd[place, response[row]] += rows.weight[row]
            elif self.answers[observers[name], place] != MISSING:
                self.repeated += 1
            else:
                self.answers[observers[name], place] = response[row]
                self.seconds[observers[name], place] = rows.seconds[row]


def _one_experiment(all_: Sequence[Answers]) -> None:
    named = list(dict.fromkeys(answers.experiment for answers in all_ if answers.experiment))
    if len(named) > 1:
        raise DataError(
            f"The files are of {len(named)} experiments: {', '.join(named)}. Their images and observers bear the same names and "
            "are not the same; import each into a record of its own."
        )


def _categories(image: NDArray[np.int64], true: NDArray[np.int64], images: int) -> tuple[NDArray[np.int64], int]:
    """The first true category given for each image, and for how many images others are given too."""
    category = np.full(images, -1, np.int64)
    known = np.flatnonzero(true >= 0)
    category[image[known][::-1]] = true[known][::-1]
    other = np.zeros(images, np.bool_)
    other[image[known][true[known] != category[image[known]]]] = True
    return category, int(other.sum())


def _flags(answers: NDArray[np.int32], seconds: NDArray[np.float64], categories: int) -> tuple[HumanFlag, ...]:
    given = answers[(answers != MISSING) & (answers < categories)]
    found: list[HumanFlag] = []
    if len(given) >= _LEAST_ANSWERS and (given == given[0]).all():
        found.append("same answer")
    timed = seconds[np.isfinite(seconds)]
    if len(timed) and np.mean(timed < FASTEST) > _MOST_TOO_FAST:
        found.append("too fast")
    return tuple(found)


def _excluded(
    observers: Sequence[str], flags: Sequence[tuple[HumanFlag, ...]], exclude: Collection[str]
) -> NDArray[np.bool_]:
    missing = sorted(set(exclude) - set(observers) - {FLAGGED})
    if missing:
        raise OptionError(
            f"There is no observer {missing[0]!r} to leave out. Observers: {', '.join(observers[:20])}"
            f"{', ...' if len(observers) > 20 else ''}; '{FLAGGED}' leaves out all with a flag."
        )
    odd = FLAGGED in exclude
    return np.array(
        [one in exclude or (odd and bool(flag)) for one, flag in zip(observers, flags, strict=True)], np.bool_
    )
