"""What an imagined classifier got right: loss, accuracy, confusion, counted from its examples."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from pellucid.record import schema
from support.scene import Scene, histogram_of


def loss_of(scene: Scene) -> schema.LossPanel:
    losses = scene.losses[scene.counted]
    by_class = []
    for index in range(len(scene.classes)):
        own = scene.losses[scene.counted & (scene.targets == index)]
        share = float(own.sum() / losses.sum()) if len(losses) else None
        mean = float(own.mean()) if len(own) else None
        by_class.append(schema.ClassLoss(index, len(own), mean, share, _mean_interval(own)))
    probabilities = np.exp(scene.log_probabilities)
    confidence = np.where(scene.counted & (scene.predictions != scene.targets), probabilities.max(axis=1), 0)
    issues = [
        schema.LabelIssue(
            int(row), scene.ids[row], int(scene.targets[row]), int(scene.predictions[row]),
            float(probabilities[row, scene.targets[row]]), float(confidence[row]),
        )
        for row in np.argsort(-confidence)[:5]
        if confidence[row] > 0.9
    ]  # fmt: skip
    priors = np.bincount(scene.targets[scene.counted], minlength=len(scene.classes)) / max(1, len(losses))
    findings = [
        schema.Finding(
            "label-issue", "medium", f"{scene.ids[issue.row]} may be mislabelled.", 1, "loss",
            issue.suggested_probability, selection={"example": str(issue.row)},
        )
        for issue in issues[:2]
    ]  # fmt: skip
    return schema.LossPanel(
        count=len(losses),
        findings=findings,
        name="cross-entropy",
        definition="minus the logarithm of the probability of the true class",
        unit="nats",
        mean=float(losses.mean()) if len(losses) else None,
        interval=_mean_interval(losses),
        nonfinite=int((~scene.finite).sum()),
        benchmarks=[
            schema.Benchmark("uniform", math.log(len(scene.classes)), "every class equally probable"),
            schema.Benchmark(
                "class frequencies",
                float(-(priors[priors > 0] * np.log(priors[priors > 0])).sum()),
                "the shares of the classes",
            ),
        ],
        by_class=by_class,
        histogram=histogram_of(losses),
        label_issues=issues,
    )


def accuracy_of(scene: Scene) -> schema.AccuracyPanel:
    targets, predictions = scene.targets[scene.counted], scene.predictions[scene.counted]
    probabilities = np.exp(scene.log_probabilities[scene.counted])
    confidence, right = probabilities.max(axis=1), targets == predictions
    count, correct = len(targets), int(right.sum())
    ranks = (probabilities > probabilities[np.arange(count), targets][:, None]).sum(axis=1)
    by_class = [_class_accuracy(index, targets, predictions) for index in range(len(scene.classes))]
    recalls = [one.recall for one in by_class if one.recall is not None]
    calibration, ece = [], 0.0
    for index in range(15):
        low, high = index / 15, (index + 1) / 15
        inside = (confidence <= high) & ((confidence > low) | (index == 0))
        number, hits = int(inside.sum()), int(right[inside].sum())
        mean = float(confidence[inside].mean()) if number else None
        calibration.append(
            schema.CalibrationBin(
                low, high, number, mean, hits / number if number else None, wilson(hits, number) if number else None
            )
        )
        ece += abs(hits - float(confidence[inside].sum())) / max(1, count)
    top_k = [
        schema.TopK(k, int((ranks < k).sum()), float((ranks < k).mean()), wilson(int((ranks < k).sum()), count))
        for k in (1, 3, 5)
        if count and k <= len(scene.classes)
    ]
    return schema.AccuracyPanel(
        count=count,
        findings=[
            schema.Finding("overconfident", "low", "The model is about as sure as it should be.", count, "accuracy",
                           0.2, evidence={"ece": ece})
        ],
        correct=correct,
        accuracy=correct / count if count else None,
        interval=wilson(correct, count) if count else None,
        balanced_accuracy=sum(recalls) / len(recalls) if recalls else None,
        top_k=top_k,
        by_class=by_class,
        calibration=calibration,
        ece=ece,
        mean_confidence=float(confidence.mean()) if count else None,
    )  # fmt: skip


def _class_accuracy(index: int, targets: np.ndarray, predictions: np.ndarray) -> schema.ClassAccuracy:
    support, predicted = int((targets == index).sum()), int((predictions == index).sum())
    hits = int(((targets == index) & (predictions == index)).sum())
    return schema.ClassAccuracy(
        index,
        support,
        predicted,
        hits,
        hits / support if support else None,
        wilson(hits, support) if support else None,
        hits / predicted if predicted else None,
        wilson(hits, predicted) if predicted else None,
        2 * hits / (support + predicted) if support + predicted else None,
    )


def confusion_of(scene: Scene) -> schema.ConfusionPanel:
    number = len(scene.classes)
    targets, predictions = scene.targets[scene.counted], scene.predictions[scene.counted]
    matrix = np.bincount(targets * number + predictions, minlength=number * number).reshape(number, number)
    rows, columns = np.nonzero(matrix)
    wrong = matrix - np.diag(np.diag(matrix))
    support, calls = matrix.sum(axis=1), wrong.sum(axis=0)
    found: list[tuple[float, int, int, float]] = []
    for true, predicted in zip(*np.nonzero(wrong), strict=True):
        share = calls[predicted] / max(1, calls.sum() - calls[true])
        tail = _tail(int(wrong[true, predicted]), int(wrong[true].sum()), min(1.0, float(share)))
        found.append((tail, int(true), int(predicted), float(share) * float(wrong[true].sum())))
    pairs: list[schema.ConfusedPair] = []
    largest = 0.0
    for position, (tail, true, predicted, expected) in enumerate(sorted(found)):
        largest = max(largest, min(1.0, tail * (len(found) - position)))
        hits, of = int(wrong[true, predicted]), int(support[true])
        pairs.append(schema.ConfusedPair(true, predicted, hits, of, hits / of, wilson(hits, of), expected, largest))
    findings = [
        schema.Finding(
            "confused-pair", "high", f"{scene.classes[pair.true]} is taken for {scene.classes[pair.predicted]}: "
            f"{pair.count} of {pair.support}.", pair.support, "confusion", pair.rate, pair.interval,
            {"p_value": pair.p_value}, {"true": str(pair.true), "predicted": str(pair.predicted)},
        )
        for pair in pairs
        if pair.p_value < 0.05
    ]  # fmt: skip
    return schema.ConfusionPanel(
        count=len(targets),
        findings=findings,
        classes=scene.classes,
        rows=rows.tolist(),
        columns=columns.tolist(),
        counts=matrix[rows, columns].tolist(),
        pairs=pairs,
    )


def wilson(hits: int, count: int) -> schema.Interval:
    z = 1.959963984540054
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return schema.Interval(max(0.0, centre - half), min(1.0, centre + half))


def _mean_interval(values: np.ndarray) -> schema.Interval | None:
    if len(values) < 2:
        return None
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return schema.Interval(float(values.mean()) - half, float(values.mean()) + half, method="t")


def _tail(hits: int, count: int, share: float) -> float:
    """P(X >= hits) of a binomial."""
    return float(binom.sf(hits - 1, count, share))
