"""What the rows of layers say in words: gradients that vanish, explode or never come, updates of the wrong size, dead units.

Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.record.schema import Finding, Severity
from pellucid.record.training import ZERO
from pellucid.watch.series import found_in, late, median, named

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pellucid.watch.series import AllSeries

# A layer's gradient, next to the median layer's, relative to its weights.
VANISHING = 1e-4
EXPLODING = 1e4
# A gradient times the norm of its weights, next to the loss: what is larger has exploded, whatever the others are.
LARGE_GRADIENT = 1e3
# Size of an update next to the weights; around 1e-3 is common.
SMALL_UPDATE, LARGE_UPDATE = 1e-6, 0.1
# Weights that grow from nothing by equal steps are changed by 1 / t of their size at step t, faster ones by 2 or 3 / t.
GROWING = 3.0
# Median gradient of a layer next to its largest: below it the layer has learnt what it could.
CONVERGED = 1e-3
_FEWEST = 5


def layer_findings(table: pa.Table, series: AllSeries) -> list[Finding]:
    """Findings on single layers, in no order.

    Args:
        table: columns of docs/format.md.
        series: the same without histograms.
    """
    reached = {layer: one for layer in _layers(series) if (one := _reached(series, layer)) is not None}
    far, vanished = _far_gradients(series)
    without = {layer: one for layer, one in reached.items() if layer not in vanished and one.is_rare}
    return [
        *far,
        *_without_gradient(series, without, everything=len(without) == len(reached)),
        *_updates(series, reached, told={*vanished, *without}),
        *_dead(table, series),
    ]


def _layers(series: AllSeries) -> list[str]:
    return list(dict.fromkeys(layer for layer, _ in series if layer))


@dataclass(frozen=True)
class _Reached:
    """At which recorded steps a layer that is trained had a gradient that is not 0.

    Attributes:
        steps: int64[step]; there: bool[step].
        absent: whether it had none at all, not even zeros, at all the others.
    """

    steps: NDArray[np.int64]
    there: NDArray[np.bool_]
    absent: bool

    @property
    def lost(self) -> int:
        """At how many steps it had none."""
        return int((~self.there).sum())

    @property
    def has_ended(self) -> bool:
        """Whether it had none at the end, for much longer than it ever did before."""
        places = np.flatnonzero(self.there)
        if not len(places):
            return len(self.there) >= _FEWEST
        without = len(self.there) - 1 - int(places[-1])
        return without >= max(2 * _FEWEST, 3 * int(np.diff(places, prepend=-1).max()))

    @property
    def is_rare(self) -> bool:
        """Whether it had none at most steps of the second half, or none any more."""
        return self.has_ended or (len(self.there) >= 2 * _FEWEST and float(late(self.there).mean()) < 0.5)


def _reached(series: AllSeries, layer: str) -> _Reached | None:
    """None for a layer that is not trained."""
    steps, ratios = found_in(series, layer, "update_ratio")
    if not len(steps):
        return None
    norms = dict(zip(*(one.tolist() for one in found_in(series, layer, "gradient_norm")), strict=True))
    present = np.array([step in norms for step in steps.tolist()])
    gradients = np.array([norms.get(step, 0.0) for step in steps.tolist()])
    # An optimizer that frees gradients before its step has used them all the same.
    there = np.where(present, gradients != 0, ratios > 0)
    return _Reached(steps, there, absent=not (present & ~there).any())


def _without_gradient(series: AllSeries, without: dict[str, _Reached], *, everything: bool) -> list[Finding]:
    """Layers that no gradient reached at most steps: unused, cut off, or behind units that are dead."""
    if not without:
        return []
    layers = sorted(without, key=lambda layer: (not without[layer].has_ended, -without[layer].lost))
    first = without[layers[0]]
    total, lost = len(first.there), first.lost
    at, losses = found_in(series, "", "loss")
    # A loss of exactly 0 (all margins kept) has no gradient, and leaves nothing to learn.
    if everything and median(losses[np.isin(at, first.steps[~first.there])]) == 0:
        return []
    severity: Severity = "low" if not first.has_ended else "medium" if first.absent and not everything else "high"
    when = f"at any of {total:,} recorded steps" if lost == total else f"at {lost:,} of {total:,} recorded steps"
    if lost < total and first.has_ended:
        when += f", all after step {first.steps[np.flatnonzero(first.there)[-1]]:,} among them"
    what = named(layers) + (f" ({layers[0]}: {when})" if len(layers) > 1 else f" {when}")
    advice = (
        "the other steps alone train what stands there"
        if not first.has_ended
        else "nothing learns; the loss is cut off from the weights, or units that all are dead stand between them"
        if everything
        else "the loss does not depend on what stands there, it is cut off (detach), or all units behind it are dead"
    )
    return [
        Finding(
            kind="no-gradient",
            severity=severity,
            sentence=f"No gradient reached {what}: {advice}.",
            count=total,
            page="training",
            weight=0.85,
            evidence={"layers": len(layers), "steps": lost},
            selection={"layer": layers[0]},
        )
    ]


@dataclass(frozen=True)
class _Sizes:
    """Gradients of layers in the second half of the run, where they are not 0.

    Attributes:
        norms: by layer; relative: to the weights; products: with the weights' norm.
        zeros: layers whose gradients are 0.
        loss: absolute value, what products are large or small beside; 1 where it is not known.
    """

    norms: dict[str, float]
    relative: dict[str, float]
    products: dict[str, float]
    zeros: list[str]
    loss: float

    def reference(self) -> tuple[float, str]:
        """What a layer's relative gradient is compared with, and its name: the median layer's, if that is sound itself."""
        middle = float(np.median(list(self.relative.values())))
        top = max(self.relative, key=lambda layer: self.relative[layer])
        bottom = min(self.relative, key=lambda layer: self.relative[layer])
        usual = float(np.median(list(self.norms.values())))
        # Weights of about 0 have a large relative gradient as well: there the gradient itself is as the others'.
        if self.relative[top] > EXPLODING * middle and self.norms[top] > EXPLODING * usual and not self.is_large(top):
            return self.relative[top], f"those of {top}"
        if self.relative[bottom] < VANISHING * middle and self._exceeds(np.median(list(self.products.values()))):
            return self.relative[bottom], f"those of {bottom}"
        return middle, "the median layer's"

    def is_large(self, layer: str) -> bool:
        """Whether a layer's gradient has exploded, whatever the others are."""
        return self._exceeds(self.products[layer])

    def _exceeds(self, product: float | np.floating) -> bool:
        return float(product) > LARGE_GRADIENT * self.loss


def _sizes(series: AllSeries) -> _Sizes:
    loss = median(np.abs(late(found_in(series, "", "loss")[1])))
    found = _Sizes({}, {}, {}, [], loss if loss > 0 else 1.0)
    for layer in _layers(series):
        _, values = found_in(series, layer, "gradient_norm")
        weight = median(found_in(series, layer, "weight_norm")[1])
        norm = median(late(values))
        if np.isfinite(values).sum() < _FEWEST or not weight > 0 or np.isnan(norm):
            continue
        if norm == 0:
            found.zeros.append(layer)
            continue
        found.norms[layer], found.relative[layer], found.products[layer] = norm, norm / weight, norm * weight
    return found


def _far_gradients(series: AllSeries) -> tuple[list[Finding], list[str]]:
    """Layers whose gradients are far from the others', and the names of those where they vanish."""
    sizes = _sizes(series)
    relative = sizes.relative
    if len(relative) < 2:
        return [], []
    reference, whose = sizes.reference()
    vanished = [layer for layer in relative if relative[layer] < VANISHING * reference]
    exploded = [layer for layer in relative if relative[layer] > EXPLODING * reference and sizes.is_large(layer)]
    if vanished:  # the smallest are 0 in float32; zeros alone have another cause
        vanished = [*sizes.zeros, *sorted(vanished, key=lambda layer: relative[layer])]
    exploded.sort(key=lambda layer: -relative[layer])
    count = max(len(at) for (layer, quantity), (at, _) in series.items() if layer and quantity == "gradient_norm")
    found = []
    for kind, layers, word in (("vanishing", vanished, "smaller"), ("exploding", exploded, "larger")):
        if not layers:
            continue
        factor = relative.get(layers[0], 0.0) / reference
        size = f"{max(factor, 1 / factor):.0e} times {word} than" if factor else "zero, unlike"
        found.append(
            Finding(
                kind=f"{kind}-gradients",
                severity="high",
                sentence=(
                    f"Gradients are {kind} in {named(layers)}: relative to the weights, those of {layers[0]} are "
                    f"{size} {whose} (in the second half of the run)."
                ),
                count=count,
                page="training",
                weight=0.8,
                evidence={"layers": len(layers), "factor": factor, "reference": reference},
                selection={"layer": layers[0]},
            )
        )
    return found, vanished


def _updates(series: AllSeries, reached: dict[str, _Reached], told: set[str]) -> list[Finding]:
    """Layers that the optimizer hardly moves, or throws about; small updates that are `told` have another reason."""
    usual: dict[str, float] = {}
    last: dict[str, float] = {}
    count = 0
    for layer, one in reached.items():
        steps, ratios = found_in(series, layer, "update_ratio")
        finite = np.isfinite(ratios)
        if finite.sum() < _FEWEST:
            continue
        count = max(count, int(finite.sum()))
        age = float(np.median(late(steps))) - float(steps[0]) + 1
        size = median(late(ratios))
        if size > max(LARGE_UPDATE, GROWING / age):
            last[layer] = size
        size = median(ratios[one.there]) if one.there.any() else float("nan")
        if size < SMALL_UPDATE and layer not in told and not _converged(series, layer):
            usual[layer] = size
    found: list[Finding] = []
    for kind, medians, advice, when in (
        ("small-updates", usual, "they hardly learn; the learning rate may be far too low", ""),
        (
            "large-updates",
            last,
            "they are thrown about; the learning rate may be far too high",
            " in the second half of the run",
        ),
    ):
        layers = sorted(medians, key=lambda layer: medians[layer], reverse=medians is last)
        if layers:
            found.append(
                Finding(
                    kind=kind,
                    severity="medium",
                    sentence=(
                        f"A step changes the weights of {named(layers)} by {medians[layers[0]]:.1e} of their size at "
                        f"the median{when}, where about 1e-3 is common: {advice}."
                    ),
                    count=count,
                    page="training",
                    weight=0.6,
                    evidence={"layers": len(layers), "median": medians[layers[0]]},
                    selection={"layer": layers[0]},
                )
            )
    return found


def _converged(series: AllSeries, layer: str) -> bool:
    """Whether there is nothing left to learn: the gradient has shrunk with the updates, and not to nothing at all."""
    _, values = found_in(series, layer, "gradient_norm")
    known = values[np.isfinite(values)]
    return len(known) > 0 and 0 < float(np.median(known)) < CONVERGED * float(known.max())


def _dead(table: pa.Table, series: AllSeries) -> list[Finding]:
    """Activations whose counted outputs were all 0 in the second half of the run."""
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table["quantity"], "activation_histogram")).sort_by("step")
    if not rows.num_rows:
        return []
    zero = pc.and_(
        pc.equal(pc.list_value_length(rows["bins"]), 1), pc.equal(pc.list_element(rows["bins"], 0), ZERO)
    ).to_numpy(zero_copy_only=False)
    by_layer: dict[str, list[bool]] = {}
    for layer, one in zip(rows["layer"].to_pylist(), zero.tolist(), strict=True):
        by_layer.setdefault(layer, []).append(one)
    dead = [
        layer
        for layer, flags in by_layer.items()
        if len(flags) >= _FEWEST and all(late(np.array(flags))) and (layer, "weight_norm") not in series
    ]
    if not dead:
        return []
    flags = by_layer[dead[0]]
    return [
        Finding(
            kind="dead-activations",
            severity="high",
            sentence=(
                f"Every counted output of {named(dead)} is 0 in the second half of the run ({dead[0]}: at {sum(flags):,} of "
                f"{len(flags):,} recorded steps): no gradient passes. A learning rate that is too high kills units so; begin "
                "with new weights."
            ),
            count=len(flags),
            page="training",
            weight=0.9,
            evidence={"layers": len(dead), "steps": sum(flags)},
            selection={"layer": dead[0]},
        )
    ]
