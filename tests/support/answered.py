"""Small records whose every answer a test has chosen: `python tests/support/answered.py FOLDER` writes some to compare."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from pellucid.record import Writer, schema
from pellucid.record.tables import empty_examples, parquet_bytes, training_schema

SIDE = 24


def answered(
    path: str | Path,
    targets: Sequence[int],
    predictions: Sequence[int],
    *,
    classes: Sequence[str] = ("cat", "dog", "bird"),
    confidences: Sequence[float] | None = None,
    margins: Sequence[float] | None = None,
    entropies: Sequence[float] | None = None,
    ids: Sequence[str] | None = None,
    pictures: Sequence[int] | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
    parameters: int | None = None,
    learned: Sequence[tuple[int, float, float]] = (),
) -> Path:
    """Writes a record.

    Args:
        path: its folder.
        targets: classes by index, -1 where unknown.
        predictions: classes by index, -1 where there is none.
        classes: their names.
        confidences: of the predictions; 0.9 each where not given. The loss follows from them.
        margins, entropies: of the predictions; not known where not given.
        ids: "example-0" and so on where not given.
        pictures: a number an example, of which its picture is made; none where not given.
        columns: that came along.
        parameters: of the model; no model is named where not given.
        learned: steps, seconds and validation accuracies of a training.
    """
    number = len(targets)
    target, prediction = np.asarray(targets), np.asarray(predictions)
    sure = np.asarray([0.9] * number if confidences is None else confidences, np.float64)
    rest = (1 - sure) / max(1, len(classes) - 1)
    loss = -np.log(np.maximum(np.where(target == prediction, sure, rest), 1e-12))
    known, said = target >= 0, prediction >= 0
    model = schema.ModelInfo("Net", "", "", parameters, parameters, 4 * parameters) if parameters else None
    manifest = schema.Manifest(
        title=Path(path).name.removesuffix(".pellucid"),
        model=model,
        data=schema.DataInfo("chosen", "chosen", "", number, list(classes)),
        task="classification",
        watched=bool(learned),
    )
    with Writer.create(path, manifest, overwrite=True) as writer, writer.sealing():
        if learned:
            writer.write_file("training/part-000000.parquet", parquet_bytes(_training(learned)), rows=len(learned))
        media = [
            None if pictures is None else writer.write_media(picture(pictures[row]), "png") for row in range(number)
        ]
        table = {
            "row": pa.array(np.arange(number)),
            "id": pa.array(ids or [f"example-{row}" for row in range(number)], pa.string()),
            "target": pa.array(target, pa.int32(), mask=~known),
            "prediction": pa.array(prediction, pa.int32(), mask=~said),
            "loss": pa.array(loss, mask=~(known & said)),
            "confidence": pa.array(sure.astype(np.float32), mask=~said),
            "entropy": _known(entropies, said),
            "margin": _known(margins, said),
            "rank": pa.array(np.where(target == prediction, 0, 1), pa.int32(), mask=~(known & said)),
            "top_classes": pa.nulls(number, pa.list_(pa.int32())),
            "top_probabilities": pa.nulls(number, pa.list_(pa.float32())),
            "media": pa.array(media, pa.string()),
            "nonfinite": pa.array([False] * number),
            **{name: pa.array(values) for name, values in (columns or {}).items()},
        }
        writer.write_part(0, pa.table(table), {})
        writer.update(examples=number)
    return Path(path)


def numbered(path: str | Path, targets: Sequence[float], losses: Sequence[float]) -> Path:
    """Writes a record of a regression: of each example its target and its loss, NaN where there is none."""
    number = len(targets)
    table = {field.name: pa.nulls(number, field.type) for field in empty_examples().schema}
    loss = np.asarray(losses, np.float64)
    table |= {
        "row": pa.array(np.arange(number)),
        "id": pa.array([f"house {row}" for row in range(number)]),
        "target": pa.array(np.asarray(targets, np.float64)),
        "loss": pa.array(loss, mask=np.isnan(loss)),
        "nonfinite": pa.array(np.isnan(loss)),
    }
    data = schema.DataInfo("houses", "houses", "", number)
    manifest = schema.Manifest(title=Path(path).name, task="regression", data=data)
    with Writer.create(path, manifest) as writer, writer.sealing():
        writer.write_part(0, pa.table(table), {})
        writer.update(examples=number)
    return Path(path)


def _known(values: Sequence[float] | None, said: NDArray[np.bool_]) -> pa.Array:
    if values is None:
        return pa.nulls(len(said), pa.float32())
    return pa.array(np.asarray(values, np.float32), mask=~said)


def picture(seed: int) -> bytes:
    """A small picture that is the same for the same number."""
    pixels = np.random.default_rng(seed).integers(0, 255, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(stream, "png")
    return stream.getvalue()


def _training(learned: Sequence[tuple[int, float, float]]) -> pa.Table:
    rows = [
        {"step": step, "seconds": seconds, "layer": "", "quantity": "validation_accuracy", "value": value}
        for step, seconds, value in learned
    ]
    return pa.Table.from_pylist(rows, schema=training_schema())


def family(
    folder: Path, *, examples: int = 600, classes: int = 3, seed: int = 0, widths: Sequence[int] = (8, 16, 32)
) -> list[Path]:
    """A family of imagined models of growing size, three seeds each: the wider, the more often right."""
    rng = np.random.default_rng(seed)
    names = [f"class {index}" for index in range(classes)]
    targets = rng.integers(0, classes, examples)
    difficulty = rng.random(examples)
    made = []
    for place, width in enumerate(widths):
        for replicate in range(3):
            skill = 0.72 + 0.09 * place + 0.01 * replicate
            noise = rng.normal(0, 0.08, examples)
            right = difficulty + noise < skill
            other = (targets + rng.integers(1, max(2, classes), examples)) % classes
            confidences = np.clip(0.95 - 0.4 * difficulty + 0.04 * place + noise / 4, 1.01 / classes, 1.0)
            made.append(
                answered(
                    folder / f"width{width}-seed{replicate}.pellucid",
                    targets.tolist(),
                    np.where(right, targets, other).tolist(),
                    classes=names,
                    confidences=confidences.tolist(),
                    pictures=list(range(examples)) if examples <= 1000 else None,
                    columns={"lighting": [["day", "night"][row % 2] for row in range(examples)]},
                    parameters=100 * width * width,
                    learned=[
                        (step, 0.01 * step * (1 + place), min(skill, 0.3 + 0.004 * step * (1 + place)))
                        for step in range(0, 200, 5)
                    ],
                )
            )
    return made


if __name__ == "__main__":
    family(Path(sys.argv[1]), **{name: int(value) for name, value in (one.split("=") for one in sys.argv[2:])})
