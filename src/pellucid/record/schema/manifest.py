"""What a record says of itself: the model, the data, what was run and what is finished."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

SCHEMA_VERSION = 2

State = Literal["running", "complete", "interrupted", "failed"]


class ModelInfo(msgspec.Struct, frozen=True):
    """The model under inspection. `fingerprint` is a SHA-256 over names, shapes, dtypes and values."""

    name: str
    source: str
    fingerprint: str
    parameters: int
    trainable: int
    bytes: int
    weights: str = ""


class SavedPredictions(msgspec.Struct, frozen=True):
    """Where the answers came from, where no model was run: a file that somebody saved.

    `columns` were read as answers; `left_out` came along and are lists, which the examples table does not keep. `unnormalised`
    counts rows of probabilities that did not add up to one, `undecodable` pictures that could not be read. `matched_by` is the
    column of ids by which labels in another order were found; `unlabelled` predictions then have no label, `unmatched` labels no
    prediction. `trimmed` counts names of classes with spaces around them, which were left out.
    `numbers` says what whole numbers were read as: indices of classes, or names of classes that are called by numbers. `ignored`
    counts labels of -100, torch's ignore_index, which are not known. `alike` are names of classes that differ by case alone.
    """

    name: str
    source: str
    kind: Literal["classes", "probabilities", "logits"]
    columns: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unnormalised: int = 0
    undecodable: int = 0
    matched_by: str = ""
    unlabelled: int = 0
    unmatched: int = 0
    trimmed: int = 0
    numbers: Literal["indices", "names"] = "indices"
    ignored: int = 0
    alike: list[str] = field(default_factory=list)


class DataInfo(msgspec.Struct, frozen=True):
    """The data. `fingerprint` is a SHA-256 over its source and ids; `classes` are names in order of index.

    `labels` is the column of labels that was asked for, "" where none was.
    """

    name: str
    source: str
    fingerprint: str
    examples: int | None
    classes: list[str] = field(default_factory=list)
    labels: str = ""


class Preprocessing(msgspec.Struct, frozen=True):
    """What was done to an example before the model saw it, as named steps in order; also their fingerprint."""

    steps: list[dict[str, str | int | float | list[int | float] | None]] = field(default_factory=list)
    origin: str = "none"
    fingerprint: str = ""


class StageInfo(msgspec.Struct):
    """How far a stage of the inspection has come, and what it spent; `note`, where it did not go as asked."""

    name: Literal[
        "trace", "sweep", "focus", "learn", "features", "stimuli", "optimise", "concepts", "separation", "landscape"
    ]
    state: State = "running"
    examples: int = 0
    forward: int = 0
    backward: int = 0
    forward_examples: int = 0
    backward_examples: int = 0
    seconds: float = 0.0
    note: str = ""


class FileRef(msgspec.Struct, frozen=True):
    """A finished file of the record: path inside it, size in bytes, SHA-256, rows where it is a table."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None


class Skipped(msgspec.Struct, frozen=True):
    """An example that was left out, and why."""

    id: str
    reason: str


class Manifest(msgspec.Struct):
    """What the record holds and how it came to be; rewritten atomically whenever something is finished.

    `call_seconds` is the measured time of each call of the graph, by its id: clocks stand here alone, so that all else in a
    record is the same whenever it is made again. Where there is no `model` but `saved`, the record was made of saved predictions;
    where there are both, of the outputs of a sample that a fit looked at.
    `outputs` is what a classifier's outputs were taken for; the losses stand on it.
    """

    schema_version: int = SCHEMA_VERSION
    pellucid_version: str = ""
    title: str = ""
    created: str = ""
    updated: str = ""
    state: State = "running"
    error: str | None = None
    model: ModelInfo | None = None
    saved: SavedPredictions | None = None
    data: DataInfo | None = None
    preprocessing: Preprocessing | None = None
    task: Literal["classification", "multilabel", "regression", "none"] = "none"
    outputs: Literal["logits", "probabilities"] = "logits"
    options: dict[str, str | int | float | bool | list[str] | None] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=dict)
    stages: list[StageInfo] = field(default_factory=list)
    examples: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    nonfinite: int = 0
    chosen: int = 0
    watched: bool = False
    call_seconds: list[float | None] = field(default_factory=list)
    files: list[FileRef] = field(default_factory=list)
