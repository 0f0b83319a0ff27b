"""Where in the input the layers look, what their pooling looks at, and how alike they see the examples."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class FieldLayer(msgspec.Struct, frozen=True):
    """The theoretical receptive field of one layer.

    Attributes:
        grid: height and width of its maps, or its number of tokens, or [1] for a vector.
        size: height and width of the largest box, which is that of a position that no edge of the image cuts.
        exact: whether every operation on the way could be followed; otherwise boxes may be too large, never too small.
    """

    index: int
    name: str
    grid: list[int]
    size: list[int]
    exact: bool


class PoolCall(msgspec.Struct, frozen=True):
    """A call that pools maps over windows.

    Attributes:
        node: its id in the graph; name: as in the graph.
        layer: index of the captured layer that it pools, None where that is no captured layer.
        made: index of the captured layer whose output is the pool's, None where there is none.
        size, result: height and width of what comes in and goes out.
    """

    node: int
    name: str
    kind: str
    layer: int | None
    made: int | None
    size: list[int]
    result: list[int]


class MappingPanel(Panel, tag="mapping"):
    """Receptive fields of every layer and windows of every pooling, from the graph alone.

    Arrays (arrays/mapping.safetensors), boxes half-open: "i.rows" int32[height 2] (top, bottom) and "i.columns"
    int32[width 2] (left, right) by layer index i, or, where rows and columns do not come apart, "i.boxes" int32[position 4]
    (top, left, bottom, right). "pool.k.rows" and "pool.k.columns" int32[place window] by place k in `pools`: input rows
    (columns) that each output row (column) looks at, -1 for padding; "pool.k.divisor" float32[row column] where an average
    divides by something else than the number of input positions.

    Attributes:
        input: height and width of the image; empty where the model takes none.
        refusal: why there are no receptive fields, in words; empty where there are.
    """

    input: list[int]
    layers: list[FieldLayer]
    pools: list[PoolCall]
    refusal: str = ""


class SpaceLayer(msgspec.Struct, frozen=True):
    """The examples in the space of one layer, its output averaged over positions.

    Attributes:
        units: width of that space.
        kept: numbers that were kept of each example; fewer than `units` where a random projection made them.
        explained: share of the variance of what was kept that each of the two principal components holds.
        scale: what "i.features" is multiplied by to get the numbers back.
    """

    index: int
    name: str
    units: int
    kept: int
    explained: list[float]
    scale: float


class SimilarityPanel(Panel, tag="similarity"):
    """How alike the layers see the same examples, and where the examples lie in each.

    `count` is the number of examples it rests on: all, or a random sample by the seed. Arrays
    (arrays/similarity.safetensors): "rows" int64[example], of the examples table; "cka" float32[layer layer], debiased
    linear CKA in the order of `layers`, NaN where a layer tells no two examples apart; by layer index i "i.principal"
    float32[example 2] and "i.features" float16[example kept].

    Attributes:
        seen: examples that the sample was drawn from.
        nonfinite: of those, left out because some layer was NaN or infinite.
        deviation: relative standard deviation of a squared distance between two examples that a random projection makes;
            0 where no layer was projected.
    """

    layers: list[SpaceLayer]
    seen: int = 0
    nonfinite: int = 0
    deviation: float = 0.0


class MapsAnswer(msgspec.Struct, frozen=True):
    """Channels of one layer for some examples, at full size. Tensor: "maps" float16[example channel height width].

    Attributes:
        rows: of the examples table, as asked; channels: strongest first where none were asked for.
        layer: its name.
        units: channels that the layer has.
        scales: what each float16 tensor was divided by.
    """

    layer: str
    rows: list[int]
    channels: list[int]
    units: int
    scales: dict[str, float]


class EffectiveFieldAnswer(msgspec.Struct, frozen=True):
    """The effective receptive field of a layer's middle. Tensor: "field" float16[height width], mean over examples and
    input channels of |d unit / d input|.

    Attributes:
        layer: its name; position: the flattened position that was measured.
        count: examples; total: examples that it will be of.
        box: the theoretical field of that position: top, left, bottom, right, half-open.
        inside: share of the whole inside that box; None where nothing reaches the input.
        shares, pixels: the fewest pixels that hold each share of the whole.
        scales: what each float16 tensor was divided by.
        warnings: in words, that memory did not suffice for so many examples at a time.
    """

    layer: str
    position: int
    count: int
    total: int
    box: list[int]
    inside: float | None
    shares: list[float]
    pixels: list[int]
    scales: dict[str, float]
    partial: bool = False
    warnings: list[str] = field(default_factory=list)


class PlacesAnswer(msgspec.Struct, frozen=True):
    """Examples on a plane. Tensors: "rows" int32[example], "places" float32[example 2].

    Attributes:
        method: "PCA" or "UMAP".
        explained: share of the variance of each of the two principal components; empty for UMAP.
        count: examples that are placed; total: examples that were asked for. Those that are not finite are left out.
        units: width of the layer's space; kept: numbers of each example that the places are made from.
        partial: whether more examples, or better places, are on the way.
        warnings: in words, that memory did not suffice for so many examples at a time.
    """

    layer: str
    method: str
    neighbours: int
    explained: list[float] = field(default_factory=list)
    count: int = 0
    total: int = 0
    units: int = 0
    kept: int = 0
    partial: bool = False
    warnings: list[str] = field(default_factory=list)
