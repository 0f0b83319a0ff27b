"""People's answers beside the model's: who they are, how often they are right, and whether their errors are the same ones."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Interval, Panel

HumanFlag = Literal["same answer", "too fast"]
HumanMatchedBy = Literal["id", "file name", "content", "row", "itself", "none"]


class HumanSource(msgspec.Struct, frozen=True):
    """A file of people's answers; `layout` is how it was read, `part` where the record keeps it."""

    name: str
    sha256: str
    layout: Literal["model-vs-human", "table", "counts"]
    judgements: int
    part: str


class HumanMatch(msgspec.Struct, frozen=True):
    """What was read, what of it counts, and what was found again in the record; nothing is dropped without a number here.

    Attributes:
        judgements: answers that were read; those of a table of counts are as many as it counts.
        counted: those that the numbers of the panel rest on.
        repeated: answers of an observer to an image and condition answered before; the first one counts.
        no_answer: trials without an answer among those counted; they are no right answers.
        excluded: answers of observers who are left out.
        images: pictures, each under each condition, that people answered.
        matched: those that are examples of the record, by `matched_by`; `unmatched` are not, some of them `unmatched_names`.
        unanswered: examples of the record that nobody answered.
        unmapped: answers by category that no class of the model stands for.
        merged: conditions that were written in several ways, "0.6" and "0.60", each with all its spellings.
        relabelled: matched images whose category is not the record's target.
        undecided: matched images where the classes that the record holds do not settle the model's category.
    """

    judgements: int
    counted: int
    repeated: int
    no_answer: int
    excluded: int
    images: int
    matched: int
    unmatched: int
    unmatched_names: list[str]
    unanswered: int
    matched_by: HumanMatchedBy
    unmapped: dict[str, int]
    merged: list[list[str]]
    relabelled: int
    undecided: int


class HumanObserver(msgspec.Struct, frozen=True):
    """A person or a model that answered by itself.

    Attributes:
        count: answers that count, one an image and condition; trials without an answer are among them.
        seconds: median response time; None where times are not known.
        flags: what is odd: the same answer in all trials, or faster than people can be in more than one of ten.
        excluded: whether the observer is left out of everything but this row.
    """

    name: str
    kind: Literal["person", "model"]
    count: int
    correct: int
    accuracy: float | None
    interval: Interval | None
    no_answer: int
    seconds: float | None
    flags: list[HumanFlag]
    excluded: bool


class HumanAccuracy(msgspec.Struct, frozen=True):
    """How often an observer is right in one class or under one condition; `observer` is its place, -1 for all people together.

    The interval is Wilson's for one observer; for all people it is over images, each with all its answers.
    """

    observer: int
    by: Literal["all", "class", "condition"]
    group: str
    count: int
    correct: int
    accuracy: float | None
    interval: Interval | None


class HumanPair(msgspec.Struct, frozen=True):
    """Whether two observers err on the same images.

    Attributes:
        first, second: places in `observers`.
        count: images and conditions that both answered.
        observed: share of those that both got right or both got wrong.
        expected: that share where errors are independent, from how often each is right.
        kappa: Cohen's kappa of right and wrong, (observed - expected) / (1 - expected); None where it is not defined, see `why`.
        interval: by the jackknife over images; `bootstrap` over resampled images (BCa).
        null: the band in which 95% of the kappas of two observers with as many right lie whose errors are independent.
        least, most: the kappas that are possible with as many right.
        p_value: Fisher's exact test, two-sided, of independent errors.
    """

    first: int
    second: int
    count: int
    observed: float | None
    expected: float | None
    kappa: float | None
    interval: Interval | None
    bootstrap: Interval | None
    null: Interval | None
    least: float | None
    most: float | None
    p_value: float | None
    why: str = ""


class HumanAgreement(msgspec.Struct, frozen=True):
    """Error consistency over all pairs of a kind: among people (the ceiling for a model), or of people with the model.

    Attributes:
        pairs: that have a kappa; `undefined` have none.
        images: pictures, each under each condition, that at least one of the pairs answered.
        kappa: mean over the pairs.
        interval: of the mean, for these observers, over images (jackknife); `bootstrap` over resampled images.
        null: the band in which 95% of such means lie where all errors are independent, by shuffling.
        low, high: the smallest and the largest kappa of a pair.
    """

    between: Literal["people", "people and model"]
    pairs: int
    undefined: int
    images: int
    observed: float | None
    kappa: float | None
    interval: Interval | None
    bootstrap: Interval | None
    null: Interval | None
    low: float | None
    high: float | None
    why: str = ""


class HumanConfusion(msgspec.Struct, frozen=True):
    """Who answered what: rows are true categories, columns answers, both places in `categories`; filled cells only.

    Beside a model only the images that both answered are counted. The column after the last category is "no answer".
    `observer` is a place in `observers`, -1 for all people together.
    """

    observer: int
    count: int
    rows: list[int]
    columns: list[int]
    counts: list[int]


class HumanClass(msgspec.Struct, frozen=True):
    """People and model on the images of one true category that both answered.

    `difference` is the model's share of right answers minus people's, mean over images, with Student's interval. `p_value` is
    that of swapping people and model image by image; `adjusted` that of Benjamini and Hochberg over the classes.
    """

    category: str
    images: int
    people: float | None
    model: float | None
    difference: float | None
    interval: Interval | None
    p_value: float | None
    adjusted: float | None


class HumanShape(msgspec.Struct, frozen=True):
    """Answers to images whose shape is of one category and whose texture is of another.

    `bias` is shape / (shape + texture), with Wilson's interval for one observer and one over images for all people
    (`observer` -1). `category` is the shape's, "" for all.
    """

    observer: int
    category: str
    count: int
    shape: int
    texture: int
    bias: float | None
    interval: Interval | None


class HumanOutcomes(msgspec.Struct, frozen=True):
    """Who gets an image right; people do where more than half of their answers are right."""

    both: int
    only_people: int
    only_model: int
    neither: int
    count: int


class HumanTime(msgspec.Struct, frozen=True):
    """Spearman's correlation, over images, of people's response time and a number of the model.

    Times are logarithms, each observer's mean taken off, averaged by image. Interval: Bonett & Wright 2000.
    """

    quantity: Literal["margin", "entropy", "confidence"]
    count: int
    correlation: float | None
    interval: Interval | None
    why: str = ""


class HumanSoft(msgspec.Struct, frozen=True):
    """People's answers to an image as a distribution, where several people answered it.

    Attributes:
        images: with at least two answers; `least` and `most` answers has one of them.
        entropy: mean entropy of people's answers in nats, also the least cross-entropy that a model can have.
        unanimous: images on which all agree.
        majority: images whose most frequent answer (the first of several) is the true category, of `labelled` with a known one.
        pairwise: chance that two people who answer the same image agree, mean over images.
        with_others: chance that a person's answer is the most frequent one of the others'; ties count their part.
        with_model: chance that a person's answer is the model's, mean over `answered` images, to be held against `pairwise`.
        compared: images with the model's probabilities.
        cross_entropy: of the model's probabilities under people's answers, nats; None where not known, see `why`.
        model_entropy: mean entropy of the model, nats.
        entropy_correlation: Spearman's, of people's entropy and the model's over images.
        seconds_compared: images where people and model have the same first answer, and both have one second answer.
        seconds_same: those where the second is the same, too; `seconds_chance` the share if it were drawn among the others.
    """

    images: int
    judgements: int
    least: int
    most: int
    entropy: float
    entropy_interval: Interval | None
    unanimous: int
    majority: int
    labelled: int
    pairwise: float | None
    pairwise_interval: Interval | None
    with_others: float | None
    answered: int
    with_model: float | None
    with_model_interval: Interval | None
    compared: int
    cross_entropy: float | None
    cross_entropy_interval: Interval | None
    model_entropy: float | None
    entropy_correlation: float | None
    entropy_correlation_interval: Interval | None
    seconds_compared: int
    seconds_same: int
    seconds_interval: Interval | None
    seconds_chance: float | None
    why: str = ""


class HumanGravity(msgspec.Struct, frozen=True):
    """How grave the mistakes of people or of the model are: the height of the lowest concept that includes both categories.

    `observer` is a place in `observers`, -1 for all people together; `mean` is over `mistakes`, its interval over images; `chance`
    is what they would weigh if each named any other category as likely; `highest` is what the gravest weighs.
    """

    observer: int
    mistakes: int
    mean: float | None
    interval: Interval | None
    chance: float | None
    highest: int


class HumanPanel(Panel, tag="human"):
    """People's answers to a record's examples, beside the model's.

    Arrays under "human", one element an image and condition that is an example of the record, where there is any: `row`,
    `judgements`, `right` (of the judgements), `outcome` (0 both, 1 only people, 2 only the model, 3 neither, -1 not defined),
    `category` and `answer` and `model` (true, people's most frequent, the model's; -1 where not known), `people_entropy` and
    `model_entropy` (nats), `seconds` (median), all NaN where not defined.

    Attributes:
        answer: the answer to "does it see what we see?" in one sentence.
        model: place of the record's own model in `observers`; None where the record holds no answers of a model.
        categories: among which people chose.
        conditions: in order; one "" where there are none.
        mapping: of each category the classes of the model that stand for it, `combined` how their probabilities become one.
        difference: mean kappa of people with the model minus that among people, over the same images, and its interval.
        soft: None where no image was answered twice.
        notes: what a reader has to know, one sentence each.
        gravity: of people's and the model's mistakes; empty where no hierarchy is known.
    """

    answer: str
    sources: list[HumanSource]
    match: HumanMatch
    observers: list[HumanObserver]
    model: int | None
    categories: list[str]
    conditions: list[str]
    mapping: list[list[int]]
    combined: Literal["same", "sum", "mean"]
    accuracies: list[HumanAccuracy]
    pairs: list[HumanPair]
    people: HumanAgreement
    with_model: HumanAgreement | None
    difference: float | None
    difference_interval: Interval | None
    confusions: list[HumanConfusion]
    classes: list[HumanClass]
    shape: list[HumanShape]
    outcomes: HumanOutcomes | None
    times: list[HumanTime]
    soft: HumanSoft | None
    notes: list[str] = field(default_factory=list)
    gravity: list[HumanGravity] = field(default_factory=list)
