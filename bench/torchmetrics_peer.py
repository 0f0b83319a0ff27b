"""What torchmetrics costs on saved predictions in memory, each call in a process of its own; see bench.predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.predictions import CLASSES, TIMED_RESAMPLES, answers, measured

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS: dict[str, Any] = {"num_classes": CLASSES, "validate_args": False}


def of_every_class() -> list[Any]:
    """Precision, recall and F1 of each class, kappa and MCC."""
    from torchmetrics import classification as metrics

    by_class = (metrics.MulticlassPrecision, metrics.MulticlassRecall, metrics.MulticlassF1Score)
    together = (metrics.MulticlassCohenKappa, metrics.MulticlassMatthewsCorrCoef)
    return [*(kind(average=None, **OPTIONS) for kind in by_class), *(kind(**OPTIONS) for kind in together)]


def confusion() -> Any:
    """The confusion matrix."""
    from torchmetrics.classification import MulticlassConfusionMatrix

    return MulticlassConfusionMatrix(**OPTIONS)


def resampled() -> list[Any]:
    """The same with intervals: every resample is kept, for its quantiles are of all classes together."""
    from torchmetrics.wrappers import BootStrapper

    return [BootStrapper(metric, num_bootstraps=TIMED_RESAMPLES, raw=True) for metric in of_every_class()]


def timed(
    metrics: Sequence[Any], called: Tensor, target: Tensor, batch: int, beside: tuple[Any, Tensor] | None = None
) -> None:
    """Updates by batches and computes.

    Args:
        metrics: take what was called and the target.
        called: int[example] or float[example class].
        target: int[example].
        batch: examples of one update.
        beside: a metric of confidences and right answers, and the confidences.
    """

    def work() -> None:
        for start in range(0, len(target), batch):
            part = slice(start, start + batch)
            for metric in metrics:
                metric.update(called[part], target[part])
            if beside is not None:
                beside[0].update(beside[1][part], (called[part] == target[part]).long())
        for metric in [*metrics, *([] if beside is None else [beside[0]])]:
            metric.compute()

    measured(work)


def classes_in_memory(number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Called and true classes, and confidences."""
    import torch

    torch.set_num_threads(1)
    held = [np.concatenate(parts) for parts in zip(*(piece.values() for piece in answers(number)), strict=True)]
    called, target = (torch.from_numpy(held[place].astype(np.int64)) for place in (0, 3))
    return called, target, torch.from_numpy(held[1])


def rows_in_memory(folder: str, number: int) -> tuple[Tensor, Tensor]:
    """Probabilities and true classes."""
    import torch

    torch.set_num_threads(1)
    scores = torch.from_numpy(np.load(Path(folder) / "p.npy", mmap_mode="r")[:number].copy())
    return scores, torch.from_numpy(np.load(Path(folder) / "t.npy")[:number])


def on_classes(batch: int, number: int) -> None:
    """The numbers without intervals."""
    from torchmetrics.classification import BinaryCalibrationError

    called, target, confidence = classes_in_memory(number)
    calibration = BinaryCalibrationError(n_bins=15, validate_args=False)
    timed([*of_every_class(), confusion()], called, target, batch, (calibration, confidence))


def intervals_on_classes(batch: int, number: int) -> None:
    """What a few resamples cost beside the numbers."""
    called, target, _ = classes_in_memory(number)
    timed(resampled(), called, target, batch)


def on_rows(folder: str, batch: int, number: int, top: Sequence[int]) -> None:
    """The numbers without intervals, and some of top-k."""
    from torchmetrics.classification import MulticlassCalibrationError

    scores, target = rows_in_memory(folder, number)
    found = [*of_every_class(), confusion(), *map(top_k, top), MulticlassCalibrationError(n_bins=15, **OPTIONS)]
    timed(found, scores, target, batch)


def top_k(k: int) -> Any:
    """The share of examples whose target is among the first k."""
    from torchmetrics.classification import MulticlassAccuracy

    return MulticlassAccuracy(top_k=k, average="micro", **OPTIONS)


def top_k_on_rows(folder: str, batch: int, number: int, k: int) -> None:
    """One k."""
    timed([top_k(k)], *rows_in_memory(folder, number), batch)


def intervals_on_rows(folder: str, batch: int, number: int) -> None:
    """What a few resamples cost beside the numbers."""
    timed(resampled(), *rows_in_memory(folder, number), batch)
