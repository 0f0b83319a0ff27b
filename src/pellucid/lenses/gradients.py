"""Gradients: what did the answers depend on, and does the signal reach every layer?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.attribution.cam import no_cam
from pellucid.lenses import LensContext
from pellucid.lenses.focus import answer_of
from pellucid.lenses.rows import Unlike, merge_unlike, unlike_rows, unlike_words
from pellucid.measures import histogram
from pellucid.measures.histogram import ExponentHistogram
from pellucid.record.schema import Finding, FocusExample, GradientLayer, GradientsPanel
from pellucid.types import Needs, Observation

# Ratio of the gradient's size in the first third of the layers to that in the last third.
VANISHING = 1e-3
EXPLODING = 1e3


@dataclass
class GradientsLens:
    """Sums over the chosen examples of each layer's activation gradient, and who the examples are.

    Attributes:
        examples: of the focus stage, as plain dicts.
        norms: layer -> float64[sum of L2 norms, examples, values, zeros, non-finite].
        bins, special: layer -> the gradient's histogram.
        places: layer -> [index, reason why no Grad-CAM or None].
        unlike: layers that are left out, because a batch of theirs had not one row an example.
        refusal: why the model has no gradients to look at, in words; "" where it has.
    """

    name: ClassVar[str] = "gradients"
    needs: ClassVar[Needs] = Needs(stages=frozenset({"focus"}), outputs=True, activations=True, gradients=True)

    context: LensContext = field(default_factory=LensContext)
    examples: list[dict[str, str | int | float | None]] = field(default_factory=list)
    input_shape: list[int] = field(default_factory=list)
    norms: dict[str, np.ndarray] = field(default_factory=dict)
    bins: dict[str, np.ndarray] = field(default_factory=dict)
    special: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, list[int | str | None]] = field(default_factory=dict)
    unlike: Unlike = field(default_factory=dict)
    refusal: str = ""

    def observe(self, seen: Observation) -> None:
        """Adds the gradients of some chosen examples."""
        import torch

        if seen.stage != "focus":
            return
        self.refusal = self.refusal or seen.refusal
        if seen.batch is None:
            return
        for place in range(len(seen.batch)):
            reason = seen.reasons[place] if seen.reasons else ""
            self.examples.append({**answer_of(seen, place), "reason": reason})  # type: ignore[dict-item]
        if isinstance(seen.batch.inputs, torch.Tensor):
            self.input_shape = list(seen.batch.inputs.shape[1:])
        examples = len(seen.batch)
        rows = {name: len(one) for name, one in seen.gradients.items()}
        self._leave_out(unlike_rows(seen.layers, rows, examples))
        for name, gradient in seen.gradients.items():
            if name in self.unlike:
                continue
            layer = seen.layers[name]
            flat = gradient.detach().float().reshape(len(gradient), -1)
            norms = torch.linalg.vector_norm(flat.double(), dim=1)
            counted = histogram.of_tensor(flat)
            sums = np.array(
                [
                    float(norms.sum()),
                    len(flat),
                    flat.numel(),
                    int(counted.special[0]),
                    int(counted.special[1:].sum()),
                ],
                np.float64,
            )
            self._add(name, [layer.index, no_cam(layer)], sums, counted.counts, counted.special)

    def _leave_out(self, unlike: Unlike) -> None:
        merge_unlike(self.unlike, unlike)
        for held in (self.places, self.norms, self.bins, self.special):
            for name in unlike:
                held.pop(name, None)

    def _add(
        self, name: str, place: list[int | str | None], sums: np.ndarray, bins: np.ndarray, special: np.ndarray
    ) -> None:
        self.places[name] = place
        self.norms[name] = self.norms[name] + sums if name in self.norms else sums.copy()
        self.bins[name] = self.bins[name] + bins if name in self.bins else bins.copy()
        self.special[name] = self.special[name] + special if name in self.special else special.copy()

    def merge(self, other: Self) -> None:
        """Adds another's sums and examples."""
        self.examples = sorted([*self.examples, *other.examples], key=lambda entry: int(entry["row"] or 0))
        self.input_shape = self.input_shape or other.input_shape
        self.refusal = self.refusal or other.refusal
        self._leave_out(other.unlike)
        for name, place in other.places.items():
            if name in self.unlike:
                continue
            self._add(name, place, other.norms[name], other.bins[name], other.special[name])

    def report(self) -> GradientsPanel:
        """One row a layer, one an example."""
        names = sorted(self.places, key=lambda name: int(self.places[name][0] or 0))
        layers = [self._layer(name) for name in names]
        return GradientsPanel(
            count=len(self.examples),
            findings=[
                *self._nonfinite(layers),
                *self._flow(names),
                *self._refused(),
                *self._unlike(),
            ],
            explains="the model's output for each example"
            if self.context.task == "regression"
            else "the logit of the explained class of each example",
            input_shape=self.input_shape,
            examples=[
                FocusExample(**entry)  # type: ignore[arg-type]
                for entry in sorted(self.examples, key=lambda entry: int(entry["row"] or 0))
            ],
            layers=layers,
        )

    def _layer(self, name: str) -> GradientLayer:
        norm, examples, values, zeros, nonfinite = self.norms[name].tolist()
        index, reason = self.places[name]
        return GradientLayer(
            index=int(index or 0),
            name=name,
            norm=norm / examples if examples and not nonfinite else None,
            zero_share=zeros / values if values else None,
            nonfinite=int(nonfinite),
            histogram=ExponentHistogram(self.bins[name], self.special[name]).to_schema(),
            no_cam=None if reason is None else str(reason),
        )

    def _refused(self) -> list[Finding]:
        if not self.refusal:
            return []
        sentence = f"No example could be looked at closely. {self.refusal}"
        return [Finding(kind="no-gradients", severity="info", sentence=sentence, count=0, page="gradients", weight=0.1)]

    def _unlike(self) -> list[Finding]:
        if not self.unlike:
            return []
        return [
            Finding(
                kind="unlike-batch",
                severity="low",
                sentence=unlike_words(self.unlike, "shown"),
                count=len(self.unlike),
                evidence={"layers": len(self.unlike)},
                page="gradients",
                selection={"layer": min(self.unlike)},
            )
        ]

    def _nonfinite(self, layers: list[GradientLayer]) -> list[Finding]:
        """Gradients come from the output: the last layer that has one is where they begin."""
        worst = next((layer for layer in reversed(layers) if layer.nonfinite), None)
        if worst is None:
            return []
        return [
            Finding(
                kind="nonfinite-gradients",
                severity="high",
                sentence=f"The gradient is NaN or infinite from {worst.name} on towards the input.",
                count=len(self.examples),
                page="gradients",
                weight=1.0,
                evidence={"nonfinite": worst.nonfinite},
                selection={"layer": worst.name},
            )
        ]

    def _flow(self, names: list[str]) -> list[Finding]:
        """Compares the norm of the gradient in the first and in the last third of the layers."""
        if len(names) < 6:
            return []
        sizes = {name: self.norms[name][0] / max(self.norms[name][1], 1) for name in names}
        third = len(names) // 3
        first, last = (float(np.median([sizes[name] for name in some])) for some in (names[:third], names[-third:]))
        if last == 0 or not np.isfinite([first, last]).all():
            return []
        ratio = first / last
        if VANISHING < ratio < EXPLODING:
            return []
        word = "vanishes" if ratio <= VANISHING else "explodes"
        return [
            Finding(
                kind=f"{'vanishing' if ratio <= VANISHING else 'exploding'}-gradient",
                severity="high",
                sentence=(
                    f"The gradient {word} on its way back: its norm in the first third of the layers is {ratio:.1e} times "
                    f"that in the last third, over {len(self.examples):,} examples."
                ),
                count=len(self.examples),
                page="gradients",
                weight=1.0,
                evidence={"ratio": ratio, "first": first, "last": last},
                selection={"layer": names[0]},
            )
        ]
