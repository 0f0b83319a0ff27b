/** One number for all classes of any selection, with its interval in closed form: a twin of pellucid.measures.classification. */
import type { ConfusionCounts } from "./confusion";
import { type Bounds, deltaInterval, mover, wilson } from "./intervals";

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
  const of = talliesOf(cells, classes);
  const total = sum(cells.counts);
  const named = (
    name: string,
    value: number | null,
    interval: Bounds | null,
    why: string,
    method = "delta",
  ): Score => ({
    name,
    value: total === 0 ? null : value,
    interval: total === 0 || value === null ? null : interval,
    count: total,
    why: total === 0 ? "no example has a target and a prediction" : value === null ? why : "",
    method,
  });
  const shared = (values: Float64Array) => values.map((value) => value / Math.max(1, total));
  const part = { right: shared(of.right), support: shared(of.support), predicted: shared(of.predicted) };
  const { kappa, mcc } = agreements(cells, part, total);
  const f1 = macroF1(cells, part, total);
  const recalls = defined(of.right, of.support);
  return [
    named(
      "balanced accuracy",
      mean(recalls.map((one) => one.value)),
      balancedInterval(recalls),
      "no class occurs",
      "outer",
    ),
    named("macro F1", f1.value, f1.interval, "no class occurs"),
    named("Matthews correlation", mcc.value, mcc.interval, "the targets or the predictions are all of one class"),
    named("Cohen's kappa", kappa.value, kappa.interval, "targets and predictions are all of one class"),
  ];
}

interface Measured {
  value: number | null;
  interval: Bounds | null;
}

/** Kappa and MCC with the influence of each cell. Source: Fleiss, Cohen & Everitt 1969; Gorodkin 2004. */
function agreements(cells: ConfusionCounts, of: Tallies, total: number) {
  const none = (): Measured => ({ value: null, interval: null });
  if (total === 0) return { kappa: none(), mcc: none() };
  const agreed = sum(of.right);
  const chance = of.support.reduce((all, one, index) => all + one * (of.predicted[index] as number), 0);
  const called = 1 - of.predicted.reduce((all, one) => all + one * one, 0);
  const truth = 1 - of.support.reduce((all, one) => all + one * one, 0);
  // Shares that add up to 1 but for rounding leave as little as that.
  const kappa = chance < 1 - 1e-12 ? spread() : none();
  const mcc = called > 1e-12 && truth > 1e-12 ? correlated() : none();
  return { kappa, mcc };

  function spread(): Measured {
    const lost = -(1 - agreed) / (1 - chance) ** 2;
    const influence: Influence = {
      row: of.predicted.map((one) => lost * one),
      column: of.support.map((one) => lost * one),
      same: new Float64Array(of.right.length).fill(1 / (1 - chance)),
    };
    const value = (agreed - chance) / (1 - chance);
    return { value, interval: fromInfluence(value, "correlation", cells, total, influence) };
  }

  function correlated(): Measured {
    const size = Math.sqrt(called * truth);
    const shrink = (agreed - chance) / size ** 3;
    const influence: Influence = {
      row: of.predicted.map((one, index) => -one / size + shrink * called * (of.support[index] as number)),
      column: of.support.map((one, index) => -one / size + shrink * truth * (of.predicted[index] as number)),
      same: new Float64Array(of.right.length).fill(1 / size),
    };
    const value = (agreed - chance) / size;
    return { value, interval: fromInfluence(value, "correlation", cells, total, influence) };
  }
}

/** What one more example of a cell does: a part for its row, one for its column, and one where they are the same class. */
interface Influence {
  readonly row: Float64Array;
  readonly column: Float64Array;
  readonly same: Float64Array;
}

function macroF1(cells: ConfusionCounts, of: Tallies, total: number): Measured {
  let [known, whole] = [0, 0];
  const gain = new Float64Array(of.right.length);
  const pull = new Float64Array(of.right.length);
  of.right.forEach((right, index) => {
    const size = (of.support[index] as number) + (of.predicted[index] as number);
    if (size <= 0) return;
    known += 1;
    whole += (2 * right) / size;
    gain[index] = 2 / size;
    pull[index] = (-2 * right) / size ** 2;
  });
  if (known === 0) return { value: null, interval: null };
  const [row, same] = [pull.map((one) => one / known), gain.map((one) => one / known)];
  const value = whole / known;
  return { value, interval: fromInfluence(value, "share", cells, total, { row, column: row, same }) };
}

function fromInfluence(
  value: number,
  scale: "share" | "correlation",
  { rows, columns, counts }: ConfusionCounts,
  total: number,
  { row, column, same }: Influence,
): Bounds | null {
  let first = 0;
  let second = 0;
  for (let cell = 0; cell < counts.length; cell++) {
    const at = rows[cell] as number;
    const to = columns[cell] as number;
    const pulled = (row[at] as number) + (column[to] as number) + (at === to ? (same[at] as number) : 0);
    first += (counts[cell] as number) * pulled;
    second += (counts[cell] as number) * pulled * pulled;
  }
  const variance = Math.max(0, second / total - (first / total) ** 2);
  return deltaInterval(value, Math.sqrt(variance / total), scale);
}

interface Recall {
  readonly value: number;
  readonly interval: Bounds;
  readonly right: number;
  readonly count: number;
}

const LENT = 3;

/** The outer ends of MOVER over the recalls' own intervals and of a score interval whose recalls are drawn towards their mean. */
function balancedInterval(recalls: readonly Recall[]): Bounds | null {
  const one = mover(recalls);
  if (!one) return null;
  const number = recalls.length;
  const sum = recalls.reduce((all, { value }) => all + value, 0);
  const common = (sum + 0.5) / (number + 1);
  let [middle, variance] = [0, 0];
  for (const { right, count } of recalls) {
    const drawn = (right + LENT * common) / (count + LENT);
    middle += drawn / number;
    variance += (drawn * (1 - drawn)) / count / number ** 2;
  }
  const trials = (middle * (1 - middle)) / variance;
  const other = wilson((sum / number) * trials, trials);
  return other && { low: Math.min(one.low, other.low), high: Math.max(one.high, other.high) };
}

function defined(right: Float64Array, counts: Float64Array): Recall[] {
  const found: Recall[] = [];
  counts.forEach((count, index) => {
    const interval = wilson(right[index] as number, count);
    const own = right[index] as number;
    if (interval) found.push({ value: own / count, interval, right: own, count });
  });
  return found;
}

function sum(values: Float64Array): number {
  return values.reduce((all, one) => all + one, 0);
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((all, one) => all + one, 0) / values.length;
}
