/** What channels tell apart where whole pictures are labelled, in words and in order. */
import type { Tensor } from "../../record/safetensors";
import { rowOf } from "./units";

export interface Told {
  readonly name: string;
  readonly area: number;
}

export type Standing = "detector" | "beyond" | "chance" | "never";

export const STANDINGS: Readonly<Record<Standing, string>> = {
  detector: "a detector",
  beyond: "beyond chance, but below what a detector needs",
  chance: "not beyond chance",
  never: "never changes on these pictures",
};

/** One layer's arrays. */
export interface Arrays {
  readonly area: Tensor | null;
  readonly best: Tensor | null;
  readonly low: Tensor | null;
  readonly high: Tensor | null;
  readonly chance: Tensor | null;
  readonly alive: Tensor | null;
}

/** They by what reads one of them. */
export function arraysOf(read: (name: string) => Tensor | null): Arrays & { readonly units: Tensor | null } {
  return {
    area: read("area"),
    best: read("best"),
    low: read("low"),
    high: read("high"),
    chance: read("chance"),
    alive: read("alive"),
    units: read("units"),
  };
}

export interface Channel {
  readonly unit: number;
  readonly best: Told;
  readonly low: number;
  readonly high: number;
  /** What no channel of the layer reaches with the labels of other pictures. */
  readonly chance: number;
  readonly standing: Standing;
  /** The other concepts, best told first. */
  readonly others: readonly Told[];
}

/** A channel's answer; null until its numbers are there. */
export function channelOf(
  arrays: Arrays,
  unit: number,
  concepts: readonly { readonly name: string }[],
  least: number,
): Channel | null {
  const at = Number(arrays.best?.values[unit] ?? -1);
  const area = rowOf(arrays.area, unit);
  const best = concepts[at];
  if (!best || area.length === 0) return null;
  const chance = Number(arrays.chance?.values[at] ?? Number.NaN);
  const value = area[at] ?? Number.NaN;
  const alive = Number(arrays.alive?.values[unit] ?? 0) > 0;
  const others = area
    .map((one, place) => ({ name: concepts[place]?.name ?? "", area: one, place }))
    .filter((one) => one.place !== at && Number.isFinite(one.area))
    .sort((a, b) => b.area - a.area)
    .map(({ name, area }) => ({ name, area }));
  return {
    unit,
    best: { name: best.name, area: value },
    low: Number(arrays.low?.values[unit] ?? Number.NaN),
    high: Number(arrays.high?.values[unit] ?? Number.NaN),
    chance,
    standing: !alive ? "never" : !(value > chance) ? "chance" : value > least ? "detector" : "beyond",
    others,
  };
}

/** Channels with stored pictures, those that tell their best concept best first. */
export function stored(
  arrays: Arrays & { readonly units: Tensor | null },
  concepts: readonly { readonly name: string }[],
  least: number,
): Channel[] {
  return Array.from((arrays.units?.values ?? []) as ArrayLike<number>, Number)
    .map((unit) => channelOf(arrays, unit, concepts, least))
    .filter((one) => one !== null)
    .sort((a, b) => b.best.area - a.best.area || a.unit - b.unit);
}
