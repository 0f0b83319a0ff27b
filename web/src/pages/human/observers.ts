/** Who answered, and how alike the errors of each two of them are. */
import { interval, number, percent, plain, plural } from "../../marks/format";
import type { HumanAccuracy, HumanPair, HumanPanel, Interval } from "../../record/schema.gen";

/** All people together. */
export const ALL = -1;

/** Name of an observer by its place; people's codes are theirs, the model is called so. */
export function observerName(panel: HumanPanel, place: number): string {
  if (place === ALL) return "all people";
  const observer = panel.observers[place];
  return observer ? plain(observer.name) || `observer ${place + 1}` : `observer ${place + 1}`;
}

export const isModel = (panel: HumanPanel, place: number): boolean => panel.observers[place]?.kind === "model";

/** Observers that count: models first, then people in their order. */
export function shown(panel: HumanPanel): number[] {
  const kept = panel.observers.map((_, place) => place).filter((place) => !panel.observers[place]?.excluded);
  return [...kept.filter((place) => isModel(panel, place)), ...kept.filter((place) => !isModel(panel, place))];
}

export type PairOf = (one: number, other: number) => HumanPair | null;

/** Finds a pair whichever of the two comes first. */
export function pairsBy(panel: HumanPanel): PairOf {
  const size = panel.observers.length;
  const found = new Map(panel.pairs.map((pair) => [pair.first * size + pair.second, pair]));
  return (one, other) => found.get(one * size + other) ?? found.get(other * size + one) ?? null;
}

export type Quantity = "kappa" | "observed";

export const quantityOf = (pair: HumanPair | null, quantity: Quantity): number | null => pair?.[quantity] ?? null;

/** Whether the two err alike, by the band in which kappas of independent errors lie. */
export function beyondChance({ kappa, null: band }: HumanPair): "more" | "less" | "chance" | "unknown" {
  if (kappa === null || !band) return "unknown";
  return kappa > band.high ? "more" : kappa < band.low ? "less" : "chance";
}

const VERDICTS = {
  more: "they err on the same images more often than by chance",
  less: "they err on the same images less often than by chance",
  chance: "they are as alike as independent errors may be",
  unknown: "whether beyond chance is not known",
} as const;

/** A pair in words, its title first. */
export function saidOf(panel: HumanPanel, pair: HumanPair): string[] {
  const title = `${observerName(panel, pair.first)} and ${observerName(panel, pair.second)}`;
  if (pair.kappa === null)
    return [title, `kappa is not defined: ${pair.why || "no image was answered by both"}`, plural(pair.count, "image")];
  return [
    title,
    `kappa ${number(pair.kappa)}${pair.interval ? ` (${interval(pair.interval)} at 95%)` : ""}`,
    `both right or both wrong on ${percent(pair.observed)}, ${percent(pair.expected)} expected by chance`,
    ...(pair.null ? [`independent errors: ${interval(pair.null)}; ${VERDICTS[beyondChance(pair)]}`] : []),
    plural(pair.count, "image"),
  ];
}

/** Accuracies by observer and group, in the order of the groups. */
export function accuraciesBy(panel: HumanPanel, by: HumanAccuracy["by"]): Map<number, Map<string, HumanAccuracy>> {
  const found = new Map<number, Map<string, HumanAccuracy>>();
  for (const one of panel.accuracies) {
    if (one.by !== by) continue;
    const groups = found.get(one.observer) ?? new Map<string, HumanAccuracy>();
    groups.set(one.group, one);
    found.set(one.observer, groups);
  }
  return found;
}

export const ends = (one: Interval | null): string =>
  one ? `${percent(one.low)} to ${percent(one.high)} at 95%` : "no interval";

/** Categories under the people's curve of shape bias: all of them first, then by bias; those without a conflict are left out. */
export function shapeRows(panel: HumanPanel): { category: string; of: Map<number, HumanPanel["shape"][number]> }[] {
  const found = new Map<string, Map<number, HumanPanel["shape"][number]>>();
  for (const one of panel.shape) {
    const of = found.get(one.category) ?? new Map<number, HumanPanel["shape"][number]>();
    of.set(one.observer, one);
    found.set(one.category, of);
  }
  const rows = [...found].map(([category, of]) => ({ category, of }));
  const bias = (row: (typeof rows)[number]) => row.of.get(ALL)?.bias ?? -1;
  return rows.sort((a, b) => Number(b.category === "") - Number(a.category === "") || bias(b) - bias(a));
}
