"""A record with people's answers beside a model's: `python tests/support/peopled.py RECORD people=10 classes=10`.

The answers are drawn from a seed and the numbers follow from them by the plainest formulas; intervals are rough. What is exact is
tested elsewhere: this is for pages.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import wilson
from pellucid.record import Writer, schema
from support.answered import answered
from support.perceived import curves, gaze, interval, learning

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "‮txet desrever",
    "a name far longer than any place that there is for it " * 3,
    "",
)
CONDITIONS = ("0.05", "0.1", "0.3", "1")


def peopled(
    path: Path,
    *,
    people: int = 10,
    classes: int = 10,
    images: int = 240,
    hostile: bool = False,
    model: bool = True,
    seed: int = 0,
) -> Path:
    """Writes the record: every image under one of four conditions, answered by every person and, where asked for, by a model."""
    rng = np.random.default_rng(seed)
    names = [HOSTILE[one % 4] + " " * (one // 4) if hostile else f"category {one}" for one in range(classes)]
    observers = [HOSTILE[one % 4] + str(one) if hostile else f"subject-{one + 1:02}" for one in range(people)]
    condition, category = np.arange(images) % 4, rng.integers(0, classes, images)
    difficulty = rng.random(images) + 0.4 - 0.2 * condition
    right = difficulty + rng.normal(0, 0.25, (people, images)) < 0.75
    model_right = 0.6 * difficulty + 0.4 * rng.random(images) + 0.1 * (category % 3) < 0.5
    other = (category + rng.integers(1, max(2, classes), (people + 1, images))) % classes
    answers = np.where(np.vstack([right, model_right]), category, other)
    answers[0, ::17] = classes  # no answer
    seconds = np.exp(rng.normal(-0.4, 0.3, images) + 0.4 * difficulty)
    sure = np.clip(0.95 - 0.5 * difficulty + rng.normal(0, 0.05, images), 1.01 / classes, 0.99)
    margin, entropy = np.clip(1.2 * sure - 0.2, 0, 1), -np.log(sure) + 0.3
    said = answers[-1].tolist() if model else [-1] * images
    # The names of the record's classes are told apart by its own page: here they are plain.
    answered(
        path,
        category.tolist(),
        said,
        classes=[f"class {one}" for one in range(classes)],
        confidences=sure.tolist(),
        pictures=list(range(images)),
        margins=margin.tolist(),
        entropies=entropy.tolist(),
    )
    kept = answers if model else answers[:people]
    panel = _panel(kept, condition, category, names, observers, people if model else None, seconds)
    with Writer.open(path) as writer:
        writer.write_panel(
            panel, _arrays(answers[:people], said, category, classes, seconds, entropy if model else None)
        )
        if model:
            writer.write_panel(curves(kept == category, condition, CONDITIONS, observers))
            writer.write_panel(*gaze(images, rng))
            writer.write_panel(learning())
    return path


def _panel(
    answers: NDArray[np.int64],
    condition: NDArray[np.int64],
    category: NDArray[np.int64],
    names: list[str],
    people: list[str],
    model: int | None,
    seconds: NDArray[np.float64],
) -> schema.HumanPanel:
    right, images = answers == category, len(category)
    crowd = right[: len(people)]
    observers = [*people, *(["the network"] if model is not None else [])]
    flags: list[list[schema.HumanFlag]] = [["too fast"] if place == 1 else [] for place in range(len(observers))]
    pairs = [_pair(right, one, other) for one, other in combinations(range(len(observers)), 2)]
    among = [pair for pair in pairs if model not in (pair.first, pair.second)]
    with_model = [pair for pair in pairs if model in (pair.first, pair.second)]
    outcome = _outcome(crowd, right[-1]) if model is not None else None
    groups: list[tuple[str, str, NDArray[np.bool_]]] = [("all", "", np.ones(images, bool))]
    groups += [("class", name, category == place) for place, name in enumerate(names)]
    groups += [("condition", name, condition == place) for place, name in enumerate(CONDITIONS)]
    rows: list[tuple[int, NDArray[np.bool_]]] = [
        (-1, crowd),
        *((place, right[place : place + 1]) for place in range(len(observers))),
    ]
    mean_people, mean_model = (
        _agreement("people", among, images),
        _agreement("people and model", with_model, images) if with_model else None,
    )
    difference = (
        None if mean_model is None or mean_people.kappa is None else (mean_model.kappa or 0) - mean_people.kappa
    )
    return schema.HumanPanel(
        count=images,
        findings=[
            schema.Finding(
                "human-class",
                "medium",
                f"The network takes {names[0]!r} for something else far more often than people do.",
                24,
                "human",
                interval=interval(-0.4, -0.1),
                selection={"true": "0"},
            )
        ]
        if model is not None
        else [],
        answer=(
            "Not yet: the network errs on other images than people do."
            if model is not None
            else "There is no model here: people are compared with each other."
        ),
        sources=[schema.HumanSource("trials.csv", "0" * 64, "model-vs-human", answers.size, "part-000000.parquet")],
        match=schema.HumanMatch(
            answers.size + 3,
            answers.size,
            3,
            15,
            0,
            images + 2,
            images,
            2,
            ["gone.png", HOSTILE[0]],
            0,
            "id",
            {"knife": 4},
            [["0.3", "0.30"]],
            0,
            0,
        ),
        observers=[
            _observer(name, one == model, right[one], flags[one], seconds) for one, name in enumerate(observers)
        ],
        model=model,
        categories=names,
        conditions=list(CONDITIONS),
        mapping=[[place] for place in range(len(names))],
        combined="same",
        accuracies=[_accuracy(place, by, name, each[:, inside]) for by, name, inside in groups for place, each in rows],
        pairs=pairs,
        people=mean_people,
        with_model=mean_model,
        difference=difference,
        difference_interval=None if difference is None else interval(difference - 0.1, difference + 0.1),
        confusions=[
            _confusion(place, answers[place : place + 1] if place >= 0 else answers[: len(people)], category)
            for place in (-1, *range(len(observers)))
        ],
        classes=[_class(names[one], crowd[:, category == one], right[-1][category == one]) for one in range(len(names))]
        if model is not None
        else [],
        shape=[
            _shape(place, name, 40 if name == "" else 8, bias)
            for name in ("", *names)
            for place, bias in (
                (-1, 0.95),
                *((one, 0.9) for one in range(len(people))),
                *([(model, 0.2)] if model is not None else []),
            )
        ],
        outcomes=None
        if outcome is None
        else schema.HumanOutcomes(*(int((outcome == one).sum()) for one in range(4)), images),
        times=[
            schema.HumanTime("margin", images, -0.31, interval(-0.4, -0.2)),
            schema.HumanTime("entropy", images, 0.28, interval(0.15, 0.4)),
            schema.HumanTime("confidence", 0, None, None, "the record holds no confidences"),
        ]
        if model is not None
        else [],
        soft=_soft(images, len(people), model is not None),
        notes=["Images are those of a seed, and so are the answers."],
    )


def _observer(
    name: str, is_model: bool, right: NDArray[np.bool_], flags: list[schema.HumanFlag], seconds: NDArray[np.float64]
) -> schema.HumanObserver:
    hits, count = int(right.sum()), len(right)
    return schema.HumanObserver(
        name,
        "model" if is_model else "person",
        count,
        hits,
        hits / count,
        wilson(hits, count),
        0,
        None if is_model else float(np.median(seconds)),
        flags,
        False,
    )


def _accuracy(place: int, by: str, group: str, right: NDArray[np.bool_]) -> schema.HumanAccuracy:
    hits, count = int(right.sum()), right.size
    return schema.HumanAccuracy(place, by, group, count, hits, hits / count if count else None, wilson(hits, count))


def _pair(right: NDArray[np.bool_], first: int, second: int) -> schema.HumanPair:
    one, other = right[first], right[second]
    observed = float((one == other).mean())
    expected = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    if (first, second) == (0, 2) or expected >= 1:
        return schema.HumanPair(
            first,
            second,
            len(one),
            observed,
            expected,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            "both get every image right, and agree by chance alone",
        )
    kappa, half = (observed - expected) / (1 - expected), 2 / math.sqrt(len(one))
    return schema.HumanPair(
        first,
        second,
        len(one),
        observed,
        expected,
        kappa,
        interval(kappa - half, min(1.0, kappa + half)),
        interval(kappa - half, min(1.0, kappa + half)),
        interval(-half, half),
        -1.0,
        1.0,
        0.01,
    )


def _agreement(between: str, pairs: Sequence[schema.HumanPair], images: int) -> schema.HumanAgreement:
    kappas = [pair.kappa for pair in pairs if pair.kappa is not None]
    if not kappas:
        return schema.HumanAgreement(
            between, 0, len(pairs), images, None, None, None, None, None, None, None, "no pair has a kappa"
        )
    mean = float(np.mean(kappas))
    near = interval(mean - 0.05, mean + 0.05)
    return schema.HumanAgreement(
        between,
        len(kappas),
        len(pairs) - len(kappas),
        images,
        float(np.mean([pair.observed or 0 for pair in pairs])),
        mean,
        near,
        near,
        interval(-0.03, 0.03),
        min(kappas),
        max(kappas),
    )


def _confusion(place: int, answers: NDArray[np.int64], category: NDArray[np.int64]) -> schema.HumanConfusion:
    rows, columns = np.broadcast_to(category, answers.shape).ravel(), answers.ravel()
    cells, counts = np.unique(np.stack([rows, columns]), axis=1, return_counts=True)
    return schema.HumanConfusion(place, len(rows), cells[0].tolist(), cells[1].tolist(), counts.tolist())


def _class(name: str, people: NDArray[np.bool_], model: NDArray[np.bool_]) -> schema.HumanClass:
    if not len(model):
        return schema.HumanClass(name, 0, None, None, None, None, None, None)
    share, ours = float(people.mean()), float(model.mean())
    return schema.HumanClass(
        name, len(model), share, ours, ours - share, interval(ours - share - 0.2, ours - share + 0.2), 0.04, 0.08
    )


def _shape(place: int, category: str, count: int, bias: float) -> schema.HumanShape:
    shape = round(bias * count)
    return schema.HumanShape(place, category, count, shape, count - shape, shape / count, wilson(shape, count))


def _soft(images: int, people: int, model: bool) -> schema.HumanSoft | None:
    if people < 2:
        return None
    ours = {
        "answered": images,
        "with_model": 0.61,
        "with_model_interval": interval(0.56, 0.66),
        "compared": images,
        "cross_entropy": 0.91,
        "cross_entropy_interval": interval(0.85, 0.97),
        "model_entropy": 0.7,
        "entropy_correlation": 0.35,
        "entropy_correlation_interval": interval(0.24, 0.45),
        "seconds_compared": 80,
        "seconds_same": 31,
        "seconds_interval": interval(0.29, 0.5),
        "seconds_chance": 0.11,
    }
    none = {name: 0 if type(value) is int else None for name, value in ours.items()}
    return msgspec.convert(
        {
            "images": images,
            "judgements": images * people,
            "least": people,
            "most": people,
            "entropy": 0.52,
            "entropy_interval": interval(0.48, 0.56),
            "unanimous": images // 4,
            "majority": images - 30,
            "labelled": images,
            "pairwise": 0.78,
            "pairwise_interval": interval(0.75, 0.81),
            "with_others": 0.84,
            "why": "" if model else "the record holds no probabilities",
            **(ours if model else none),
        },
        schema.HumanSoft,
    )


def _outcome(crowd: NDArray[np.bool_], model: NDArray[np.bool_]) -> NDArray[np.int64]:
    people = crowd.mean(0) > 0.5
    return np.select([people & model, people & ~model, ~people & model], [0, 1, 2], 3)


def _arrays(
    answers: NDArray[np.int64],
    said: list[int],
    category: NDArray[np.int64],
    classes: int,
    seconds: NDArray[np.float64],
    entropy: NDArray[np.float64] | None,
) -> dict[str, NDArray[np.generic]]:
    people, images = answers.shape
    right = (answers == category).sum(0)
    counts = np.stack([(answers == one).sum(0) for one in range(classes)])
    shares = counts / np.maximum(1, counts.sum(0))
    spread = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(0)
    model = np.asarray(said)
    known = model >= 0
    return {
        "row": np.arange(images),
        "judgements": np.full(images, people, np.int32),
        "right": right.astype(np.int32),
        "outcome": np.where(known, _outcome(answers == category, model == category), -1).astype(np.int8),
        "category": category.astype(np.int32),
        "answer": counts.argmax(0).astype(np.int32),
        "model": model.astype(np.int32),
        "people_entropy": spread.astype(np.float32),
        "model_entropy": (np.full(images, np.nan) if entropy is None else entropy).astype(np.float32),
        "seconds": seconds.astype(np.float32),
    }


if __name__ == "__main__":
    peopled(Path(sys.argv[1]), **{name: int(value) for name, value in (one.split("=") for one in sys.argv[2:])})
