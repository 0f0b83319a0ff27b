"""A fit panel made of seeded noise, for a synthetic record: its classes are half the model's, and red and blue are exchanged."""

from __future__ import annotations

import numpy as np

from pellucid.measures.curves import ordered, roc_area
from pellucid.measures.intervals import newcombe_auc, wilson
from pellucid.record import schema

WAYS = ("as they are", "channels reversed", "times 255", "divided by 255", "twice the size")


def fit_panel(classes: list[str], name: str, rng: np.random.Generator) -> schema.FitPanel:
    """The panel; `name` stands for the model and the data."""
    number = 200
    return schema.FitPanel(
        count=number,
        model=name,
        data=f"{name} elsewhere",
        reference=f"{name} before",
        verdict="preprocess differently",
        sentence="The examples are not prepared as the model expects. Red and blue are exchanged.",
        reasons=[
            schema.FitReason("Red and blue are exchanged.", "preprocess differently", number),
            schema.FitReason(f"{classes[-1]} is no class of the model.", "nothing", number),
            schema.FitReason("The features tell these classes apart.", "retrain the head", number, wilson(150, number)),
        ],
        labels=[
            schema.LabelPlace(one, index if index % 2 == 0 else None, "name" if index % 2 == 0 else "none", 20)
            for index, one in enumerate(classes)
        ]
        # Two classes of one name, as ImageNet has, and one whose place cannot be told.
        + [schema.LabelPlace(classes[0], None, "unknown", 3)],
        classes=classes,
        layer="classifier.2",
        width=64,
        features="",
        own=None,
        scores=[_score("confidence", 0.3, rng), _score("negative energy", 1.5, rng)],
        probes=[_probe("features", 150, number), _probe("pixels", 80, number), _probe("majority", 20, number)],
        folds=5,
        variants=[
            schema.InputVariant(way, f"{way}, in words", number, strangeness, 0.6, suspected=place == 1)
            for place, (way, strangeness) in enumerate(zip(WAYS, (0.9, 0.02, 40_000.0, 2.5, 1.1), strict=True))
        ],
        normalisations=["features.1"],
        notes=["Noise, all of it."],
    )


def _probe(on: str, correct: int, count: int) -> schema.ProbeAccuracy:
    return schema.ProbeAccuracy(on, 64, correct, count, correct / count, wilson(correct, count))  # type: ignore[arg-type]


def _score(name: str, apart: float, rng: np.random.Generator) -> schema.ScoreDistribution:
    data, reference = rng.normal(0, 1, 200), rng.normal(apart, 1, 150)
    edges = np.histogram_bin_edges(np.concatenate([data, reference]), 20)
    area = roc_area(ordered(np.concatenate([data, reference]), np.arange(350) >= 200))
    assert area is not None
    return schema.ScoreDistribution(
        name=name,
        column=f"fit.{name}",
        definition="Noise.",
        source="",
        edges=edges.tolist(),
        data=np.histogram(data, edges)[0].tolist(),
        reference=np.histogram(reference, edges)[0].tolist(),
        count=200,
        reference_count=150,
        auroc=area.value,
        interval=newcombe_auc(area.value, 150, 200),
    )
