/** What channels agree with, in words and in order. */
import type { Tensor } from "../../record/safetensors";
import type { ConceptInfo, ConceptLayer } from "../../record/schema.gen";
import { rowOf } from "./units";

/** A concept of either kind of set. */
export type Named = Pick<ConceptInfo, "name" | "kind">;

/** A layer of either kind of answer, as far as its detectors go. */
export type Detecting = Pick<ConceptLayer, "index" | "name" | "units" | "detectors" | "low" | "high" | "found">;

export interface Agreement {
  readonly name: string;
  readonly kind: string;
  readonly iou: number;
}

/** Kinds of concepts in the order of the set. */
export function kindsOf(concepts: readonly Named[]): string[] {
  return [...new Set(concepts.map((one) => one.kind))];
}

/** How many channels of a layer detect something of each kind, and how many different things. */
export function byKind(layer: Pick<Detecting, "found">, concepts: readonly Named[]) {
  return kindsOf(concepts).map((kind) => {
    const named = concepts.filter((one) => one.kind === kind && (layer.found[one.name] ?? 0) > 0);
    return {
      kind,
      channels: named.reduce((sum, one) => sum + (layer.found[one.name] ?? 0), 0),
      distinct: named.length,
      named: named
        .map((one) => ({ name: one.name, channels: layer.found[one.name] ?? 0 }))
        .sort((a, b) => b.channels - a.channels || a.name.localeCompare(b.name)),
    };
  });
}

/** The concepts that a channel agrees with, most first. */
export function agreements(iou: Tensor | null, unit: number, concepts: readonly Named[]): Agreement[] {
  return rowOf(iou, unit)
    .map((value, at) => ({ name: concepts[at]?.name ?? "", kind: concepts[at]?.kind ?? "", iou: value }))
    .sort((a, b) => b.iou - a.iou);
}

export type Standing = "detector" | "below" | "chance" | "never" | "saturated";

/** Whether a channel's best agreement makes it a detector. */
export function standing(
  iou: number,
  at: { threshold: number; reached: number },
  layer: ConceptLayer,
  panel: { least: number; saturated: number },
): Standing {
  if (!Number.isFinite(at.threshold)) return "never";
  if (at.reached > panel.saturated) return "saturated";
  if (!(iou > layer.chance)) return "chance";
  return iou > panel.least ? "detector" : "below";
}

export const STANDINGS: Readonly<Record<Standing, string>> = {
  detector: "a detector",
  below: "beyond chance, but below what a detector needs",
  chance: "not beyond chance",
  never: "never changes on these pictures",
  saturated: "held at a bound too often to tell places apart",
};

/** Channels whose pictures are stored, the best agreement first. */
export function ordered(stored: Tensor | null, iou: Tensor | null, concepts: readonly Named[]): number[] {
  if (!stored) return [];
  const units = Array.from(stored.values as ArrayLike<number>, Number);
  const best = new Map(units.map((unit) => [unit, agreements(iou, unit, concepts)[0]?.iou ?? 0]));
  return units.sort((a, b) => (best.get(b) ?? 0) - (best.get(a) ?? 0) || a - b);
}
