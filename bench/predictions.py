"""Saved predictions by the million: ours from a file, beside scikit-learn and torchmetrics on what fits into memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.ratios import begin, finish

CLASSES = 1000
MANY, SOME = 50_000_000, 5_000_000  # ours, and what the peers are timed on: their time is in proportion
ROWS, FEW = 200_000, 20_000
TOP = (1, 2, 3, 5, 10)
PIECE = 1 << 20
BATCH, LARGE_BATCH = 256, 65_536
LIMIT = 300  # MB
ASKED = ("accuracy", "confusion")


def answers(number: int, seed: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """Targets, predicted classes, confidences and ranks, a piece at a time; right three times in four, else a class nearby."""
    generator = np.random.default_rng(seed)
    for start in range(0, number, PIECE):
        size = min(PIECE, number - start)
        target = generator.integers(CLASSES, size=size)
        rank = np.minimum(generator.geometric(0.75, size=size) - 1, CLASSES - 1)
        other = (target + generator.geometric(0.03, size=size)) % CLASSES
        yield {
            "prediction": np.where(rank == 0, target, other).astype(np.int16),
            "confidence": generator.beta(5, 1, size=size).astype(np.float32),
            "rank": rank.astype(np.int16),
            "label": target.astype(np.int16),
        }


def write_answers(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces = (pa.table(piece) for piece in answers(MANY))
    first = next(pieces)
    with pq.ParquetWriter(path, first.schema, compression="zstd", use_dictionary=False) as writer:
        writer.write_table(first)
        for piece in pieces:
            writer.write_table(piece)


def write_rows(folder: Path) -> None:
    generator = np.random.default_rng(1)
    scores = np.lib.format.open_memmap(folder / "p.npy", "w+", np.float32, (ROWS, CLASSES))
    targets = generator.integers(CLASSES, size=ROWS)
    for start in range(0, ROWS, FEW):
        logits = generator.standard_normal((FEW, CLASSES), np.float32)
        logits[np.arange(FEW), targets[start : start + FEW]] += 4
        weights = np.exp(logits)
        scores[start : start + FEW] = weights / weights.sum(axis=1, keepdims=True)
    scores.flush()
    np.save(folder / "t.npy", targets)


# --- in processes of their own, so that each has its own peak of memory ---------------------------------------------


def measured(work: Callable[[], object]) -> None:
    """Prints the processor's seconds and the peak of memory in MB."""
    begun = time.process_time()
    work()
    taken = time.process_time() - begun
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps([taken, int(peak.split()[1]) / 1000]))


def ours(predictions: str, labels: str | None, asked: tuple[str, ...] = ASKED) -> None:
    from pellucid.predictions import panels_of

    measured(lambda: panels_of(predictions, labels, lenses=asked))


def whole(predictions: str, labels: str | None, out: str) -> None:
    import pellucid

    measured(lambda: pellucid.import_predictions(predictions, labels, out=out))


def overall(target: np.ndarray, called: np.ndarray) -> None:
    """What the accuracy and confusion pages say of predicted classes, by scikit-learn's functions for each."""
    from sklearn import metrics

    metrics.confusion_matrix(target, called)
    metrics.precision_recall_fscore_support(target, called, average=None, zero_division=0)
    metrics.balanced_accuracy_score(target, called)
    metrics.cohen_kappa_score(target, called)
    metrics.matthews_corrcoef(target, called)


def scikit_learn_on_classes() -> None:
    from sklearn import calibration

    held = [np.concatenate(parts) for parts in zip(*(piece.values() for piece in answers(SOME)), strict=True)]
    called, confidence, rank, target = held
    right = called == target

    def work() -> None:
        overall(target, called)
        calibration.calibration_curve(right, confidence, n_bins=15)
        np.cumsum(np.bincount(rank)) / len(rank)  # it knows no ranks

    measured(work)


def scikit_learn_on_rows(folder: str) -> None:
    from sklearn import calibration, metrics

    scores = np.load(Path(folder) / "p.npy", mmap_mode="r")[:FEW].copy()
    target = np.load(Path(folder) / "t.npy")[:FEW]

    def work() -> None:
        called = scores.argmax(axis=1)
        overall(target, called)
        calibration.calibration_curve(called == target, scores.max(axis=1), n_bins=15)
        metrics.log_loss(target, scores, labels=range(CLASSES))
        for k in TOP:
            metrics.top_k_accuracy_score(target, scores, k=k, labels=range(CLASSES))

    measured(work)


def of_classes(options: dict[str, Any]) -> list[Any]:
    """The same by torchmetrics."""
    from torchmetrics import classification as metrics

    by_class = (metrics.MulticlassPrecision, metrics.MulticlassRecall, metrics.MulticlassF1Score)
    together = (metrics.MulticlassConfusionMatrix, metrics.MulticlassCohenKappa, metrics.MulticlassMatthewsCorrCoef)
    return [*(kind(average=None, **options) for kind in by_class), *(kind(**options) for kind in together)]


def torchmetrics_on_classes(batch: int, number: int) -> None:
    import torch
    from torchmetrics import classification as metrics

    torch.set_num_threads(1)
    held = [np.concatenate(parts) for parts in zip(*(piece.values() for piece in answers(number)), strict=True)]
    called, target = (torch.from_numpy(held[place].astype(np.int64)) for place in (0, 3))
    confidence = torch.from_numpy(held[1])
    options: dict[str, Any] = {"num_classes": CLASSES, "validate_args": False}
    found = of_classes(options)
    calibration = metrics.BinaryCalibrationError(n_bins=15, validate_args=False)

    def work() -> None:
        for start in range(0, number, batch):
            part = slice(start, start + batch)
            for metric in found:
                metric.update(called[part], target[part])
            calibration.update(confidence[part], (called[part] == target[part]).long())
        for metric in [*found, calibration]:
            metric.compute()

    measured(work)


def torchmetrics_on_rows(folder: str) -> None:
    import torch
    from torchmetrics import classification as metrics

    torch.set_num_threads(1)
    scores = torch.from_numpy(np.load(Path(folder) / "p.npy", mmap_mode="r")[:FEW].copy())
    target = torch.from_numpy(np.load(Path(folder) / "t.npy")[:FEW])
    options: dict[str, Any] = {"num_classes": CLASSES, "validate_args": False}
    found = [
        *of_classes(options),
        *(metrics.MulticlassAccuracy(top_k=k, average="micro", **options) for k in TOP),
        metrics.MulticlassCalibrationError(n_bins=15, **options),
    ]

    def work() -> None:
        for start in range(0, FEW, BATCH):
            part = slice(start, start + BATCH)
            for metric in found:
                metric.update(scores[part], target[part])
        for metric in found:
            metric.compute()

    measured(work)


def alone(call: str) -> tuple[float, float]:
    """Seconds and MB of one of these in a process of its own."""
    code = f"from bench import predictions; predictions.{call}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True)
    taken, peak = json.loads(done.stdout.splitlines()[-1])
    return taken, peak


def row(what: str, here: tuple[float, float], peers: dict[str, float], note: str) -> dict[str, object]:
    """Ours, and the peers as so many times our time."""
    seconds, peak = here
    return {
        "what": what,
        "ours": f"{seconds:.1f} s, {peak:.0f} MB",
        "limit": f"{LIMIT} MB; scikit-learn 5 times slower, torchmetrics 10 times",
        "peer": "; ".join(f"{name}: {taken / seconds:.3g} times" for name, taken in peers.items()),
        "note": note,
    }


def main() -> None:
    options = begin(__doc__)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_answers(folder / "many.parquet")
        many = alone(f"ours({str(folder / 'many.parquet')!r}, None)")
        record = alone(f"whole({str(folder / 'many.parquet')!r}, None, {str(folder / 'record')!r})")
        learn, learn_peak = alone("scikit_learn_on_classes()")
        small, _ = alone(f"torchmetrics_on_classes({BATCH}, {SOME // 20})")
        large, _ = alone(f"torchmetrics_on_classes({LARGE_BATCH}, {SOME})")
        write_rows(folder)
        rows = alone(f"ours({str(folder / 'p.npy')!r}, {str(folder / 't.npy')!r}, ('accuracy', 'confusion', 'loss'))")
        learn_rows, learn_rows_peak = alone(f"scikit_learn_on_rows({place!r})")
        torch_rows, _ = alone(f"torchmetrics_on_rows({place!r})")
    times = MANY / SOME
    finish(
        [
            row(
                f"{MANY:,} predicted classes of {CLASSES:,} with confidence and rank, from one Parquet file: confusion, every "
                "top-k, ECE, precision, recall and F1 of every class, kappa, MCC, each with its interval",
                many,
                {
                    "scikit-learn": learn * times,
                    f"torchmetrics in batches of {BATCH}": small * 20 * times,
                    f"of {LARGE_BATCH:,}": large * times,
                },
                f"peers on {SOME:,} examples in memory (scikit-learn: {learn_peak:,.0f} MB), torchmetrics in small batches on "
                f"{SOME // 20:,}, in proportion",
            ),
            {
                "what": "the same examples as a whole record: table of all rows, every answer, findings",
                "ours": f"{record[0]:.1f} s, {record[1]:.0f} MB",
            },
            row(
                f"{ROWS:,} rows of {CLASSES:,} probabilities, from .npy: the same, the loss, and areas under curves",
                rows,
                {
                    "scikit-learn": learn_rows * ROWS / FEW,
                    f"torchmetrics in batches of {BATCH}": torch_rows * ROWS / FEW,
                },
                f"peers on {FEW:,} rows in memory (scikit-learn: {learn_rows_peak:,.0f} MB), top-k for {len(TOP)} values of k, in "
                "proportion",
            ),
        ],
        options.out,
    )


if __name__ == "__main__":
    main()
