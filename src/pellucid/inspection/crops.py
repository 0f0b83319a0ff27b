"""After the sweep: the strongest examples of every unit, cut to its field, kept as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import PellucidError
from pellucid.features.crops import Pieces, Pixels, evenly, pixels_of, sheet
from pellucid.features.fields import Box
from pellucid.features.probing import Lightness
from pellucid.record import Record, Writer, schema
from pellucid.types import Layer

if TYPE_CHECKING:
    from pellucid.data import Source
    from pellucid.graph import Graph
    from pellucid.mapping import ReceptiveField

STORED_UNITS = 32
CROP_SIDE = 40
_LOOKED_AT = 16  # examples that say what black and white are where no recipe does


def image_size(source: Source) -> tuple[int, int, int] | None:
    """Channels, height and width of the first example; None where the input is no image."""
    import torch

    inputs = source.example(0).inputs
    if isinstance(inputs, tuple | list) and len(inputs) == 1:
        inputs = inputs[0]
    if not isinstance(inputs, torch.Tensor) or inputs.ndim != 3 or not inputs.is_floating_point():
        return None
    channels, height, width = inputs.shape
    return (channels, height, width) if min(height, width) >= 2 else None


def lightness_of(source: Source, channels: int) -> Lightness:
    """What black and white are to the model: by the recipe; where there is none, the range of the first examples."""
    import torch

    steps = {step.get("step"): step for step in source.preprocessing.steps}
    if "scale" in steps:
        normalise = steps.get("normalise", {})
        mean, std = (_channels(normalise.get(name), channels, plain) for name, plain in (("mean", 0.0), ("std", 1.0)))
        return Lightness(
            tuple(-m / s for m, s in zip(mean, std, strict=True)),
            tuple((1 - m) / s for m, s in zip(mean, std, strict=True)),
        )
    lows, highs = [], []
    for row in range(_LOOKED_AT):
        try:
            inputs = source.example(row).inputs
        except (PellucidError, IndexError):
            break
        values = inputs[0] if isinstance(inputs, tuple | list) else inputs
        if isinstance(values, torch.Tensor):
            plain = values.float().flatten(1)
            lows.append(plain.amin(1))
            highs.append(plain.amax(1))
    low, high = torch.stack(lows).amin(0), torch.stack(highs).amax(0)
    high = torch.where(high > low, high, low + 1)
    return Lightness(tuple(low.tolist()), tuple(high.tolist()))


def _channels(values: object, channels: int, plain: float) -> list[float]:
    given = [float(one) for one in values] if isinstance(values, list) and values else [plain]
    return given * channels if len(given) == 1 else given


def write_crops(
    writer: Writer, source: Source, graph: Graph, watch: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Writes the features panel, from the strongest places that the sweep kept; the model is not run.

    Args:
        writer: of the record, whose sweep is finished with the activations lens.
        source: the examples; those that are among the strongest are prepared once again.
        graph: of the model.
        watch: hears how many of how many examples were cut.

    Returns: how many examples were prepared once again.
    """
    from pellucid.mapping import receptive_fields

    record = Record(writer.path)
    activations = record.panel("activations") if "activations" in record.panels else None
    if not isinstance(activations, schema.ActivationsPanel):
        return 0
    extent = image_size(source)
    try:
        fields = receptive_fields(graph) if extent is not None else {}
        refused = "" if extent is not None else "The inputs are no images, so that units have no field to cut out."
    except PellucidError as error:
        fields, refused = {}, str(error)
    if extent is None or not fields:
        writer.write_panel(_panel(activations, [], (0, 0), refused))
        return 0
    channels, height, width = extent
    layers = [layer for layer in graph.layers if layer.name in fields]
    known = {layer.index for layer in activations.layers}
    cut = _Cut(record, fields, [layer for layer in layers if layer.index in known], activations.top_k)
    read = cut.read(source, lightness_of(source, channels), watch)
    found, arrays = cut.answer()
    writer.write_panel(_panel(activations, found, (height, width), refused), arrays)
    return read


class _Cut:
    """Collects which examples are wanted where, and cuts them out as they are read."""

    def __init__(self, record: Record, fields: Mapping[str, ReceptiveField], layers: list[Layer], top_k: int) -> None:
        self._fields, self._layers, self._top_k = fields, layers, top_k
        self._units = {layer.index: evenly(layer.units, STORED_UNITS) for layer in layers}
        self._squares: dict[int, list[list[Pixels | None]]] = {}
        self._wanted: dict[int, list[tuple[int, int, int, Box]]] = defaultdict(list)
        for layer in layers:
            units = self._units[layer.index]
            self._squares[layer.index] = [[None] * top_k for _ in units]
            rows = record.array("activations", f"{layer.index}.top_rows")[units]
            places = record.array("activations", f"{layer.index}.top_positions")[units]
            boxes = fields[layer.name].boxes
            for at, rank in np.argwhere(rows >= 0).tolist():
                place = int(places[at, rank])
                top, left, bottom, right = boxes[place if place < len(boxes) else 0].tolist()
                box = Box(top, left, bottom - top, right - left)
                self._wanted[int(rows[at, rank])].append((layer.index, at, rank, box))

    def read(self, source: Source, lightness: Lightness, watch: Callable[[int, int], None]) -> int:
        """Prepares each wanted example once, in order; how many they are."""
        import torch

        black, white = (np.asarray(one, np.float32)[:, None, None] for one in (lightness.black, lightness.white))
        for done, row in enumerate(sorted(self._wanted), 1):
            inputs = source.example(row).inputs
            values = inputs[0] if isinstance(inputs, tuple | list) else inputs
            if isinstance(values, torch.Tensor):
                pieces = Pieces(pixels_of((values.float().numpy() - black) / (white - black)), CROP_SIDE)
                for index, at, rank, box in self._wanted[row]:
                    self._squares[index][at][rank] = pieces.at(box)
            watch(done, len(self._wanted))
        return len(self._wanted)

    def answer(self) -> tuple[list[schema.FeatureLayer], dict[str, np.ndarray]]:
        """The panel's layers and arrays."""
        found: list[schema.FeatureLayer] = []
        arrays: dict[str, np.ndarray] = {}
        for layer in self._layers:
            field = self._fields[layer.name]
            tall, wide = (field.grid[0], field.grid[1]) if len(field.grid) == 2 else (1, int(np.prod(field.grid)))
            boxes = field.boxes.reshape(tall, wide, 4)
            arrays[f"{layer.index}.rows"] = np.ascontiguousarray(boxes[:, 0][:, [0, 2]])
            arrays[f"{layer.index}.columns"] = np.ascontiguousarray(boxes[0][:, [1, 3]])
            arrays[f"{layer.index}.units"] = self._units[layer.index]
            arrays[f"{layer.index}.sheet"] = sheet(self._squares[layer.index], CROP_SIDE)
            found.append(
                schema.FeatureLayer(
                    index=layer.index,
                    name=layer.name,
                    units=layer.units,
                    map_height=tall,
                    map_width=wide,
                    field_height=field.size[0],
                    field_width=field.size[1],
                    exact=field.exact,
                    stored=len(self._units[layer.index]),
                )
            )
        return found, arrays


def _panel(
    activations: schema.ActivationsPanel, layers: list[schema.FeatureLayer], size: tuple[int, int], refused: str
) -> schema.FeaturesPanel:
    return schema.FeaturesPanel(
        count=activations.count,
        layers=layers,
        input_height=size[0],
        input_width=size[1],
        top_k=activations.top_k,
        crop_side=CROP_SIDE,
        refused=refused,
    )
