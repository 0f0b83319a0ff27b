/** One number for all classes of any selection, with its interval in closed form: a twin of pellucid.measures.classification. */
import {
  type Counted,
  kappaInterval,
  macroF1Interval,
  mccInterval,
  meanOfShares,
  weightedF1Interval,
} from "./classintervals";
import type { ConfusionCounts } from "./confusion";
import { type Bounds, deltaInterval } from "./intervals";

export interface Score {
  readonly name: string;
  readonly value: number | null;
  readonly interval: Bounds | null;
  readonly count: number;
  /** Why it is not defined. */
  readonly why: string;
  /** How its interval was made. */
  readonly method: string;
}

export interface Tallies {
  readonly right: Float64Array;
  readonly support: Float64Array;
  readonly predicted: Float64Array;
}

export function talliesOf({ rows, columns, counts }: ConfusionCounts, classes: number): Tallies {
  const [right, support, predicted] = [classes, classes, classes].map((length) => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let cell = 0; cell < counts.length; cell++) {
    const row = rows[cell] as number;
    const column = columns[cell] as number;
    const count = counts[cell] as number;
    support[row] = (support[row] as number) + count;
    predicted[column] = (predicted[column] as number) + count;
    if (row === column) right[row] = (right[row] as number) + count;
  }
  return { right, support, predicted };
}

/** (1 + b²) right / (b² support + predicted), with the delta method on its log-odds; for b = 1 see `f1Interval`. */
export function fBeta(right: number, support: number, predicted: number, beta: number) {
  const squared = beta * beta;
  const total = squared * support + predicted;
  if (total === 0) return { value: null, interval: null };
  const value = ((1 + squared) * right) / total;
  const wrong = squared * (support - right) + (predicted - right);
  if (right === 0 || wrong === 0) return { value, interval: null };
  const variance = 1 / right + (squared * squared * (support - right) + (predicted - right)) / (wrong * wrong);
  return { value, interval: deltaInterval(value, value * (1 - value) * Math.sqrt(variance), "share") };
}

/** Every number, in the order of the panel's. */
export function scoresOf(cells: ConfusionCounts, classes: number): Score[] {
  const of = countedOf(cells, classes);
  const { right, support, called } = of;
  const total = sum(support);
  const hits = sum(right);
  const chance = product(support, called);
  const oneClass = total === 0 || support.some((one) => one === total) || called.some((one) => one === total);
  const unlike = (counts: Float64Array) => total ** 2 - product(counts, counts);
  const kappa = oneClass ? null : (hits * total - chance) / (total ** 2 - chance);
  const mcc = oneClass ? null : (hits * total - chance) / Math.sqrt(unlike(support) * unlike(called));
  const f1 = support.map((one, index) => (2 * (right[index] as number)) / (one + (called[index] as number)));
  const [macro, weighted] = total === 0 ? [null, null] : [sum(f1) / f1.length, product(f1, support) / total];
  const oneClassOnly = "the targets or the predictions are all of one class";
  const line = (
    name: string,
    method: string,
    value: number | null,
    interval: (of: Counted, value: number) => Bounds | null,
    why: string,
  ): Score => {
    const known = value === null ? { interval: null, why } : { interval: interval(of, value), why: "" };
    return { name, value, count: total, method, ...known };
  };
  return [
    line("balanced accuracy", "outer", meanShare(right, support), () => meanOfShares(right, support), NO_TARGET),
    line(
      "macro precision",
      "outer",
      meanShare(right, called),
      () => meanOfShares(right, called),
      "no class is predicted",
    ),
    line("macro F1", "outer", macro, macroF1Interval, "no class occurs"),
    line("weighted F1", "score", weighted, weightedF1Interval, "no class occurs"),
    line("Matthews correlation", "score", mcc, mccInterval, oneClassOnly),
    line("Cohen's kappa", "score", kappa, kappaInterval, oneClassOnly),
  ];
}

const NO_TARGET = "no example has a target";

/** Only the classes that occur or are called: the others change nothing. */
export function countedOf(cells: ConfusionCounts, classes: number): Counted {
  const of = talliesOf(cells, classes);
  const places = new Int32Array(classes).fill(-1);
  let held = 0;
  for (let index = 0; index < classes; index++)
    if ((of.support[index] as number) + (of.predicted[index] as number) > 0) places[index] = held++;
  const kept = (counts: Float64Array) => counts.filter((_, index) => (places[index] as number) >= 0);
  const placed = (indices: Int32Array) => indices.map((index) => places[index] as number);
  return {
    rows: placed(cells.rows),
    columns: placed(cells.columns),
    counts: cells.counts,
    right: kept(of.right),
    support: kept(of.support),
    called: kept(of.predicted),
  };
}

/** Mean of right by count over the classes with a count; null where none has. */
function meanShare(right: Float64Array, counts: Float64Array): number | null {
  let [whole, held] = [0, 0];
  counts.forEach((count, index) => {
    if (count === 0) return;
    whole += (right[index] as number) / count;
    held += 1;
  });
  return held === 0 ? null : whole / held;
}

function product(one: Float64Array, two: Float64Array): number {
  return one.reduce((all, value, index) => all + value * (two[index] as number), 0);
}

function sum(values: Float64Array): number {
  return values.reduce((all, one) => all + one, 0);
}
