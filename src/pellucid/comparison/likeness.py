"""How alike the layers of two models see the same examples, from the features that both records kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.together import Together
from pellucid.errors import RecordError
from pellucid.record import Record, schema

LEAST_EXAMPLES = 8
LENS = "similarity"


def likeness(all_: Together, old: int, new: int) -> tuple[schema.LayerLikeness, NDArray[np.float32] | None]:
    """Debiased linear CKA of every layer of one model with every layer of the other.

    The lens "similarity" keeps the features of a random sample of examples; those that are in both samples are laid side by
    side. Samples of the same data with the same seed are the same.

    Returns: what there is, and float32[old layer new layer], NaN where a layer tells no two examples apart; or None and why.
    """
    first, second = all_.answers[old].record, all_.answers[new].record
    lacking = [all_.names[one] for one in (old, new) if LENS not in all_.answers[one].record.panels]
    if lacking:
        return _none(
            f"{' and '.join(lacking)} {'keep' if len(lacking) > 1 else 'keeps'} no features of layers; inspect with the lens "
            "'similarity' to have them"
        ), None
    try:
        rows, other_rows = first.array(LENS, "rows"), second.array(LENS, "rows")
        places, other_places = _common(all_, old, new, rows, other_rows)
        if len(places) < LEAST_EXAMPLES:
            return _none(
                f"only {len(places)} examples are in the samples of both; inspect both on the same data with the same --seed"
            ), None
        names, features = _features(first, places)
        other_names, other_features = _features(second, other_places)
    except RecordError as error:
        return _none(str(error)), None
    matrix = _cross(features, other_features)
    said = schema.LayerLikeness(f"likeness.{new}", len(places), names, other_names)
    return said, matrix


def _none(why: str) -> schema.LayerLikeness:
    return schema.LayerLikeness("", 0, [], [], why)


def _common(
    all_: Together, old: int, new: int, rows: NDArray[np.int64], other_rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in both samples of the examples that are in both."""
    bases = []
    for model, sample in ((old, rows), (new, other_rows)):
        partners = all_.matches[model].partners
        base = np.full(len(all_.answers[model]), -1, np.int64)
        found = np.flatnonzero(partners >= 0)
        base[partners[found]] = found
        bases.append(base[sample])
    _, places, other_places = np.intersect1d(bases[0], bases[1], return_indices=True)
    kept = bases[0][places] >= 0
    return places[kept], other_places[kept]


def _features(record: Record, places: NDArray[np.int64]) -> tuple[list[str], list[NDArray[np.float64]]]:
    panel = record.panel(LENS)
    if not isinstance(panel, schema.SimilarityPanel):
        raise RecordError(f"The panel '{LENS}' of {record.path} is of another kind.")
    layers = panel.layers
    return [layer.name for layer in layers], [
        record.array(LENS, f"{layer.index}.features")[places].astype(np.float64) for layer in layers
    ]


def _cross(first: list[NDArray[np.float64]], second: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    from pellucid.mapping.similarity import centred  # imports torch: only where there are features

    one = np.stack([_unit(centred(features)) for features in first])
    other = np.stack([_unit(centred(features)) for features in second])
    return (one @ other.T).astype(np.float32)


def _unit(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = float(np.sqrt((gram * gram).sum()))
    return gram.ravel() / norm if norm > 0 else np.full(gram.size, np.nan)
