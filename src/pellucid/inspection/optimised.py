"""Pictures made to excite units of an inspected model: what the data says of how they look, and what a record keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pellucid.errors import DataError, PellucidError
from pellucid.record import Record, Writer, schema

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Session
    from pellucid.data import Source
    from pellucid.features import Ascent, Maximised
    from pellucid.features.probing import Lightness, Sight

LIKE = 48  # examples that colours and magnitudes are measured on
STORED_SIDE = 160  # pixels of a stored picture, at most
LAYERS = 5  # where none is named
CHANNELS = 12  # of a layer where none is named
OPAQUE = 0.2  # share of a picture's pixels that do not fade


def some_pictures(source: Source, examples: int, lightness: Lightness) -> list[Tensor]:
    """Examples spread evenly over the data, float[channel height width] between black (0) and white (1).

    Those that cannot be read are left out.
    """
    import torch

    black, white = (torch.tensor(values).view(-1, 1, 1) for values in (lightness.black, lightness.white))
    found = []
    for row in sorted({place * examples // LIKE for place in range(LIKE)}) if examples else []:
        try:
            inputs = source.example(row).inputs
        except PellucidError:
            continue
        values = inputs[0] if isinstance(inputs, tuple | list) else inputs
        if isinstance(values, torch.Tensor):
            found.append(((values.float().cpu() - black) / (white - black)).clamp(0, 1))
    shapes = {tuple(one.shape) for one in found}
    return found if len(shapes) == 1 else []


def size_of(source: Source) -> tuple[int, int, int]:
    """Channels, height and width of the inputs. Raises: DataError: they are no images."""
    from pellucid.capture.call import shapes
    from pellucid.inspection.crops import image_size

    extent = image_size(source)
    if extent is None:
        raise DataError(
            "Pictures are made for models of images, float[channel height width]; the examples of "
            f"{source.source} are {shapes(source.example(0).inputs)}."
        )
    return extent


def strongest(record: Record, layer: str, channels: Sequence[int]) -> list[float | None]:
    """The strongest response of each channel to any example of the record; None where the record does not know it."""
    panel = record.panel("activations") if "activations" in record.panels else None
    if not isinstance(panel, schema.ActivationsPanel):
        return [None] * len(channels)
    row = next((one for one in panel.layers if one.name == layer), None)
    if row is None:
        return [None] * len(channels)
    values = record.array("activations", f"{row.index}.maximum")
    return [number(values[channel]) if channel < len(values) else None for channel in channels]


def number(value: float) -> float | None:
    """Finite, or None."""
    return float(value) if np.isfinite(value) else None


def pixels(made: Maximised) -> np.ndarray:
    """Pictures as a page draws them, uint8[channel variant height width 3]."""
    from pellucid.features.crops import pixels_of

    return np.stack([np.stack([pixels_of(one) for one in variants]) for variants in made.pictures])


def opacity(made: Maximised) -> np.ndarray:
    """How opaque each pixel is drawn where what had no weight is to fade, uint8[channel variant height width].

    A fifth of the pixels, those with the most weight, are wholly opaque, the others in proportion.
    """
    most = np.quantile(made.weight, 1 - OPAQUE, axis=(2, 3), keepdims=True)
    share = np.divide(made.weight, most, out=np.zeros_like(made.weight), where=most > 0)
    return np.asarray((255 * np.minimum(share, 1.0)).round(), np.uint8)


def kept(made: Maximised, arrays: dict[str, np.ndarray]) -> schema.OptimisedLayer:
    """A layer's row of the panel; its arrays go into `arrays`."""
    from pellucid.features.crops import piece, sheet
    from pellucid.features.fields import Box

    height, width = made.pictures.shape[3:]
    side = min(STORED_SIDE, max(height, width))
    order = np.argsort(made.channels)
    squares = [[piece(one, Box(0, 0, height, width), side) for one in variants] for variants in pixels(made)[order]]
    place = f"{made.layer.index}.{made.ascent.method}"
    arrays[f"{place}.units"] = np.asarray(made.channels, np.int32)[order]
    arrays[f"{place}.sheet"] = sheet(squares, side)
    faded = np.repeat(opacity(made)[order][..., None], 3, axis=-1)
    arrays[f"{place}.opacity"] = sheet(
        [[piece(one, Box(0, 0, height, width), side) for one in variants] for variants in faded], side
    )
    arrays[f"{place}.responses"] = made.responses[order]
    return schema.OptimisedLayer(
        index=made.layer.index,
        name=made.layer.name,
        method=made.ascent.method,
        aim=made.ascent.aim,
        stored=len(made.channels),
        variants=made.ascent.variants,
        steps=made.ascent.steps,
        height=height,
        width=width,
        side=side,
        like=made.look,
        forward_examples=made.passes.forward_examples,
        backward_examples=made.passes.backward_examples,
        notes=list(made.notes),
    )


def beside_earlier(
    record: Record, panel: schema.OptimisedPanel, arrays: dict[str, np.ndarray]
) -> tuple[schema.OptimisedPanel, dict[str, np.ndarray]]:
    """The answer with the record's own of other layers and methods."""
    earlier = record.panel("optimised") if "optimised" in record.panels else None
    if not isinstance(earlier, schema.OptimisedPanel):
        return panel, arrays
    made = {(row.index, row.method) for row in panel.layers}
    rows = [row for row in earlier.layers if (row.index, row.method) not in made]
    for row in rows:
        for key in record.arrays("optimised"):
            if key.startswith(f"{row.index}.{row.method}."):
                arrays[key] = record.array("optimised", key)
    every = sorted([*rows, *panel.layers], key=lambda row: (row.index, row.method))
    count = sum(row.stored * row.variants for row in every)
    return msgspec.structs.replace(panel, layers=every, count=count, refused=earlier.refused | panel.refused), arrays


def spread(sights: Sequence[Sight]) -> list[Sight]:
    """A few layers, spread evenly from first to last: pictures of all would take hours."""
    last = len(sights) - 1
    return [sights[at] for at in sorted({round(last * place / (LAYERS - 1)) for place in range(LAYERS)}) if at <= last]


def write_optimised(
    writer: Writer,
    session: Session,
    source: Source,
    sights: Sequence[Sight],
    refused: dict[str, str],
    extent: tuple[int, int, int],
    ascent: Ascent,
    channels: Sequence[int],
    watch: Callable[[int, int], None],
) -> int:
    """Makes pictures, a layer after the other, each on disk before the next is begun; how many were made.

    Args:
        writer: of the record.
        session: holds the model open, with the layers.
        source: the inspected data.
        sights: where each layer looks.
        refused: layers that have no units that look at places, and why; they are named in the panel.
        extent: channels, height and width of the input.
        ascent: how to climb.
        channels: of each layer; a few, spread evenly, where there are none.
        watch: hears how many steps of how many are done; raise to cancel.

    Raises: OptionError: a layer has no such channel. MethodError: no gradient arrives at the input.
    """
    from pellucid.features.crops import evenly
    from pellucid.features.optimisation import Rising, optimise, refuse
    from pellucid.inspection.crops import lightness_of

    lightness = lightness_of(source, extent[0])
    pictures = some_pictures(source, writer.manifest.examples, lightness)
    wanted = [tuple(channels) or tuple(evenly(one.layer.units, CHANNELS).tolist()) for one in sights]
    for sight, units in zip(sights, wanted, strict=True):
        refuse(sight.layer, units, ascent)
    total, done, made_so_far = sum(map(len, wanted)) * ascent.steps, 0, 0
    for sight, units in zip(sights, wanted, strict=True):

        def heard(rising: Rising, before: int = done) -> None:
            watch(before + rising.done, total)

        made = optimise(session, sight, units, extent[1:], lightness, pictures, ascent, watch=heard)
        done += len(units) * ascent.steps
        arrays: dict[str, np.ndarray] = {}
        row = kept(made, arrays)
        panel = schema.OptimisedPanel(
            count=row.stored * row.variants,
            layers=[row],
            input_height=extent[1],
            input_width=extent[2],
            refused=refused,
        )
        writer.write_panel(*beside_earlier(Record(writer.path), panel, arrays))
        made_so_far += panel.count
    return made_so_far
