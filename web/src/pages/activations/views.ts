/** The views of the page and the numbers behind each as a table. */
import type { Tensor } from "../../record/safetensors";
import type { ActivationsPanel, MappingPanel, SimilarityPanel } from "../../record/schema.gen";
import { type TableModel, tableOf } from "../../shell/table";

export const VIEWS = [
  ["maps", "Maps"],
  ["batch", "Examples side by side"],
  ["pooling", "Pooling"],
  ["fields", "Receptive fields"],
  ["space", "Space of a layer"],
  ["layers", "Likeness of layers"],
] as const;

export type View = (typeof VIEWS)[number][0];

export interface Words {
  readonly reading: string;
  readonly source: { readonly label: string; readonly href: string };
}

export const WORDS: Record<View, Words> = {
  maps: {
    reading:
      "Every row is a layer, in order of execution: the channels that respond most strongly to this example, each on its own scale, with a ring at its strongest place. A map is what the channel passes on, after its activation function.",
    source: { label: "Zeiler & Fergus 2014", href: "https://arxiv.org/abs/1311.2901" },
  },
  batch: {
    reading:
      "One channel of one layer for each selected example, under its picture. All maps are on one scale, so that a dark map is a channel that this example leaves silent.",
    source: { label: "Zeiler & Fergus 2014", href: "https://arxiv.org/abs/1311.2901" },
  },
  pooling: {
    reading:
      "Each pooling layer keeps a few numbers of many: dots mark the positions that win their window, and unpooling puts what was kept back where it stood, with 0 elsewhere. The share that survives is of the input's squares.",
    source: { label: "Zeiler & Fergus 2014", href: "https://arxiv.org/abs/1311.2901" },
  },
  fields: {
    reading:
      "A position's receptive field is the smallest box of the image that holds every pixel it can depend on, whatever the weights. The effective field is the mean size of the gradient of the layer's middle by each pixel: most of it is far smaller.",
    source: { label: "Luo et al. 2016", href: "https://arxiv.org/abs/1701.04128" },
  },
  space: {
    reading:
      "Each point is an example, placed by what one layer makes of it, averaged over positions. Examples that the layer tells apart lie apart; on a plane of two components only the stated share of that shows.",
    source: { label: "Pearson 1901; McInnes et al. 2018", href: "https://arxiv.org/abs/1802.03426" },
  },
  layers: {
    reading:
      "Each square says how alike two layers see the same examples: 1 where one is the other rotated and scaled, 0 where they have no more in common than chance. The estimate has no bias from few examples and many units.",
    source: { label: "Kornblith et al. 2019; Nguyen et al. 2021", href: "https://arxiv.org/abs/2010.15327" },
  },
};

export function activationTable(panel: ActivationsPanel): TableModel {
  return tableOf(
    "activations by layer",
    [
      "layer",
      "units",
      "mean",
      "std",
      "minimum",
      "maximum",
      "share of zeros (sampled)",
      "dead units",
      "saturated units",
    ],
    panel.layers.map((layer) => [
      layer.name, layer.units, layer.mean, layer.std, layer.minimum, layer.maximum, layer.zero_share,
      layer.dead_units, layer.saturated_units,
    ]), // biome-ignore format: one row
  );
}

export function fieldTable(panel: MappingPanel): TableModel {
  return tableOf(
    "receptive fields by layer",
    ["layer", "maps", "height of the field (pixels)", "width of the field (pixels)", "exact"],
    panel.layers.map((layer) => [
      layer.name,
      layer.grid.join(" × "),
      layer.size[0] ?? null,
      layer.size[1] ?? null,
      layer.exact,
    ]),
  );
}

export function poolTable(panel: MappingPanel): TableModel {
  return tableOf(
    "pooling layers",
    ["call", "kind", "what comes in", "what goes out"],
    panel.pools.map((pool) => [pool.name, pool.kind, pool.size.join(" × "), pool.result.join(" × ")]),
  );
}

export function spaceTable(panel: SimilarityPanel): TableModel {
  return tableOf(
    "examples in the space of each layer",
    ["layer", "units", "kept numbers", "variance of component 1", "variance of component 2"],
    panel.layers.map((layer) => [
      layer.name,
      layer.units,
      layer.kept,
      layer.explained[0] ?? null,
      layer.explained[1] ?? null,
    ]),
  );
}

export function likenessTable(panel: SimilarityPanel, cka: Tensor): TableModel {
  const size = panel.layers.length;
  return tableOf(
    "debiased CKA of layers",
    ["layer", ...panel.layers.map((layer) => layer.name)],
    panel.layers.map((layer, row) => [
      layer.name,
      ...Array.from(cka.values.slice(row * size, (row + 1) * size), Number),
    ]),
  );
}
