"""What a study is: how pictures are shown, which ones, and what each observer sees in which order."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from pellucid.errors import OptionError

Kind: TypeAlias = Literal["practice", "trial", "check"]

FEWEST_CATEGORIES = 2
MOST_CATEGORIES = 36  # as many keys as letters and digits
LONGEST = 600_000  # ms
NO_ANSWER = ("", "na", "nan", "none", "null")  # what files of answers write where there is none


class Timing(msgspec.Struct, frozen=True):
    """How long each step of a trial lasts, in milliseconds, 0 leaves it out.

    Source: Geirhos et al. 2018, arXiv:1808.08750: fixation 300, picture 200, a mask of 1/f noise 200, 1500 for the choice.
    """

    fixation: int = 300
    presentation: int = 200
    mask: int = 200
    choice: int = 1500


class Design(msgspec.Struct, frozen=True):
    """How a study is run.

    Attributes:
        label: plain labelling: the picture stays, there is no mask and no hurry.
        timing: of a trial; not used where `label`.
        size: side of the square in which a picture is shown, CSS pixels.
        block: trials between two breaks.
        practice: trials with feedback before the first block; their pictures are not shown again.
        checks: trials in each block that tell in words what to choose.
        trials: most trials that count for each observer; None shows every picture.
        seed: of who sees what in which order.
    """

    label: bool = False
    timing: Timing = Timing()
    size: int = 256
    block: int = 64
    practice: int = 8
    checks: int = 1
    trials: int | None = None
    seed: int = 0


class Picture(msgspec.Struct, frozen=True):
    """A picture that may be shown.

    Attributes:
        example: id in the record's examples table.
        category: the right answer.
        condition: under which it is shown; "" where there is none.
        origin: pictures of the same origin are versions of one; an observer sees one of them.
        file: name, "<sha256>.<ext>", in the record's media or among the study's own pictures.
    """

    example: str
    category: str
    condition: str
    origin: str
    file: str


class Trial(msgspec.Struct, frozen=True):
    """One trial of an observer.

    Attributes:
        kind: a check shows a word instead of a picture.
        block: 0 is practice, then from 1.
        picture: place in the study's pictures; -1 in a check.
        category: place of the right answer in the categories.
        mask: number of the mask that is shown.
    """

    kind: Kind
    block: int
    picture: int
    category: int
    mask: int


def checked(design: Design, categories: tuple[str, ...]) -> Design:
    """The design, if people can do it. Raises: OptionError: they cannot."""
    if not FEWEST_CATEGORIES <= len(categories) <= MOST_CATEGORIES:
        raise OptionError(
            f"People choose among {FEWEST_CATEGORIES} to {MOST_CATEGORIES} categories, one a key; here are "
            f'{len(categories)}. Group the classes with --categories FILE: JSON like {{"dog": [151, 152]}}.'
        )
    doubtful = [name for name in categories if name.strip().lower() in NO_ANSWER or categories.count(name) > 1]
    if doubtful:
        raise OptionError(
            f"The category {doubtful[0]!r} cannot be told from {'no answer' if categories.count(doubtful[0]) == 1 else 'another'} "
            "in a file of answers. Name it otherwise with --categories FILE."
        )
    for name, least in (("fixation", 0), ("presentation", 1), ("mask", 0), ("choice", 1)):
        value = getattr(design.timing, name)
        if not least <= value <= LONGEST:
            raise OptionError(f"--{name} lasts {least} to {LONGEST:,} ms; got {value:,}.")
    bounds = (("size", 16, 4096), ("block", 1, 10_000), ("practice", 0, 1000), ("checks", 0, 100))
    for name, least, most in bounds:
        value = getattr(design, name)
        if not least <= value <= most:
            raise OptionError(f"--{name} is {least} to {most:,}; got {value:,}.")
    if design.trials is not None and design.trials < 1:
        raise OptionError(f"--trials is at least 1; got {design.trials}.")
    return design
