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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from pellucid.record import Writer, schema
from support.fitted import fit_panel
from support.scene import HOSTILE, SIDE, Scene, imagined
from support.scene_network import (
    activations_of,
    chosen_of,
    focus_of,
    gradients_of,
    graph_of,
    parameters_of,
    write_training,
)
from support.scene_outcomes import accuracy_of, confusion_of, loss_of

TOP = 5
PART = 256
MOST_PARTS = 64
PICTURES = 500


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
    scene = imagined(examples, classes, seed, hostile)
    root = Path(path)
    with Writer.create(root, _manifest(scene, seed, watched), overwrite=True) as writer, writer.sealing():
        if watched:
            write_training(writer, scene)
        # Beyond so many examples pictures come again: a million files of noise would show nothing more.
        drawn = [writer.write_media(_picture(scene, row), "png") for row in range(min(examples, PICTURES))]
        scene.media = [drawn[row % PICTURES] for row in range(examples)]
        table = examples_table(scene)
        size = max(PART, math.ceil(examples / MOST_PARTS))
        for index, start in enumerate(range(0, examples, size)):
            part = table.slice(start, size)
            writer.write_part(index, part, {"loss": ({"count": part.num_rows}, {"sum": np.zeros(2)})})
        rows = chosen_of(scene, focus)
        for row, reason in rows:
            writer.write_focus(row, *focus_of(scene, row, reason))
        _write_panels(writer, scene, rows)
        writer.update(chosen=len(rows), nonfinite=int((~scene.finite).sum()), stages=_stages(examples, len(rows)))
    return root


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
    parameters = sum(row.count for row in parameters_of(scene))
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


def _write_panels(writer: Writer, scene: Scene, rows: list[tuple[int, str]]) -> None:
    writer.write_panel(graph_of(scene))
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
    writer.write_panel(loss_of(scene))
    writer.write_panel(accuracy_of(scene))
    writer.write_panel(confusion_of(scene))
    writer.write_panel(*activations_of(scene))
    parameters = parameters_of(scene)
    writer.write_panel(schema.WeightsPanel(count=sum(row.count for row in parameters), parameters=parameters))
    writer.write_panel(gradients_of(scene, rows))
    name = HOSTILE[2] if scene.hostile else "net"
    writer.write_panel(fit_panel(scene.classes, name, np.random.default_rng(0)))
    if scene.hostile:
        table = schema.Table(HOSTILE[0], list(HOSTILE[:3]), [[HOSTILE[4], 1, None], [HOSTILE[5], 0.5, True]])
        writer.write_panel(schema.CustomPanel(title=HOSTILE[0], tables=[table], count=2), name="stranger")


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
