"""Mapping: which part of the input does each layer see, and which windows does it pool over?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec
import numpy as np

from pellucid.errors import MethodError
from pellucid.lenses import LensContext
from pellucid.record.schema import FieldLayer, MappingPanel, PoolCall
from pellucid.types import Needs, Observation

if TYPE_CHECKING:
    from pellucid.graph import Graph
    from pellucid.mapping import ReceptiveField

NO_MODEL = "Nothing was traced."


@dataclass
class MappingLens:
    """Receptive fields and pooling windows, read from the traced graph; the model is not run for them.

    Attributes:
        panel: as JSON, "" before anything was traced.
        tables: the panel's arrays.
    """

    name: ClassVar[str] = "mapping"
    needs: ClassVar[Needs] = Needs(stages=frozenset({"trace"}))

    context: LensContext = field(default_factory=LensContext)
    panel: str = ""
    tables: dict[str, np.ndarray] = field(default_factory=dict)

    def observe(self, seen: Observation) -> None:
        """Reads the traced graph."""
        from pellucid.mapping import receptive_fields

        if seen.graph is None:
            return
        refusal, fields = "", {}
        try:
            fields = receptive_fields(seen.graph)
        except MethodError as error:
            refusal = str(error)
        layers = []
        for layer in seen.graph.layers:
            if layer.name in fields:
                found = fields[layer.name]
                layers.append(FieldLayer(layer.index, layer.name, list(found.grid), list(found.size), found.exact))
                self.tables.update(_boxes(layer.index, found))
        image = next((list(found.input) for found in fields.values()), [])
        panel = MappingPanel(
            count=seen.graph.batch, input=image, layers=layers, pools=self._pools(seen.graph), refusal=refusal
        )
        self.panel = msgspec.json.encode(panel).decode()

    def _pools(self, graph: Graph) -> list[PoolCall]:
        from pellucid.mapping import geometry_of

        made_by = {graph.by_name[layer.name].origin: layer.index for layer in graph.layers}
        into = {edge.target: edge.source for edge in reversed(graph.edges)}
        found: list[PoolCall] = []
        for node in graph.nodes:
            if node.pool is None or node.origin != node.id:
                continue
            try:
                geometry = geometry_of(node)
            except MethodError:
                continue  # of another kind, or not of images: there is nothing to draw
            place = len(found)
            self.tables[f"pool.{place}.rows"] = geometry.rows.astype(np.int32)
            self.tables[f"pool.{place}.columns"] = geometry.columns.astype(np.int32)
            if geometry.divisor is not None:
                self.tables[f"pool.{place}.divisor"] = geometry.divisor.astype(np.float32)
            result = [len(geometry.rows), len(geometry.columns)]
            layer = made_by.get(into.get(node.id))
            found.append(
                PoolCall(node.id, node.name, geometry.kind, layer, made_by.get(node.id), list(geometry.size), result)
            )
        return found

    def merge(self, other: Self) -> None:
        """One model has one graph: whichever was traced; of two, in any order, the same one."""
        if other.panel > self.panel:
            self.panel, self.tables = other.panel, dict(other.tables)

    def report(self) -> MappingPanel:
        """The panel; an empty one where nothing was traced."""
        if not self.panel:
            return MappingPanel(input=[], layers=[], pools=[], refusal=NO_MODEL)
        return msgspec.json.decode(self.panel, type=MappingPanel)

    def arrays(self) -> dict[str, np.ndarray]:
        """Boxes by layer index, windows by place of the pooling."""
        return dict(self.tables)


def _boxes(index: int, found: ReceptiveField) -> dict[str, np.ndarray]:
    """Rows and columns apart where they come apart: a few numbers instead of four a position."""
    if len(found.grid) == 2:
        boxes = found.boxes.reshape(*found.grid, 4)
        rows, columns = boxes[:, :1, ::2], boxes[:1, :, 1::2]
        if (boxes[:, :, ::2] == rows).all() and (boxes[:, :, 1::2] == columns).all():
            return {
                f"{index}.rows": np.ascontiguousarray(rows[:, 0]),
                f"{index}.columns": np.ascontiguousarray(columns[0]),
            }
    return {f"{index}.boxes": found.boxes}
