"""`pellucid.compare`: records side by side, what it says, and the record that it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison import writing
from pellucid.comparison.answers import answers_of, names_of
from pellucid.comparison.costs import check_reach, factors_of, flops_of, learned, seconds_of, target_accuracy
from pellucid.comparison.findings import findings_of
from pellucid.comparison.gate import Rule, judge, read_rule
from pellucid.comparison.likeness import likeness
from pellucid.comparison.notes import notes_of
from pellucid.comparison.pairs import compared, pair_of
from pellucid.comparison.sizes import sizes_of, trends_of
from pellucid.comparison.together import Together, together
from pellucid.errors import DataError
from pellucid.measures.calibration import BINS, bin_of, reliability
from pellucid.measures.intervals import mean_interval, wilson
from pellucid.record import Record, schema


@dataclass(frozen=True)
class Comparison:
    """What a comparison says; `write` keeps it as a record.

    Attributes:
        panel: all numbers, with their intervals.
        arrays: its large answers by name.
        title: "small → large".
    """

    panel: schema.ComparisonPanel
    arrays: dict[str, NDArray[np.float32]]
    title: str
    _together: Together = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether a rule of `fail_if` failed."""
        return any(gate.failed for gate in self.panel.gates)

    def write(self, out: str | Path, *, overwrite: bool = False) -> Record:
        """Writes a record of the new model's examples with the others' answers as columns.

        Raises: RecordError: something is there already. OptionError: it is one of the compared records. StorageError.
        """
        return writing.write(out, self._together, self.panel, self.arrays, title=self.title, overwrite=overwrite)


def compare(
    old: str | Path | Record,
    new: str | Path | Record | None = None,
    *more: str | Path | Record,
    out: str | Path | None = None,
    fail_if: str | Iterable[str] = (),
    to_accuracy: float | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Compares two or more models on the examples that their records have in common.

        found = pellucid.compare("before.pellucid", "after.pellucid", fail_if="accuracy drops by 1% at 95%")
        found.panel.pairs[0].measures[0]  # accuracy: old, new, difference, interval
        found.failed

    Args:
        old: the record to compare with, the one before.
        new: the record that is judged; its examples are those of the comparison. Without it there is nothing to compare with.
        more: others, each compared with `old` too.
        out: where to write the comparison as a record; nowhere where None.
        fail_if: rules like "accuracy drops by 1% at 95%"; see docs/comparing.md.
        to_accuracy: accuracy to which training steps and seconds are counted; what three in four trainings reached where None.
        overwrite: replace a record at `out`.

    Raises:
        DataError: there is one record only, or they are of different data, classes or tasks.
        OptionError: a rule that cannot be read or judged.
        RecordError: a record cannot be read.
    """
    rules = [read_rule(text) for text in ([fail_if] if isinstance(fail_if, str) else fail_if)]
    check_reach(to_accuracy)
    if new is None:
        raise DataError(f"A comparison needs at least two records, the old and the new; got {old} alone.")
    records = [one if isinstance(one, Record) else Record(one) for one in (old, new, *more)]
    all_ = together([answers_of(record) for record in records], names_of([record.path for record in records]))
    panel, arrays = _panel(all_, rules, to_accuracy)
    found = Comparison(
        panel, arrays, f"{all_.names[0]} → {', '.join(all_.names[1:4])}{' ...' if len(records) > 4 else ''}", all_
    )
    if out is not None:
        found.write(out, overwrite=overwrite)
    return found


def _panel(
    all_: Together, rules: list[Rule], to_accuracy: float | None
) -> tuple[schema.ComparisonPanel, dict[str, NDArray[np.float32]]]:
    unit = _unit(all_)
    models = [_model(all_, index) for index in range(len(all_.names))]
    target = target_accuracy(models) if to_accuracy is None else to_accuracy
    pairs, arrays, gates = [], {}, []
    for index in range(1, len(models)):
        said, matrix = likeness(all_, 0, index)
        if matrix is not None:
            arrays[said.array] = matrix
        pairs.append(compared(all_, 0, index, unit, said))
        gates += [judge(rule, pair_of(all_, 0, index), all_, all_.names[index], unit) for rule in rules]
    sizes = sizes_of(models, all_, target)
    trends = trends_of(models, sizes, target)
    panel = schema.ComparisonPanel(
        count=pairs[0].count or pairs[0].measures[1].count,
        findings=findings_of(models, pairs, gates, trends, target),
        models=models,
        pairs=pairs,
        notes=list(notes_of(all_)),
        gates=gates,
        sizes=sizes,
        trends=trends,
        target_accuracy=target if any(model.learned for model in models) else None,
    )
    return panel, arrays


def _unit(all_: Together) -> str:
    for one in all_.answers:
        panel = one.record.panel("loss") if "loss" in one.record.panels else None
        if isinstance(panel, schema.LossPanel):
            return panel.unit
    return "nats" if all_.classes else ""


def _model(all_: Together, index: int) -> schema.ComparedModel:
    """One model over the examples that all models can be judged on."""
    record, found = all_.answers[index].record, all_.matches[index]
    manifest, rise = record.manifest, learned(record)
    common = all_.common
    rights = all_.rights[index, common]
    count, correct = len(rights), int(rights.sum())
    confidences = _comparable(all_.confidences[:, common])[index]
    bins, ece = _calibration(confidences[:0], rights[:0]) if all_.soft else _calibration(confidences, rights)
    losses = _comparable(all_.losses[:, common])[index]
    losses = losses[~np.isnan(losses)]
    mean = float(losses.mean()) if len(losses) and np.isfinite(losses).all() else None
    spread = 0.0 if mean is None else float(((losses - mean) ** 2).sum())
    return schema.ComparedModel(
        name=all_.names[index],
        record=record.path.resolve().name,
        title=manifest.title,
        fingerprint=manifest.model.fingerprint if manifest.model else "",
        parameters=manifest.model.parameters if manifest.model else None,
        flops=flops_of(record),
        seconds=seconds_of(record),
        bytes=manifest.model.bytes if manifest.model else None,
        device=manifest.device,
        count=count,
        correct=correct,
        accuracy=correct / count if count else None,
        accuracy_interval=wilson(correct, count),
        loss=mean,
        loss_interval=None if mean is None else mean_interval(len(losses), float(losses.sum()), spread),
        ece=ece,
        confidence=float(confidences[np.isfinite(confidences)].mean()) if np.isfinite(confidences).any() else None,
        calibration=bins,
        factors=factors_of(all_.names[index]),
        matched=found.count - all_.relabelled[index],
        unmatched=found.unmatched,
        unanswered=found.unanswered,
        repeated=found.repeated,
        relabelled=all_.relabelled[index],
        matched_by=found.by,
        learned=rise.points,
        accuracy_of=rise.of,
        training_steps=rise.steps,
        training_seconds=rise.seconds,
        infinite=int(np.isinf(all_.losses[index]).sum()),
    )


def _comparable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[model example], NaN where a model that has any such number has none: means are over the same examples."""
    known = ~np.isnan(values)
    shared = known[known.any(axis=1)].all(axis=0)
    return np.where(shared, values, np.nan)


def _calibration(
    confidences: NDArray[np.float64], rights: NDArray[np.bool_]
) -> tuple[list[schema.CalibrationBin], float | None]:
    known = np.isfinite(confidences)
    index = bin_of(confidences[known])
    return reliability(
        np.bincount(index, minlength=BINS),
        np.bincount(index, confidences[known], BINS).astype(np.float64),
        np.bincount(index, rights[known], BINS).astype(np.int64),
    )
