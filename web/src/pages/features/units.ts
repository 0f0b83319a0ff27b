/** The units of a layer as rows: their numbers, labels and order. */
import type { Tensor } from "../../record/safetensors";

export interface UnitRow {
  readonly unit: number;
  readonly label: string;
  /** NaN where stimuli were not shown. */
  readonly selectivity: number;
  readonly sure: number;
  readonly deviations: number;
  /** Strongest response to any example; NaN where not known. */
  readonly maximum: number;
}

export interface Known {
  readonly units: number;
  readonly labels: readonly string[];
  readonly label: Tensor | null;
  readonly selectivity: Tensor | null;
  readonly sure: Tensor | null;
  readonly deviations: Tensor | null;
  readonly maximum: Tensor | null;
}

/** Twelve hues from red, as they were shown. */
export const HUES: readonly string[] = Array.from({ length: 12 }, (_, step) => `hsl(${step * 30} 100% 50%)`);

export const SORTS = ["unit", "label", "selectivity", "response"] as const;
export type Sort = (typeof SORTS)[number];

export function rowsOf(known: Known): UnitRow[] {
  const at = (tensor: Tensor | null, unit: number) => Number(tensor?.values[unit] ?? Number.NaN);
  return Array.from({ length: known.units }, (_, unit) => ({
    unit,
    label: known.labels[at(known.label, unit)] ?? "",
    selectivity: at(known.selectivity, unit),
    sure: at(known.sure, unit),
    deviations: at(known.deviations, unit),
    maximum: at(known.maximum, unit),
  }));
}

/** Rows that hold every word of the filter in their label or number, in the asked order; missing values last. */
export function arranged(rows: readonly UnitRow[], words: string, sort: Sort): UnitRow[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = rows.filter((row) => {
    const text = `${row.unit} ${row.label}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  const down = (value: (row: UnitRow) => number) => (a: UnitRow, b: UnitRow) =>
    (Number.isNaN(value(b)) ? -Infinity : value(b)) - (Number.isNaN(value(a)) ? -Infinity : value(a)) ||
    a.unit - b.unit;
  if (sort === "label") return kept.sort((a, b) => a.label.localeCompare(b.label) || a.unit - b.unit);
  if (sort === "selectivity") return kept.sort(down((row) => row.selectivity));
  if (sort === "response") return kept.sort(down((row) => row.maximum));
  return kept;
}

/** The values of one unit in an array of a row a unit. */
export function rowOf(tensor: Tensor | null, unit: number): number[] {
  if (!tensor) return [];
  const width = tensor.shape.slice(1).reduce((product, extent) => product * extent, 1);
  return Array.from({ length: width }, (_, at) => Number(tensor.values[unit * width + at]));
}

/** Where a unit stands in an ascending list of those whose pictures are stored; -1 where it is not. */
export function placeOf(stored: Tensor | null, unit: number): number {
  return stored ? Array.prototype.indexOf.call(stored.values, unit) : -1;
}
