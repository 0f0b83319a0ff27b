/** The quantities that colour and size the boxes: what each call has of them, and what a folded module has in all. */
import type { GraphModel } from "../../layout/model";
import type { ColormapName } from "../../marks/colormap";
import { bytes, count, duration, number, percent, quantity } from "../../marks/format";
import type {
  ActivationsPanel,
  Focus,
  GradientsPanel,
  GraphNode,
  GraphPanel,
  LearningPanel,
  PanelByLens,
} from "../../record/schema.gen";

export type MeasureId =
  | "none"
  | "parameters"
  | "flops"
  | "memory"
  | "time"
  | "mean"
  | "spread"
  | "dead"
  | "gradient"
  | "learning"
  | "relative"
  | "update"
  | "attribution";

export interface Measure {
  readonly id: MeasureId;
  readonly title: string;
  /** What stands beside the number, for legends. */
  readonly unit: string;
  /** What a folded module shows: the sum of what it holds, or the most of it. */
  readonly folded: "sum" | "most";
  readonly colours: ColormapName;
  text(value: number): string;
}

export const MEASURES: readonly Measure[] = [
  { id: "none", title: "nothing", unit: "", folded: "sum", colours: "viridis", text: () => "" },
  { id: "parameters", title: "parameters", unit: "", folded: "sum", colours: "viridis", text: short },
  { id: "flops", title: "FLOPs", unit: "of the traced input", folded: "sum", colours: "viridis", text: short },
  { id: "memory", title: "output memory", unit: "of the traced input", folded: "sum", colours: "viridis", text: bytes },
  { id: "time", title: "measured time", unit: "of one call", folded: "sum", colours: "viridis", text: time },
  { id: "mean", title: "activation mean", unit: "", folded: "most", colours: "signed", text: (value) => number(value) },
  {
    id: "spread",
    title: "activation spread",
    unit: "standard deviation",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
  {
    id: "dead",
    title: "dead share",
    unit: "of units",
    folded: "most",
    colours: "viridis",
    text: (value) => percent(value),
  },
  {
    id: "gradient",
    title: "gradient norm",
    unit: "mean L2 over the chosen examples",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
  {
    id: "learning",
    title: "parameter gradient norm",
    unit: "mean L2 over a sample",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
  {
    id: "relative",
    title: "gradient relative to weights",
    unit: "root mean square over a sample, by the weights' norm",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
  {
    id: "update",
    title: "update ratio",
    unit: "step by weights",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
  {
    id: "attribution",
    title: "attribution mass",
    unit: "sum of |gradient × activation|",
    folded: "most",
    colours: "viridis",
    text: (value) => number(value),
  },
];

/** 1.2k, 34.5M, 1.8B: short enough for a box. */
export function short(value: number): string {
  for (const [size, sign] of [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const) {
    if (Math.abs(value) >= size) return `${number(value / (sign === "k" ? 1e3 : size))}${sign}`;
  }
  return count(value);
}

function time(seconds: number): string {
  if (seconds >= 1) return duration(seconds);
  return seconds >= 1e-3 ? `${number(seconds * 1e3)} ms` : `${number(seconds * 1e6)} µs`;
}

export { quantity };

/** What the record holds beside the graph, as far as it has arrived. */
export interface Sources {
  readonly activations: ActivationsPanel | null;
  readonly gradients: GradientsPanel | null;
  readonly learning: LearningPanel | null;
  readonly training: PanelByLens["training"] | null;
  /** Update ratios by layer path, at the step in hand or in the middle of the training. */
  readonly updates: ReadonlyMap<string, number> | null;
  /** The example in hand, looked at closely. */
  readonly focus: Focus | null;
  readonly example: boolean;
  /** Measured seconds of each call, by id. */
  readonly seconds: readonly (number | null)[];
}

/** Why a measure has nothing to show; "" where it has. */
export function lacking(id: MeasureId, graph: GraphPanel, sources: Sources): string {
  switch (id) {
    case "flops":
      return graph.nodes.some((node) => node.flops !== null) ? "" : "no FLOPs were counted";
    case "memory":
      return graph.nodes.some((node) => node.memory > 0) ? "" : "no sizes of outputs are known";
    case "time":
      return sources.seconds.some((one) => one !== null) ? "" : "calls were not timed";
    case "mean":
    case "spread":
      return sources.activations ? "" : "the record has no activations";
    case "dead":
      if (!sources.activations) return "the record has no activations";
      return sources.activations.layers.some((layer) => layer.dead_units !== null)
        ? ""
        : "no layer can have dead units";
    case "gradient":
      return sources.gradients ? "" : "the record has no gradients";
    case "learning":
    case "relative":
      if (!sources.learning) return "the record has no gradients by the parameters";
      return sources.learning.layers.length > 0 ? "" : "the model has no gradients by its parameters";
    case "update":
      return sources.updates && sources.updates.size > 0 ? "" : "no Watch recorded updates";
    case "attribution":
      if (!sources.example) return "no example is in hand";
      if (!sources.focus) return "the example in hand was not looked at closely";
      return sources.focus.layers.some((layer) => layer.attribution !== null && layer.attribution !== undefined)
        ? ""
        : "the record holds no attribution of it";
    default:
      return "";
  }
}

/** Own values of every call by its place in the model; NaN where not measured. */
export function ownValues(measure: Measure, model: GraphModel, sources: Sources): Float64Array {
  const byLayer = layerValues(measure.id, sources);
  const byPath = pathValues(measure.id, sources);
  const count = model.order.length;
  const values = new Float64Array(count).fill(Number.NaN);
  for (let at = 0; at < count; at++) {
    const node = model.at(at);
    const value = byLayer
      ? node.layer === null
        ? null
        : (byLayer.get(node.layer) ?? null)
      : byPath
        ? node.kind === "module"
          ? (byPath.get(node.path) ?? null)
          : null
        : ownValue(measure.id, node, sources);
    if (value !== null && Number.isFinite(value)) values[at] = value;
  }
  return values;
}

function ownValue(id: MeasureId, node: GraphNode, sources: Sources): number | null {
  const passes = node.kind === "input" || node.kind === "output";
  switch (id) {
    case "parameters":
      return passes ? null : node.parameters;
    case "flops":
      return passes ? null : node.flops;
    case "memory":
      return passes ? null : node.memory;
    case "time":
      return sources.seconds[node.id] ?? null;
    default:
      return null;
  }
}

/** What belongs to the parameters of a module, whichever of its calls is shown. */
function pathValues(id: MeasureId, sources: Sources): ReadonlyMap<string, number | null> | null {
  const layers = sources.learning?.layers ?? [];
  switch (id) {
    case "update":
      return sources.updates ?? new Map();
    case "learning":
      return new Map(layers.map((layer) => [layer.name, layer.mean_norm]));
    case "relative":
      return new Map(layers.map((layer) => [layer.name, layer.relative ?? null]));
    default:
      return null;
  }
}

function layerValues(id: MeasureId, sources: Sources): Map<number, number | null> | null {
  const layers = sources.activations?.layers ?? [];
  switch (id) {
    case "mean":
      return new Map(layers.map((layer) => [layer.index, layer.mean]));
    case "spread":
      return new Map(layers.map((layer) => [layer.index, layer.std]));
    case "dead":
      return new Map(
        layers.map((layer) => [
          layer.index,
          layer.dead_units === null || layer.units === 0 ? null : layer.dead_units / layer.units,
        ]),
      );
    case "gradient":
      return new Map((sources.gradients?.layers ?? []).map((layer) => [layer.index, layer.norm]));
    case "attribution":
      return new Map((sources.focus?.layers ?? []).map((layer) => [layer.index, layer.attribution ?? null]));
    default:
      return null;
  }
}

/**
 * What each call shows, by place: its own value; for a module without one, the sum or the most (by size) of what it holds.
 * Memory is the exception: a module's own is that of its outputs, so what its calls hold is summed instead.
 */
export function shownValues(measure: Measure, model: GraphModel, own: Float64Array): Float64Array {
  const shown = own.slice();
  const count = own.length;
  const held = new Float64Array(count).fill(Number.NaN);
  const joins = joinedBy(measure);
  for (let at = count - 1; at >= 0; at--) {
    const holds = (model.end[at] as number) > at + 1;
    if (holds && (measure.id === "memory" || Number.isNaN(own[at] as number) || measure.folded === "most"))
      shown[at] = measure.folded === "most" ? joins(own[at] as number, held[at] as number) : (held[at] as number);
    const above = model.parent[at] as number;
    if (above >= 0) held[above] = joins(held[above] as number, shown[at] as number);
  }
  return shown;
}

/** How two values become that of what holds both. */
export function joinedBy(measure: Measure): (one: number, other: number) => number {
  return measure.folded === "sum" ? sum : most;
}

function sum(one: number, other: number): number {
  if (Number.isNaN(one)) return other;
  return Number.isNaN(other) ? one : one + other;
}

function most(one: number, other: number): number {
  if (Number.isNaN(one)) return other;
  if (Number.isNaN(other)) return one;
  return Math.abs(other) > Math.abs(one) ? other : one;
}

/**
 * What each block of a run has, where they differ: the values behind a strip. null for blocks without a value, nothing at all
 * where all are equal or none is known.
 */
export function blockValues(model: GraphModel, shown: Float64Array, id: number): (number | null)[] | null {
  const group = model.groupOf(id);
  if (group?.kind !== "run") return null;
  const position = group.firsts.indexOf(id);
  const values = group.members.map((member) => {
    const value = shown[model.place(member[position] ?? -1)] ?? Number.NaN;
    return Number.isNaN(value) ? null : value;
  });
  return new Set(values).size > 1 ? values : null;
}

/** What blocks have, from the least to the most, and how many of them were not measured. */
export function spread(blocks: readonly (number | null)[], measure: Measure): string {
  const known = blocks.filter((value): value is number => value !== null);
  const missing = blocks.length - known.length;
  const unknown = missing > 0 ? `, ${missing} of ${blocks.length} not measured` : "";
  return `${measure.text(Math.min(...known))} to ${measure.text(Math.max(...known))}${unknown}`;
}

/** The value of a box that stands for `times` blocks: their sum or most; of a loop, which has its parameters once, its own. */
export function boxValue(measure: Measure, model: GraphModel, shown: Float64Array, id: number, times: number): number {
  const own = shown[model.place(id)] ?? Number.NaN;
  const group = times > 1 ? model.groupOf(id) : undefined;
  if (!group || (group.kind === "loop" && measure.id === "parameters")) return own;
  const position = group.firsts.indexOf(id);
  const joins = joinedBy(measure);
  return group.members.reduce(
    (so, member) => joins(so, shown[model.place(member[position] ?? -1)] ?? Number.NaN),
    Number.NaN,
  );
}

/** Where a value lies on the scale, 0 to 1: signed ones around the middle, sums by their square root. */
export function placeOn(measure: Measure, value: number, [low, high]: readonly [number, number]): number {
  if (measure.colours === "signed") return high > low ? (value - low) / (high - low) : 0.5;
  const share = high > 0 ? Math.max(0, value) / high : 0;
  return measure.folded === "sum" ? Math.sqrt(share) : share;
}

export function domainOfValues(measure: Measure, values: Iterable<number>): readonly [number, number] {
  let high = 0;
  for (const value of values) if (Math.abs(value) > high) high = Math.abs(value);
  if (measure.colours === "signed") return [-(high || 1), high || 1];
  return [0, high || 1];
}
