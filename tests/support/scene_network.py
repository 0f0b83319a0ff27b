"""What is inside of an imagined classifier: graph, activations, weights, closer looks at examples, its training."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from pellucid.record import Writer, schema
from pellucid.record.tables import parquet_bytes
from support.scene import SIDE, Scene, histogram_of

STRONGEST = 9
MAPS = 12
STEPS = 60


def graph_of(scene: Scene) -> schema.GraphPanel:
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


def activations_of(scene: Scene) -> tuple[schema.ActivationsPanel, dict[str, np.ndarray]]:
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


def parameters_of(scene: Scene) -> list[schema.ParameterRow]:
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


def chosen_of(scene: Scene, number: int) -> list[tuple[int, str]]:
    usable = np.flatnonzero(scene.counted)
    order = usable[np.argsort(-scene.losses[usable])]
    worst = [(int(row), "highest loss") for row in order[: number // 2]]
    others = [(int(row), "random") for row in scene.rng.permutation(order[number // 2 :])[: number - len(worst)]]
    return worst + others


def _focus_example(scene: Scene, row: int, reason: str) -> schema.FocusExample:
    prediction = int(scene.predictions[row])
    score = float(scene.logits[row, prediction])
    return schema.FocusExample(row, scene.ids[row], int(scene.targets[row]), prediction, prediction, score, reason)


def gradients_of(scene: Scene, rows: list[tuple[int, str]]) -> schema.GradientsPanel:
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


def focus_of(scene: Scene, row: int, reason: str) -> tuple[schema.Focus, dict[str, np.ndarray]]:
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


def write_training(writer: Writer, scene: Scene) -> None:
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

    layers = [row.name for row in parameters_of(scene) if row.name.endswith("weight")]
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
