"""The live question "places": examples on a plane, by what one layer makes of them; of the record's sample, or of any number."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError, RecordError
from pellucid.inspection.live.questions import Answer, Question, Tell, question
from pellucid.record.schema import PlacesAnswer, SimilarityPanel

if TYPE_CHECKING:
    from pellucid.inspection.live.model import LiveModel
    from pellucid.types import Layer

MOST_EXAMPLES = 20_000
BATCH = 64


@question
class Places(Question, frozen=True):
    """Examples on a plane: along the principal components of a layer's space, or where neighbours stay neighbours (UMAP).

    Attributes:
        layer: name of a captured layer.
        neighbours: how many count as near.
        method: "pca" or "umap".
        examples: so many, spread evenly over the record; 0 for the sample that the record keeps, which costs no pass.
    """

    name: ClassVar[str] = "places"

    layer: str
    neighbours: int = 15
    method: Literal["pca", "umap"] = "umap"
    examples: int = 0

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """From what the record keeps, or one forward for each 64 examples, up to the layer, with what there is so far."""
        if not 2 <= self.neighbours <= 200:
            raise OptionError(f"The number of neighbours must be 2 to 200; got {self.neighbours}.")
        if not 0 <= self.examples <= MOST_EXAMPLES:
            raise OptionError(f"The number of examples must be 0 to {MOST_EXAMPLES:,}; got {self.examples}.")
        if self.examples == 0:
            return self._of_sample(live)
        rows, features, units, note = self._asked(live, tell)
        total = self._total(live)
        if self.method == "pca" or not tell(lambda: self.packed(self._by_components(rows, features, units, total))):
            found = self._by_components(rows, features, units, total, partial=False)
        else:
            found = self._by_neighbours(rows, features, units, total, live.record.manifest.seed)
        return Answer(msgspec.structs.replace(found.said, warnings=[note] if note else []), found.tensors)

    def _of_sample(self, live: LiveModel) -> Answer:
        panel = live.record.panel("similarity")
        if not isinstance(panel, SimilarityPanel):
            raise RecordError("The record keeps no sample of examples in the space of its layers.")
        space = next((one for one in panel.layers if one.name == self.layer), None)
        if space is None:
            names = ", ".join(one.name for one in panel.layers[:8])
            raise RecordError(f"The record keeps no examples in the space of '{self.layer[:80]}'. It has: {names}.")
        stored = live.record.array("similarity", f"{space.index}.features")
        rows = live.record.array("similarity", "rows").astype(np.int32)
        features = np.asarray(stored, np.float32) * np.float32(space.scale)
        if self.method == "pca":
            return self._by_components(rows, features, space.units, len(rows), partial=False)
        return self._by_neighbours(rows, features, space.units, len(rows), live.record.manifest.seed)

    def _total(self, live: LiveModel) -> int:
        return min(self.examples, len(live.record.examples()))

    def _asked(self, live: LiveModel, tell: Tell) -> tuple[NDArray[np.int32], NDArray[np.float32], int, str]:
        """Rows, float32[example kept], the layer's width and what to warn of, of all examples or those before the asker left."""
        from pellucid.capture import Session, unwrapped
        from pellucid.capture.memory import Batches
        from pellucid.capture.reached import row_each
        from pellucid.capture.until import until
        from pellucid.lenses import LensContext
        from pellucid.lenses.similarity import SimilarityLens

        count, total = len(live.record.examples()), self._total(live)
        chosen = [place * count // total for place in range(total)]
        if not chosen:
            raise RecordError("The record holds no examples to place.")
        layer = live.graph(live.batch(chosen[0]).inputs).layer(self.layer)
        reduce = SimilarityLens(LensContext(seed=live.record.manifest.seed)).needs.reductions["similarity"]
        rows: list[NDArray[np.int32]] = []
        parts: list[NDArray[np.float32]] = []
        units = _width(layer)
        batches = Batches(total, BATCH)
        with Session(unwrapped(live.model), [layer]) as session:

            def looked_at(start: int, stop: int) -> tuple[list[int], NDArray[np.float32]]:
                some = chosen[start:stop]
                output = until(session, live.batch(*some).inputs, [layer.name])[layer.name]
                return some, reduce(row_each(layer.name, output, len(some)), layer)["pooled"].numpy()

            for some, pooled in batches.run(looked_at):
                finite = np.isfinite(pooled).all(1)
                rows.append(np.asarray(some, np.int32)[finite])
                parts.append(pooled[finite])
                if not tell(
                    lambda: self.packed(self._by_components(np.concatenate(rows), np.concatenate(parts), units, total))
                ):
                    break
        return np.concatenate(rows), np.concatenate(parts), units, batches.note

    def _by_components(
        self, rows: NDArray[np.int32], features: NDArray[np.float32], units: int, total: int, *, partial: bool = True
    ) -> Answer:
        from pellucid.mapping import principal

        places, explained = np.zeros((0, 2)), np.zeros(0)
        if len(features):
            found = principal(features)
            places, explained = found.places, found.explained
        said = self._said("PCA", features, units, total)
        said = msgspec.structs.replace(said, explained=[float(share) for share in explained], partial=partial)
        return Answer(said, {"rows": rows, "places": places.astype(np.float32)})

    def _by_neighbours(
        self, rows: NDArray[np.int32], features: NDArray[np.float32], units: int, total: int, seed: int
    ) -> Answer:
        from pellucid.mapping import umap

        places = umap(features, seed, self.neighbours).astype(np.float32)
        return Answer(self._said("UMAP", features, units, total), {"rows": rows, "places": places})

    def _said(self, method: str, features: NDArray[np.float32], units: int, total: int) -> PlacesAnswer:
        return PlacesAnswer(
            layer=self.layer,
            method=method,
            neighbours=self.neighbours,
            count=len(features),
            total=total,
            units=units,
            kept=features.shape[1],
        )


def _width(layer: Layer) -> int:
    return layer.shape[-1] if layer.layout == "other" and layer.shape else layer.units
