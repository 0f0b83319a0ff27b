"""The flags about losses and labels, as a user types them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pellucid.record import Record, schema
from support.program import Program


def votes(folder: Path) -> str:
    """Thirty pictures with people's votes over ten classes."""
    Image.new("L", (8, 8), 99).save(folder / "a.png")
    content = (folder / "a.png").read_bytes()
    counts = [[row % 3 + 1 if place == row % 10 else int(place == 0) for place in range(10)] for row in range(30)]
    table = pa.table(
        {
            "image": pa.array([{"bytes": content, "path": "a.png"}] * 30),
            "label": pa.array([row % 10 for row in range(30)]),
            "votes": pa.array([[2 * one for one in row] for row in counts], pa.list_(pa.int16(), 10)),
        }
    )
    pq.write_table(table, folder / "votes.parquet")
    return "votes.parquet"


def test_a_loss_a_target_and_soft_labels_are_asked_for_by_flags(pellucid: Program, workplace: Path) -> None:
    answered = pellucid(
        "inspect", "net.py:make", "--data", votes(workplace), "--grayscale", "--labels", "votes", "--loss", "focal:gamma=1",
        "--target-loss", 0.5, "--lens", "loss", "--lens", "predictions", "--out", "r", "--chosen", 0, "--json",
    )  # fmt: skip
    assert answered.code == 0, answered.err
    assert answered.json["loss"] == "focal loss, gamma 1"
    record = Record(workplace / "r")
    panel = record.panel("loss")
    assert isinstance(panel, schema.LossPanel)
    assert (panel.spec, panel.soft, panel.count) == ("focal:gamma=1", True, 30)
    assert {one.name: one.value for one in panel.benchmarks}["target"] == 0.5
    assert record.manifest.data is not None
    assert record.manifest.data.labels == "votes"
    assert record.examples()["soft_target"].null_count == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--loss", "entropy"], "There is no loss 'entropy'. Expected cross-entropy, focal, hinge, "),
        (["--loss", "huber"], "The loss huber is for regression, but this is classification"),
        (["--loss", "net.py:nothing"], "net.py has no 'nothing'"),
        (["--labels", "votes"], "--labels names a column of a Parquet file; 'digits:test' is none"),
        (["--target-loss", "nan"], "The loss to reach must be a number; got nan"),
    ],
)
def test_what_cannot_be_is_refused_in_words(pellucid: Program, flags: list[str], said: str) -> None:
    answered = pellucid("inspect", "net.py:make", "--data", "digits:test", "--limit", 20, "--out", "r", *flags)
    assert answered.code == 2
    assert said in answered.refusal
