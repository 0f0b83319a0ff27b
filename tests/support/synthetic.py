"""A complete record made of seeded noise that hangs together: `python tests/support/synthetic.py OUT [--hostile]`.

What can be counted is counted from the examples table, so the panels agree with it; what would need a model is drawn
from plausible distributions. Needs no torch.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw
from scipy.stats import binom

from pellucid.record import Writer, schema
from pellucid.record.tables import parquet_bytes
from support.fitted import fit_panel

SIDE = 28
TOP = 5
STRONGEST = 9
MAPS = 12
PART = 256
MOST_PARTS = 64
PICTURES = 500
STEPS = 60

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2",
    "a very long name " * 12,
    "\U0001f9d1\U0001f3fd\u200d\U0001f52c emoji",
    "${alert(1)} {{7*7}} `x`",
    "\"'&<>--><!--",
    "line\nbreak\ttab",
    "",
    "javascript:alert(1)",
    "../../etc/passwd",
)


@dataclass(frozen=True)
class Place:
    """A captured layer of the pretended network."""

    name: str
    operation: str
    shape: tuple[int, ...]
    activation: str | None = "relu"

    @property
    def units(self) -> int:
        return self.shape[0]

    @property
    def is_maps(self) -> bool:
        return len(self.shape) == 3


@dataclass
class Scene:
    """What everything is drawn from."""

    rng: np.random.Generator
    classes: list[str]
    places: list[Place]
    targets: np.ndarray
    logits: np.ndarray
    ids: list[str]
    hostile: bool
    media: list[str | None] = field(default_factory=list)

    @property
    def predictions(self) -> np.ndarray:
        return np.argmax(np.nan_to_num(self.logits, nan=-np.inf), axis=1)

    @property
    def finite(self) -> np.ndarray:
        return np.isfinite(self.logits).all(axis=1)

    @property
    def counted(self) -> np.ndarray:
        """Examples with a target and finite logits."""
        return self.finite & (self.targets >= 0)

    @property
    def log_probabilities(self) -> np.ndarray:
        logits = np.where(self.finite[:, None], self.logits, 0.0)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    @property
    def losses(self) -> np.ndarray:
        picked = -self.log_probabilities[np.arange(len(self.targets)), np.maximum(self.targets, 0)]
        return np.where(self.counted, picked, np.nan)


def synthetic_record(
    path: str | Path,
    *,
    examples: int = 500,
    classes: int = 10,
    seed: int = 0,
    hostile: bool = False,
    watched: bool = True,
    focus: int = 12,
) -> Path:
    """Writes a whole record of an imagined image classifier; `hostile` gives it names that try to be markup."""
    scene = _scene(examples, classes, seed, hostile)
    root = Path(path)
    with Writer.create(root, _manifest(scene, seed, watched), overwrite=True) as writer, writer.sealing():
        if watched:
            _write_training(writer, scene)
        # Beyond so many examples pictures come again: a million files of noise would show nothing more.
        drawn = [writer.write_media(_picture(scene, row), "png") for row in range(min(examples, PICTURES))]
        scene.media = [drawn[row % PICTURES] for row in range(examples)]
        table = examples_table(scene)
        size = max(PART, math.ceil(examples / MOST_PARTS))
        for index, start in enumerate(range(0, examples, size)):
            part = table.slice(start, size)
            writer.write_part(index, part, {"loss": ({"count": part.num_rows}, {"sum": np.zeros(2)})})
        rows = _chosen(scene, focus)
        for row, reason in rows:
            writer.write_focus(row, *_focus(scene, row, reason))
        _write_panels(writer, scene, rows)
        writer.update(chosen=len(rows), nonfinite=int((~scene.finite).sum()), stages=_stages(examples, len(rows)))
    return root


# --- the scene ------------------------------------------------------------------------------------------------


def _scene(examples: int, number: int, seed: int, hostile: bool) -> Scene:
    rng = np.random.default_rng(seed)
    names = [str(index) for index in range(number)]
    if hostile:
        names = [HOSTILE[index] if index < len(HOSTILE) else f"class {index}" for index in range(number)]
    path = HOSTILE[0].replace(".", "") if hostile else "features"
    places = [
        Place(f"{path}.1", "ReLU", (16, SIDE, SIDE)),
        Place(f"{path}.4", "ReLU", (32, SIDE // 2, SIDE // 2)),
        Place(f"{path}.7", "ReLU", (64, SIDE // 4, SIDE // 4)),
        Place("classifier.1", "ReLU", (64,)),
        Place("classifier.2", "Linear", (number,), None),
    ]
    targets = rng.integers(0, number, examples)
    logits = rng.normal(0, 1.2, (examples, number))
    logits[np.arange(examples), targets] += 4.5
    # Some pairs look alike: the first is taken for the second in about a quarter of the cases.
    for true, predicted in ((3, 5), (4, 9), (8, 1)):
        if max(true, predicted) < number:
            alike = (targets == true) & (rng.random(examples) < 0.25)
            logits[alike, predicted] += 6.0
    if hostile and examples > 4:
        targets[1] = -1
        logits[2, 0] = np.nan
        logits[3, number - 1] = np.inf
    ids = [f"digit-{row:05d}" if not hostile else f"{row} {HOSTILE[row % len(HOSTILE)]}" for row in range(examples)]
    return Scene(rng, names, places, targets, logits, ids, hostile)


def examples_table(scene: Scene) -> pa.Table:
    number = len(scene.targets)
    log_probabilities = scene.log_probabilities
    probabilities = np.exp(log_probabilities)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : min(TOP, len(scene.classes))]
    top = np.take_along_axis(probabilities, order, axis=1)
    bad, known = ~scene.finite, scene.targets >= 0
    given = np.maximum(scene.targets, 0)
    ranks = (probabilities > probabilities[np.arange(number), given][:, None]).sum(axis=1)
    group = "subgroup" if not scene.hostile else HOSTILE[0]
    return pa.table(
        {
            "row": pa.array(np.arange(number)),
            "id": pa.array(scene.ids, pa.string()),
            "target": pa.array(scene.targets.astype(np.int32), mask=~known),
            "prediction": pa.array(scene.predictions.astype(np.int32), mask=bad),
            "loss": pa.array(scene.losses, mask=~scene.counted),
            "confidence": pa.array(top[:, 0].astype(np.float32), mask=bad),
            "entropy": pa.array(-(probabilities * log_probabilities).sum(axis=1).astype(np.float32), mask=bad),
            "margin": pa.array((top[:, 0] - top[:, 1]).astype(np.float32), mask=bad),
            "rank": pa.array(ranks.astype(np.int32), mask=~scene.counted),
            "top_classes": pa.array(
                [None if bad[row] else order[row].tolist() for row in range(number)], pa.list_(pa.int32())
            ),
            "top_probabilities": pa.array(
                [None if bad[row] else top[row].tolist() for row in range(number)], pa.list_(pa.float32())
            ),
            "media": pa.array(scene.media, pa.string()),
            "nonfinite": pa.array(bad),
            group: pa.array([["plain", "slanted", "bold"][row % 3] for row in range(number)]),
        }
    )


def _picture(scene: Scene, row: int) -> bytes:
    rng = np.random.default_rng([row, 1])
    target = int(max(scene.targets[row], 0))
    image = Image.fromarray(rng.integers(0, 40, (SIDE, SIDE, 3), dtype=np.uint8))
    colour = tuple(int(value) for value in rng.integers(150, 255, 3))
    ImageDraw.Draw(image).text((int(rng.integers(4, 12)), int(rng.integers(2, 10))), str(target), fill=colour)
    stream = io.BytesIO()
    image.resize((SIDE * 2, SIDE * 2), Image.Resampling.NEAREST).save(stream, "png")
    return stream.getvalue()


def _manifest(scene: Scene, seed: int, watched: bool) -> schema.Manifest:
    title = "synthetic digits" if not scene.hostile else f"hostile {HOSTILE[0]}"
    fingerprint = hashlib.sha256(f"{title} {seed}".encode()).hexdigest()
    parameters = sum(row.count for row in _parameters(scene))
    return schema.Manifest(
        pellucid_version="0.1.0",
        title=title,
        model=schema.ModelInfo(
            title, "tests/support/synthetic.py", fingerprint, parameters, parameters, 4 * parameters
        ),
        data=schema.DataInfo("synthetic", "synthetic", fingerprint, len(scene.targets), scene.classes),
        preprocessing=schema.Preprocessing([{"name": "normalise", "mean": [0.5], "std": [0.25]}], "flags", fingerprint),
        task="classification",
        seed=seed,
        versions={"python": "3.11"},
        skipped=[schema.Skipped(HOSTILE[0], "not an image")] if scene.hostile else [],
        watched=watched,
    )


def _stages(examples: int, chosen: int) -> list[schema.StageInfo]:
    batches = math.ceil(examples / 32)
    return [
        schema.StageInfo("trace", "complete", 1, 1, 0, 1, 0, 0.1),
        schema.StageInfo("sweep", "complete", examples, batches, 0, examples, 0, 1.5),
        schema.StageInfo("focus", "complete", chosen, 1, 1, chosen, chosen, 0.3),
    ]


# --- small measures -------------------------------------------------------------------------------------------


def histogram_of(values: np.ndarray) -> schema.Histogram:
    """Counts over the top 11 bits of the float32 (sign, exponent, 2 bits of mantissa)."""
    flat = np.asarray(values, np.float32).reshape(-1)
    normal = flat[np.isfinite(flat) & (flat != 0)]
    ids, counts = np.unique(normal.view(np.uint32) >> (23 - schema.MANTISSA_BITS), return_counts=True)
    sign = 1 << (8 + schema.MANTISSA_BITS)
    order = np.argsort(np.where(ids & sign, -(ids & (sign - 1)).astype(np.int64) - 1, ids.astype(np.int64)))
    return schema.Histogram(
        bins=ids[order].tolist(),
        counts=counts[order].tolist(),
        zero=int((flat == 0).sum()),
        nan=int(np.isnan(flat).sum()),
        positive_infinite=int(np.isposinf(flat).sum()),
        negative_infinite=int(np.isneginf(flat).sum()),
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


# --- panels ---------------------------------------------------------------------------------------------------


def _write_panels(writer: Writer, scene: Scene, rows: list[tuple[int, str]]) -> None:
    writer.write_panel(_graph(scene))
    writer.write_panel(
        schema.PredictionsPanel(
            count=len(scene.targets),
            classes=scene.classes,
            outputs=len(scene.classes),
            top_k=min(TOP, len(scene.classes)),
            nonfinite=int((~scene.finite).sum()),
            without_target=int((scene.targets < 0).sum()),
            columns=["subgroup" if not scene.hostile else HOSTILE[0]],
        )
    )
    writer.write_panel(_loss(scene))
    writer.write_panel(_accuracy(scene))
    writer.write_panel(_confusion(scene))
    writer.write_panel(*_activations(scene))
    parameters = _parameters(scene)
    writer.write_panel(schema.WeightsPanel(count=sum(row.count for row in parameters), parameters=parameters))
    writer.write_panel(_gradients(scene, rows))
    name = HOSTILE[2] if scene.hostile else "net"
    writer.write_panel(fit_panel(scene.classes, name, np.random.default_rng(0)))
    if scene.hostile:
        table = schema.Table(HOSTILE[0], list(HOSTILE[:3]), [[HOSTILE[4], 1, None], [HOSTILE[5], 0.5, True]])
        writer.write_panel(schema.CustomPanel(title=HOSTILE[0], tables=[table], count=2), name="stranger")


def _graph(scene: Scene) -> schema.GraphPanel:
    stem = scene.places[0].name.rpartition(".")[0]
    batch = [2]
    steps: list[tuple[str, str, str, tuple[int, ...], int, int | None]] = [
        ("input", "input", "input", (3, SIDE, SIDE), 0, None)
    ]
    channels, side, position = 3, SIDE, 0
    for number, width in enumerate((16, 32, 64)):
        weights = width * channels * 9 + width
        steps.append((f"{stem}.{position}", "Conv2d", "module", (width, side, side), weights, None))
        steps.append((f"{stem}.{position + 1}", "ReLU", "module", (width, side, side), 0, number))
        channels, position, side = width, position + 3, side // 2
        steps.append((f"{stem}.{position - 1}", "MaxPool2d", "module", (width, side, side), 0, None))
    number = len(scene.classes)
    steps.append(("flatten()", "flatten", "function", (64 * side * side,), 0, None))
    steps.append(("classifier.0", "Linear", "module", (64,), 64 * side * side * 64 + 64, None))
    steps.append(("classifier.1", "ReLU", "module", (64,), 0, 3))
    steps.append(("classifier.2", "Linear", "module", (number,), 64 * number + number, 4))
    parents = {stem: 1, "classifier": 2}
    nodes: list[schema.GraphNode] = []
    ids: list[int] = []
    for name in (stem, "classifier"):
        inside = [step for step in steps if step[0].startswith(f"{name}.")]
        own = sum(step[4] for step in inside)
        node = schema.GraphNode(
            parents[name], name, name, "Sequential", "module", None, 1, [], [batch + list(inside[-1][3])], [],
            ["float32"], own, 0, own, None, 8 * math.prod(inside[-1][3]),
        )  # fmt: skip
        nodes.append(node)
    before: tuple[int, ...] = ()
    for index, (name, operation, kind, shape, own, layer) in enumerate(steps):
        ids.append(0 if index == 0 else index + 2)
        flops = 2 * own * (shape[1] * shape[2] if len(shape) == 3 else 1) if own else 0
        node = schema.GraphNode(
            ids[-1], name, name.rpartition(".")[2] or name, operation, kind, parents.get(name.rpartition(".")[0]), 1,
            [batch + list(before)] if before else [], [batch + list(shape)], ["float32"] if before else [], ["float32"],
            own, own, own, flops, 8 * math.prod(shape), layer, "synthetic.py:1",
        )  # fmt: skip
        nodes.append(node)
        before = shape
    nodes.append(
        schema.GraphNode(ids[-1] + 1, "output", "output", "output", "output", None, 1, [batch + list(before)], [],
                         ["float32"], [], 0, 0, 0, 0, 0)
    )  # fmt: skip
    chain = [*ids, ids[-1] + 1]
    shapes = [batch + list(step[3]) for step in steps]
    layers = [
        schema.LayerInfo(
            index, place.name, place.operation, list(place.shape), "maps" if place.is_maps else "vector", place.units,
            place.activation, next(node.id for node in nodes if node.layer == index),
        )
        for index, place in enumerate(scene.places)
    ]  # fmt: skip
    total = sum(step[4] for step in steps)
    return schema.GraphPanel(
        count=1,
        nodes=sorted(nodes, key=lambda node: node.id),
        edges=[schema.GraphEdge(chain[i], chain[i + 1], 0, 0, shapes[i]) for i in range(len(shapes))],
        layers=layers,
        parameters=total,
        trainable=total,
        flops=sum(node.flops or 0 for node in nodes),
        unused=[],
        backend="real",
    )


def _loss(scene: Scene) -> schema.LossPanel:
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


def _accuracy(scene: Scene) -> schema.AccuracyPanel:
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


def _confusion(scene: Scene) -> schema.ConfusionPanel:
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


def _activations(scene: Scene) -> tuple[schema.ActivationsPanel, dict[str, np.ndarray]]:
    arrays: dict[str, np.ndarray] = {}
    layers: list[schema.ActivationLayer] = []
    examples = len(scene.targets)
    top = min(STRONGEST, examples)
    for index, place in enumerate(scene.places):
        values = scene.rng.normal(0.2, 1.0, (place.units, 64)).astype(np.float32)
        if place.activation:
            values = np.maximum(values, 0)
        dead = 2 if index == 1 else 0
        values[:dead] = 0
        positions = math.prod(place.shape[1:])
        rows = np.full((place.units, STRONGEST), -1, np.int64)
        strengths = np.zeros((place.units, STRONGEST), np.float32)
        for unit in range(place.units):
            rows[unit, :top] = scene.rng.choice(examples, top, replace=False)
            strengths[unit, :top] = np.sort(scene.rng.gamma(3, 1, top))[::-1]
        arrays |= {
            f"{index}.mean": values.mean(axis=1),
            f"{index}.maximum": values.max(axis=1),
            f"{index}.zero_share": (values == 0).mean(axis=1).astype(np.float32),
            f"{index}.top_rows": rows,
            f"{index}.top_values": strengths,
            f"{index}.top_positions": scene.rng.integers(0, positions, rows.shape).astype(np.int32),
        }
        layer = schema.ActivationLayer(
            index=index,
            name=place.name,
            values=place.units * positions * examples,
            nonfinite=0,
            mean=float(values.mean()),
            std=float(values.std()),
            minimum=float(values.min()),
            maximum=float(values.max()),
            zero_share=float((values == 0).mean()),
            units=place.units,
            dead_units=dead if place.activation else None,
            saturated_units=None,
            histogram=histogram_of(values),
            histogram_values=values.size,
        )
        layers.append(layer)
    name = scene.places[1].name
    dead_finding = schema.Finding(
        "dead-units", "medium", f"2 of {scene.places[1].units} units of {name} never answered.", examples,
        "activations", 0.06, None, {"dead": 2}, {"layer": name},
    )  # fmt: skip
    panel = schema.ActivationsPanel(count=examples, findings=[dead_finding], layers=layers, top_k=STRONGEST)
    return panel, arrays


def _parameters(scene: Scene) -> list[schema.ParameterRow]:
    rng = np.random.default_rng(1)
    stem = scene.places[0].name.rpartition(".")[0]
    number = len(scene.classes)
    flat = 64 * (SIDE // 8) ** 2
    shapes = {
        f"{stem}.0.weight": (16, 3, 3, 3), f"{stem}.0.bias": (16,),
        f"{stem}.3.weight": (32, 16, 3, 3), f"{stem}.3.bias": (32,),
        f"{stem}.6.weight": (64, 32, 3, 3), f"{stem}.6.bias": (64,),
        "classifier.0.weight": (64, flat), "classifier.0.bias": (64,),
        "classifier.2.weight": (number, 64), "classifier.2.bias": (number,),
    }  # fmt: skip
    rows = []
    for name, shape in shapes.items():
        values = rng.normal(0, 1 / math.sqrt(math.prod(shape[1:]) or 1), shape)
        spectrum = np.linalg.svd(values.reshape(shape[0], -1), compute_uv=False) if len(shape) > 1 else None
        norm = float(np.linalg.norm(values))
        row = schema.ParameterRow(
            name=name, node=None, shape=list(shape), dtype="float32", count=values.size, nonfinite=0,
            mean=float(values.mean()), std=float(values.std()), minimum=float(values.min()),
            maximum=float(values.max()), norm=norm, zero_share=0.0, histogram=histogram_of(values),
            spectrum=None if spectrum is None else spectrum[:64].tolist(),
            spectral_norm=None if spectrum is None else float(spectrum[0]),
            stable_rank=None if spectrum is None else norm**2 / float(spectrum[0]) ** 2,
        )  # fmt: skip
        rows.append(row)
    return rows


# --- closer looks ---------------------------------------------------------------------------------------------


def _chosen(scene: Scene, number: int) -> list[tuple[int, str]]:
    usable = np.flatnonzero(scene.counted)
    order = usable[np.argsort(-scene.losses[usable])]
    worst = [(int(row), "highest loss") for row in order[: number // 2]]
    others = [(int(row), "random") for row in scene.rng.permutation(order[number // 2 :])[: number - len(worst)]]
    return worst + others


def _focus_example(scene: Scene, row: int, reason: str) -> schema.FocusExample:
    prediction = int(scene.predictions[row])
    score = float(scene.logits[row, prediction])
    return schema.FocusExample(row, scene.ids[row], int(scene.targets[row]), prediction, prediction, score, reason)


def _gradients(scene: Scene, rows: list[tuple[int, str]]) -> schema.GradientsPanel:
    layers = []
    for index, place in enumerate(scene.places):
        values = np.random.default_rng([index, 2]).normal(0, 0.01, 500)
        reason = None if place.is_maps else f"its output has shape (batch, channel) {place.shape}: no map to weigh"
        layers.append(
            schema.GradientLayer(index, place.name, float(np.linalg.norm(values)), 0.0, 0, histogram_of(values), reason)
        )
    return schema.GradientsPanel(
        count=len(rows),
        explains="the logit of the predicted class",
        input_shape=[3, SIDE, SIDE],
        examples=[_focus_example(scene, row, reason) for row, reason in rows],
        layers=layers,
    )


def _focus(scene: Scene, row: int, reason: str) -> tuple[schema.Focus, dict[str, np.ndarray]]:
    rng = np.random.default_rng([row, 3])
    tensors: dict[str, np.ndarray] = {}
    scales: dict[str, float] = {}

    def keep(name: str, values: np.ndarray) -> None:
        scales[name] = float(np.abs(values).max()) or 1.0
        tensors[name] = (values / scales[name]).astype(np.float16)

    keep("input.values", rng.normal(0, 1, (3, SIDE, SIDE)))
    blob = _blob(SIDE, rng)
    keep("input.gradient", rng.normal(0, 0.05, (3, SIDE, SIDE)) * blob)
    layers: list[schema.FocusLayer] = []
    for index, place in enumerate(scene.places):
        norm = float(rng.gamma(2, 0.5))
        if not place.is_maps:
            keep(f"{index}.values", rng.normal(0, 1, place.units))
            layers.append(schema.FocusLayer(index, place.name, 1, 1, "its output is a vector, not maps", norm))
            continue
        _, height, width = place.shape
        maps = np.maximum(rng.normal(0, 1, (place.units, height, width)), 0) * _blob(height, rng)
        strongest = np.argsort(-maps.reshape(place.units, -1).max(axis=1), kind="stable")[:MAPS]
        keep(f"{index}.maps", maps[strongest])
        keep(f"{index}.grad_cam", _blob(height, rng))
        tensors[f"{index}.channels"] = strongest.astype(np.int32)
        tensors[f"{index}.peaks"] = maps[strongest].reshape(len(strongest), -1).argmax(axis=1).astype(np.int32)
        layers.append(schema.FocusLayer(index, place.name, height, width, "ok", norm))
    one = _focus_example(scene, row, reason)
    return schema.Focus(row, one.example, one.target, one.prediction, one.explained, one.score, layers, scales), tensors


def _blob(side: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth bump at a random place, float[side side] in 0..1."""
    centre = rng.uniform(0.3, 0.7, 2)
    y, x = np.mgrid[0:side, 0:side] / max(1, side - 1)
    return np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 0.05)


# --- training -------------------------------------------------------------------------------------------------


def _write_training(writer: Writer, scene: Scene) -> None:
    rng = np.random.default_rng(4)
    rows: list[dict[str, object]] = []

    def put(step: int, layer: str, quantity: str, value: float | None, of: np.ndarray | None = None) -> None:
        histogram = None if of is None else histogram_of(of)
        bins = None if histogram is None else [*([-1] if histogram.zero else []), *histogram.bins]
        counts = None if histogram is None else [*([histogram.zero] if histogram.zero else []), *histogram.counts]
        rows.append(
            {"step": step, "seconds": step * 0.05, "layer": layer, "quantity": quantity, "value": value, "bins": bins,
             "counts": counts}
        )  # fmt: skip

    layers = [row.name for row in _parameters(scene) if row.name.endswith("weight")]
    for step in range(0, STEPS * 10, 10):
        progress = 1 - math.exp(-step / 150)
        put(step, "", "loss", 2.3 * (1 - progress) + 0.1 + float(rng.normal(0, 0.05)))
        put(step, "", "accuracy", min(1.0, 0.1 + 0.87 * progress + float(rng.normal(0, 0.01))))
        put(step, "", "learning_rate", 0.1 * (1 - step / (STEPS * 10)))
        put(step, "", "gradient_norm", float(rng.gamma(4, 0.3)) * (1.2 - progress))
        if step % 50 == 0:
            put(step, "", "validation_loss", 2.3 * (1 - progress) + 0.25)
            put(step, "", "validation_accuracy", 0.1 + 0.83 * progress)
        for name in layers:
            layer = name.removesuffix(".weight")
            put(step, layer, "gradient_norm", float(rng.gamma(4, 0.1)))
            put(step, layer, "weight_norm", 5 + progress)
            put(step, layer, "update_ratio", 10 ** float(rng.normal(-3, 0.2)))
            if step % 50 == 0:
                put(step, layer, "weight_histogram", None, rng.normal(0, 0.1 + 0.1 * progress, 400))
                put(step, layer, "gradient_histogram", None, rng.normal(0, 0.01, 400))
                put(step, layer, "activation_histogram", None, np.maximum(rng.normal(0.2, 1, 400), 0))
    columns = pa.schema(
        [
            ("step", pa.int64()),
            ("seconds", pa.float64()),
            ("layer", pa.string()),
            ("quantity", pa.string()),
            ("value", pa.float64()),
            ("bins", pa.list_(pa.int32())),
            ("counts", pa.list_(pa.int64())),
        ]
    )
    half = len(rows) // 2
    for index, some in enumerate((rows[:half], rows[half:])):
        content = parquet_bytes(pa.Table.from_pylist(some, columns))
        writer.write_file(f"training/part-{index:06d}.parquet", content, rows=len(some))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--focus", type=int, default=12)
    parser.add_argument("--no-watch", action="store_true")
    options = parser.parse_args()
    synthetic_record(
        options.out,
        examples=options.examples,
        classes=options.classes,
        hostile=options.hostile,
        watched=not options.no_watch,
        focus=options.focus,
    )


if __name__ == "__main__":
    main()
