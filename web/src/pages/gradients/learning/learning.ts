/** How the layers learn: what the panel's arrays say of classes, layers and examples, as plain values. */
import { number } from "../../../marks/format";
import type { Tensor } from "../../../record/safetensors";
import type { LearningLayer, LearningPanel, NoiseScale } from "../../../record/schema.gen";
import { type TableModel, tableOf } from "../../../shell/table";

/** A corrected p value below this is told as sure. */
export const SURE = 0.05;

export type Quantity = "examples" | "class";

export interface Pair {
  /** Places of the two classes in the panel. */
  readonly one: number;
  readonly other: number;
  readonly cosine: number;
  readonly low: number;
  readonly high: number;
  /** Corrected p value that there is no product. */
  readonly q: number;
}

/** Cosines of classes in every layer and, last, of all together. */
export class Cosines {
  readonly classes: number;
  readonly layers: number;
  readonly #cosine: ArrayLike<number>;
  readonly #low: ArrayLike<number>;
  readonly #high: ArrayLike<number>;
  readonly #q: ArrayLike<number>;

  constructor(cosine: Tensor, low: Tensor, high: Tensor, q: Tensor) {
    this.layers = (cosine.shape[0] ?? 1) - 1;
    this.classes = cosine.shape[1] ?? 0;
    [this.#cosine, this.#low, this.#high, this.#q] = [cosine, low, high, q].map((one) =>
      Float32Array.from(one.values as ArrayLike<number>),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  }

  /** `layer` is a place in the panel's layers; `layers` is all of them together. */
  pair(layer: number, one: number, other: number): Pair {
    const at = (layer * this.classes + one) * this.classes + other;
    const of = (values: ArrayLike<number>) => values[at] ?? Number.NaN;
    return { one, other, cosine: of(this.#cosine), low: of(this.#low), high: of(this.#high), q: of(this.#q) };
  }

  matrix(layer: number): Float32Array {
    const size = this.classes * this.classes;
    return Float32Array.from({ length: size }, (_, at) => this.#cosine[layer * size + at] ?? Number.NaN);
  }

  sure(layer: number, one: number, other: number): boolean {
    return one === other || this.pair(layer, one, other).q < SURE;
  }
}

/** Where the gradients of so many classes cancel, their cosines are this on average. */
export function balance(classes: number): number {
  return -1 / Math.max(1, classes - 1);
}

/** Pairs that surely pull apart, further than balance asks; lowest cosine first. */
export function apart(cosines: Cosines, layer: number, classes: number): Pair[] {
  return pairs(cosines, layer)
    .filter((pair) => pair.q < SURE && pair.high < balance(classes))
    .sort((a, b) => a.cosine - b.cosine);
}

/** Pairs that surely learn together; highest cosine first. */
export function together(cosines: Cosines, layer: number): Pair[] {
  return pairs(cosines, layer)
    .filter((pair) => pair.q < SURE && pair.low > 0)
    .sort((a, b) => b.cosine - a.cosine);
}

export function pairs(cosines: Cosines, layer: number): Pair[] {
  const found: Pair[] = [];
  for (let one = 0; one < cosines.classes; one++)
    for (let other = one + 1; other < cosines.classes; other++) found.push(cosines.pair(layer, one, other));
  return found;
}

/** The layer that adds most to a pair's product, in the direction of its sign: its place. */
export function mostIn(parts: Tensor, pair: Pair, layers: number): number {
  const classes = parts.shape[1] ?? 0;
  let best = 0;
  for (let layer = 0; layer < layers; layer++) {
    const of = (at: number) =>
      Math.sign(pair.cosine) * Number(parts.values[(at * classes + pair.one) * classes + pair.other]);
    if (of(layer) > of(best)) best = layer;
  }
  return best;
}

/** What a layer would change: norms by class, or over the weights' norm. NaN where lost in noise. */
export function heat(panel: LearningPanel, norms: Tensor, relative: boolean): Float32Array {
  const [classes, layers] = [panel.classes.length, panel.layers.length];
  const found = new Float32Array(layers * classes);
  panel.layers.forEach((layer, row) => {
    for (let column = 0; column < classes; column++) {
      const value = Number(norms.values[column * layers + row]);
      found[row * classes + column] = relative ? over(value, layer) : value;
    }
  });
  return found;
}

export function over(norm: number, layer: LearningLayer): number {
  return layer.weight_norm > 0 ? norm / layer.weight_norm : Number.NaN;
}

/** One row of a tensor [row column], as numbers. */
export function rowOf(tensor: Tensor, row: number): Float32Array {
  const width = tensor.shape[1] ?? 1;
  return Float32Array.from({ length: width }, (_, at) => Number(tensor.values[row * width + at]));
}

/** Lengths of each example's whole gradient. */
export function lengths(norms: Tensor): Float64Array {
  const [count, layers] = [norms.shape[0] ?? 0, norms.shape[1] ?? 0];
  return Float64Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let layer = 0; layer < layers; layer++) sum += Number(norms.values[row * layers + layer]) ** 2;
    return Math.sqrt(sum);
  });
}

/** The share of the squared length that the longest tenth has. */
export function madeByLongest(values: Float64Array): { count: number; share: number } {
  const squares = Float64Array.from(values, (value) => value * value).sort();
  const count = Math.max(1, Math.round(values.length / 10));
  const total = squares.reduce((sum, one) => sum + one, 0);
  const most = squares.subarray(squares.length - count).reduce((sum, one) => sum + one, 0);
  return { count, share: total > 0 ? most / total : Number.NaN };
}

export interface Bin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly part?: number;
}

/** Bins of equal width on a logarithmic axis; what is 0 falls into the first. `inside` tells what is selected. */
export function logBins(values: Float64Array, number: number, inside: ((at: number) => boolean) | null): Bin[] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [];
  const low = Math.log10(positive.reduce((least, one) => Math.min(least, one)));
  const high = Math.max(low + 1e-6, Math.log10(positive.reduce((most, one) => Math.max(most, one))));
  const counts = new Uint32Array(number);
  const parts = new Uint32Array(number);
  values.forEach((value, at) => {
    const place = value > 0 ? Math.floor((number * (Math.log10(value) - low)) / (high - low)) : 0;
    const bin = Math.min(number - 1, Math.max(0, place));
    counts[bin] = (counts[bin] ?? 0) + 1;
    if (inside?.(at)) parts[bin] = (parts[bin] ?? 0) + 1;
  });
  const edge = (at: number) => 10 ** (low + ((high - low) * at) / number);
  return Array.from(counts, (count, at) => ({
    low: edge(at),
    high: edge(at + 1),
    count,
    ...(inside ? { part: parts[at] ?? 0 } : {}),
  }));
}

/** A noise scale in words: what it is, or why it is not. */
export function noiseText(noise: NoiseScale): string {
  const examples = (value: number) => number(value, 2);
  const low = noise.low ?? null;
  const high = noise.high ?? null;
  if (noise.scale == null)
    return low === null ? `not defined: ${noise.reason}` : `at least ${examples(low)}: ${noise.reason}`;
  if (low === null) return examples(noise.scale);
  return high === null
    ? `${examples(noise.scale)} (95% interval from ${examples(low)} on, without an upper end)`
    : `${examples(noise.scale)} (95% interval ${examples(low)} to ${examples(high)})`;
}

export function layerName(name: string): string {
  return name === "" ? "(the model itself)" : name;
}

export function learningTable(panel: LearningPanel): TableModel {
  return tableOf(
    "parameter gradients by layer",
    [
      "layer",
      "parameters",
      "mean norm of an example's gradient",
      "norm of the mean gradient",
      "norm of the weights",
      "relative to the weights",
      "share of the squared norm",
      "noise scale (examples)",
      "low",
      "high",
      "numbers kept",
      "deviation of products",
    ],
    panel.layers.map((layer) => [
      layerName(layer.name),
      layer.parameters,
      layer.mean_norm,
      layer.norm ?? null,
      layer.weight_norm,
      layer.relative ?? null,
      layer.share ?? null,
      layer.noise.scale ?? null,
      layer.noise.low ?? null,
      layer.noise.high ?? null,
      layer.kept,
      layer.deviation,
    ]),
  );
}

/** Every pair of classes in one layer, or in all together, as a table. */
export function pairTable(
  panel: LearningPanel,
  cosines: Cosines,
  layer: number,
  name: (index: number) => string,
): TableModel {
  const own = panel.layers[layer];
  return tableOf(
    `cosines of classes, ${own ? layerName(own.name) : "all layers together"}`,
    ["class", "other class", "cosine", "low", "high", "q"],
    pairs(cosines, layer).map((pair) => [
      name(panel.classes[pair.one]?.index ?? -1),
      name(panel.classes[pair.other]?.index ?? -1),
      ...[pair.cosine, pair.low, pair.high, pair.q].map(orNull),
    ]),
  );
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
