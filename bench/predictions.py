"""Saved predictions by the million: ours from a file, beside scikit-learn and torchmetrics on what fits into memory.

Peers are asked twice: for the same numbers as they give them, and (torchmetrics) for what ours answers beside, an interval for
every number and top-k for every k.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import numpy as np

from bench.ratios import begin, finish

CLASSES = 1000
MANY, SOME = 50_000_000, 5_000_000  # ours, and what the peers are timed on: their time is in proportion
ROWS, FEW = 200_000, 20_000
TOP = (1, 2, 3, 5, 10)
PIECE = 1 << 20
BATCH, LARGE_BATCH = 256, 65_536
# Of all k, those that are timed, from which the others follow in proportion; and resamples, of which as few are timed.
TIMED_K = (1, 2, 10, 100, 500, 1000)
RESAMPLES, TIMED_RESAMPLES = 100, 2
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


def beforehand() -> None:
    """Imports what is only imported where it is used, as peers have theirs before their clock starts."""
    for name in ("pyarrow.parquet", "scipy.cluster.hierarchy", "scipy.special"):
        import_module(name)


def measured(work: Callable[[], object]) -> None:
    """Prints the processor's seconds and the peak of memory in MB."""
    begun = time.process_time()
    work()
    taken = time.process_time() - begun
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps([taken, int(peak.split()[1]) / 1000]))


def ours(predictions: str, labels: str | None, asked: tuple[str, ...] = ASKED) -> None:
    from pellucid.predictions import panels_of

    beforehand()
    measured(lambda: panels_of(predictions, labels, lenses=asked))


def whole(predictions: str, labels: str | None, out: str) -> None:
    import pellucid

    beforehand()
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


def alone(call: str) -> tuple[float, float]:
    """Seconds and MB of one of these in a process of its own."""
    code = f"from bench import predictions, torchmetrics_peer; {call}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True)
    taken, peak = json.loads(done.stdout.splitlines()[-1])
    return taken, peak


def every_k(timed: Mapping[int, float], classes: int) -> float:
    """What top-k costs for every k from 1 to `classes`, from some; in proportion between two that were timed."""
    places = sorted(timed)
    return float(np.interp(np.arange(1, classes + 1), places, [timed[k] for k in places]).sum())


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


SMALL, LARGE = f"torchmetrics in batches of {BATCH}", f"of {LARGE_BATCH:,}"
# Rows and examples that torchmetrics is timed on: by the size of its batches, plainly and with resamples.
TIMED_ON = {BATCH: (SOME // 20, SOME // 50), LARGE_BATCH: (SOME, 16 * LARGE_BATCH)}
TIMED_ROWS = {BATCH: FEW, LARGE_BATCH: LARGE_BATCH}


def by_classes(folder: Path) -> list[dict[str, object]]:
    """Rows of predicted classes alone."""
    file = str(folder / "many.parquet")
    write_answers(Path(file))
    many = alone(f"predictions.ours({file!r}, None)")
    record = alone(f"predictions.whole({file!r}, None, {str(folder / 'record')!r})")
    learn, learn_peak = alone("predictions.scikit_learn_on_classes()")
    plain, intervals = {}, {}
    for batch, (number, resampled) in TIMED_ON.items():
        plain[batch] = alone(f"torchmetrics_peer.on_classes({batch}, {number})")[0] * MANY / number
        call = f"torchmetrics_peer.intervals_on_classes({batch}, {resampled})"
        intervals[batch] = alone(call)[0] * MANY / resampled * RESAMPLES / TIMED_RESAMPLES
    return [
        row(
            f"{MANY:,} predicted classes of {CLASSES:,} with confidence and rank, from one Parquet file: confusion, every top-k, "
            "ECE, precision, recall and F1 of every class, kappa, MCC, each with its interval",
            many,
            {"scikit-learn": learn * MANY / SOME, SMALL: plain[BATCH], LARGE: plain[LARGE_BATCH]},
            "peers are asked for the same numbers without any interval, torchmetrics without top-k, for it takes no ranks. They "
            f"are timed on {SOME:,} examples in memory (scikit-learn: {learn_peak:,.0f} MB), torchmetrics in small batches on "
            f"{TIMED_ON[BATCH][0]:,}, in proportion",
        ),
        row(
            "the same question: with an interval for each class's precision, recall and F1, kappa and MCC",
            many,
            {name: plain[batch] + intervals[batch] for name, batch in ((SMALL, BATCH), (LARGE, LARGE_BATCH))},
            f"torchmetrics gives intervals by its BootStrapper, here of {RESAMPLES} resamples around each of the five metrics, in "
            f"addition to the numbers of the row above; timed with {TIMED_RESAMPLES} resamples on {TIMED_ON[BATCH][1]:,} examples "
            f"and {TIMED_ON[LARGE_BATCH][1]:,} in large batches, in proportion. Still none for ECE and for the cells, and no top-k",
        ),
        {
            "what": "the same examples as a whole record: table of all rows, every answer, findings",
            "ours": f"{record[0]:.1f} s, {record[1]:.0f} MB",
        },
    ]


def by_rows(folder: Path) -> list[dict[str, object]]:
    """Rows of probabilities of every class."""
    write_rows(folder)
    place = str(folder)
    files = f"{str(folder / 'p.npy')!r}, {str(folder / 't.npy')!r}"
    rows = alone(f"predictions.ours({files}, ('accuracy', 'confusion', 'loss'))")
    learn, learn_peak = alone(f"predictions.scikit_learn_on_rows({place!r})")
    plain, without, every, intervals = {}, {}, {}, {}
    for batch, number in TIMED_ROWS.items():
        times = ROWS / number
        plain[batch] = alone(f"torchmetrics_peer.on_rows({place!r}, {batch}, {number}, {TOP})")[0] * times
        without[batch] = alone(f"torchmetrics_peer.on_rows({place!r}, {batch}, {number}, ())")[0] * times
        timed = {k: alone(f"torchmetrics_peer.top_k_on_rows({place!r}, {batch}, {number}, {k})")[0] for k in TIMED_K}
        every[batch] = every_k(timed, CLASSES) * times
        taken = alone(f"torchmetrics_peer.intervals_on_rows({place!r}, {batch}, {number})")[0]
        intervals[batch] = taken * times * RESAMPLES / TIMED_RESAMPLES
    batches = ((SMALL, BATCH), (LARGE, LARGE_BATCH))
    timed_on = f"{FEW:,} rows in memory, {LARGE_BATCH:,} in large batches"
    return [
        row(
            f"{ROWS:,} rows of {CLASSES:,} probabilities, from .npy: the same, the loss, and areas under curves",
            rows,
            {"scikit-learn": learn * ROWS / FEW, **{name: plain[batch] for name, batch in batches}},
            f"peers are asked for the same numbers without any interval, and for top-k of {len(TOP)} values of k. They are timed "
            f"on {timed_on} (scikit-learn: {FEW:,}, {learn_peak:,.0f} MB), in proportion",
        ),
        row(
            f"the same numbers: top-k for every k from 1 to {CLASSES:,}, without intervals",
            rows,
            {name: without[batch] + every[batch] for name, batch in batches},
            f"torchmetrics needs a metric for each k: {', '.join(map(str, TIMED_K))} are timed on {timed_on}, the others in "
            "proportion between these. Ours counts ranks, from which every k follows",
        ),
        row(
            "the same question: every k, and an interval for each class's precision, recall and F1, kappa and MCC",
            rows,
            {name: without[batch] + every[batch] + intervals[batch] for name, batch in batches},
            f"in addition to the row above the BootStrapper of {RESAMPLES} resamples around each of the five metrics, timed with "
            f"{TIMED_RESAMPLES} on {timed_on}, in proportion. Still no interval for top-k, ECE and the loss, and no areas",
        ),
    ]


def main() -> None:
    options = begin(__doc__)
    with tempfile.TemporaryDirectory() as place:
        rows = [*by_classes(Path(place)), *by_rows(Path(place))]
    finish(rows, options.out)


if __name__ == "__main__":
    main()
