/**
 * Intervals of one number for all classes, which have a width at the ends of their range: an error that was not seen is lent.
 * A twin of pellucid.measures.class_intervals, which says why and from whom.
 */
import type { ConfusionCounts } from "./confusion";
import { type Bounds, f1Interval, mover, outer, wilson } from "./intervals";

/** Examples of a common share that are lent to each class, so that a class of one example has a spread. */
const LENT = 3;

/** Counts of the classes that occur or are called, and the cells with these classes numbered from 0. */
export interface Counted extends ConfusionCounts {
  readonly right: Float64Array;
  readonly support: Float64Array;
  readonly called: Float64Array;
}

/** Of a mean of independent shares, the outer ends of MOVER and of a score interval; classes of none are left out. */
export function meanOfShares(right: Float64Array, counts: Float64Array): Bounds | null {
  const held = shares(right, counts);
  const one = mover(held.map(({ value, of, number }) => ({ value, interval: wilson(of, number) as Bounds })));
  if (!one) return null;
  const common = commonOf(held);
  let [sum, middle, variance] = [0, 0, 0];
  for (const { value, of, number } of held) {
    const drawn = (of + LENT * common) / (number + LENT);
    sum += value / held.length;
    middle += drawn / held.length;
    variance += (drawn * (1 - drawn)) / number / held.length ** 2;
  }
  const trials = (middle * (1 - middle)) / variance;
  return outer(one, wilson(sum * trials, trials));
}

/** Of the mean F1, the outer ends of MOVER and of a score interval, drawn up by its bias. */
export function macroF1Interval(of: Counted, value: number): Bounds | null {
  const either = of.support.map((one, index) => one + (of.called[index] as number) - (of.right[index] as number));
  const held = shares(of.right, either);
  const f1 = held.map(({ value: share, of: right, number }) => ({
    value: (2 * share) / (1 + share),
    interval: f1Interval(right, number, right) as Bounds,
  }));
  const one = mover(f1);
  if (!one || held.length === 1) return one;
  const common = commonOf(held);
  let bias = 0;
  for (const { of: right, number } of held) {
    const drawn = (right + common) / (number + 1);
    bias += (2 * drawn * (1 - drawn)) / (1 + drawn) ** 3 / number / held.length;
  }
  const unbiased = Math.min(value + bias, 1);
  const moved = { low: one.low, high: Math.min(one.high + unbiased - value, 1) };
  return holding(value, outer(moved, score(lentTo(of), unbiased, macroF1, 0)));
}

/** Of the F1 weighted by support; of one class that of its F1. */
export function weightedF1Interval(of: Counted, value: number): Bounds | null {
  return of.support.length === 1 ? macroF1Interval(of, value) : score(lentTo(of), value, weightedF1, 0);
}

export const kappaInterval = (of: Counted, value: number) => score(lentTo(of), value, kappa, -1);

export const mccInterval = (of: Counted, value: number) => score(lentTo(of), value, mcc, -1);

/**
 * LENT examples are lent to each class, their mean recall of them right and the rest spread evenly over the other classes; then
 * each row is scaled back to the examples of its class.
 */
interface Lent extends ConfusionCounts {
  readonly total: number;
  /** To the diagonal, and to each other cell of the row. */
  readonly own: Float64Array;
  readonly other: Float64Array;
  /** As shares of all, with what is lent. */
  readonly right: Float64Array;
  readonly truth: Float64Array;
  readonly called: Float64Array;
}

const kept = new WeakMap<Counted, Lent>();

function lentTo(of: Counted): Lent {
  const known = kept.get(of);
  if (known) return known;
  const { rows, columns, support } = of;
  const classes = support.length;
  const total = support.reduce((all, one) => all + one, 0);
  const common = commonOf(shares(of.right, support));
  const back = support.map((one) => one / (one + LENT));
  const own = back.map((one) => one * LENT * common);
  const other = back.map((one) => (one * LENT * (1 - common)) / (classes - 1));
  const others = other.reduce((all, one) => all + one, 0);
  const counts = of.counts.map((count, cell) => count * (back[rows[cell] as number] as number));
  const right = own.slice();
  const called = own.map((one, index) => one + others - (other[index] as number));
  for (let cell = 0; cell < counts.length; cell++) {
    const [row, column, count] = [rows[cell] as number, columns[cell] as number, counts[cell] as number];
    called[column] = (called[column] as number) + count;
    if (row === column) right[row] = (right[row] as number) + count;
  }
  const share = (one: number) => one / total;
  const made = {
    ...{ rows, columns, counts, total, own, other },
    ...{ right: right.map(share), truth: support.map(share), called: called.map(share) },
  };
  kept.set(of, made);
  return made;
}

/** What one more example of a cell does: a part for its row, one for its column, and one where they are the same class. */
interface Influence {
  readonly value: number;
  readonly row: Float64Array;
  readonly column: Float64Array;
  readonly same: Float64Array;
}

/** Wilson's interval between `low` and 1, of as many trials as give a share the variance of the influence with what is lent. */
function score(lent: Lent, value: number, of: (lent: Lent) => Influence, low: number): Bounds | null {
  const influence = of(lent);
  const width = 1 - low;
  const share = (influence.value - low) / width;
  const variance = varianceOf(lent, influence) / width ** 2;
  if (!(share > 0 && share < 1 && variance > 0)) return null;
  const trials = (share * (1 - share)) / variance;
  // Rounding must not push what lies at an end over it.
  const found = wilson(Math.min(Math.max((value - low) / width, 0), 1) * trials, trials);
  return holding(value, found && { low: low + width * found.low, high: low + width * found.high });
}

function varianceOf({ rows, columns, counts, own, other, total }: Lent, { row, column, same }: Influence): number {
  let [first, second, sums, squares] = [0, 0, 0, 0];
  for (let cell = 0; cell < counts.length; cell++) {
    const [at, to, count] = [rows[cell] as number, columns[cell] as number, counts[cell] as number];
    const pulled = (row[at] as number) + (column[to] as number) + (at === to ? (same[at] as number) : 0);
    first += count * pulled;
    second += count * pulled * pulled;
  }
  for (const one of column) {
    sums += one;
    squares += one * one;
  }
  const classes = row.length;
  for (let index = 0; index < classes; index++) {
    const [mine, lent, spread] = [row[index] as number, own[index] as number, other[index] as number];
    const both = mine + (column[index] as number);
    const right = both + (same[index] as number);
    first += lent * right + spread * (classes * mine + sums - both);
    second += lent * right ** 2 + spread * (classes * mine ** 2 + 2 * mine * sums + squares - both ** 2);
  }
  return Math.max(0, second / total - (first / total) ** 2) / total;
}

function macroF1({ right, truth, called }: Lent): Influence {
  const classes = right.length;
  const gain = truth.map((one, index) => 2 / (one + (called[index] as number)) / classes);
  const pull = right.map((one, index) => (-one * (gain[index] as number) ** 2 * classes) / 2);
  const value = right.reduce((all, one, index) => all + one * (gain[index] as number), 0);
  return { value, row: pull, column: pull, same: gain };
}

function weightedF1({ right, truth, called }: Lent): Influence {
  const sums = truth.map((one, index) => one + (called[index] as number));
  const f1 = right.map((one, index) => (2 * one) / (sums[index] as number));
  const weight = truth.map((one, index) => one / (sums[index] as number));
  const column = f1.map((one, index) => -one * (weight[index] as number));
  return {
    value: f1.reduce((all, one, index) => all + one * (truth[index] as number), 0),
    row: f1.map((one, index) => one + (column[index] as number)),
    column,
    same: weight.map((one) => 2 * one),
  };
}

/** Source: Fleiss, Cohen & Everitt 1969. */
function kappa({ right, truth, called }: Lent): Influence {
  const [agreed, chance] = [right.reduce((all, one) => all + one, 0), product(truth, called)];
  const lost = -(1 - agreed) / (1 - chance) ** 2;
  return {
    value: (agreed - chance) / (1 - chance),
    row: called.map((one) => lost * one),
    column: truth.map((one) => lost * one),
    same: new Float64Array(right.length).fill(1 / (1 - chance)),
  };
}

/** Source: Gorodkin 2004, with its derivatives. */
function mcc({ right, truth, called }: Lent): Influence {
  const excess = right.reduce((all, one) => all + one, 0) - product(truth, called);
  const [ofTruth, ofCalled] = [1 - product(truth, truth), 1 - product(called, called)];
  const size = Math.sqrt(ofTruth * ofCalled);
  const shrink = excess / size ** 3;
  return {
    value: excess / size,
    row: called.map((one, index) => -one / size + shrink * ofCalled * (truth[index] as number)),
    column: truth.map((one, index) => -one / size + shrink * ofTruth * (called[index] as number)),
    same: new Float64Array(right.length).fill(1 / size),
  };
}

interface Share {
  readonly value: number;
  readonly of: number;
  readonly number: number;
}

function shares(right: Float64Array, counts: Float64Array): Share[] {
  const found: Share[] = [];
  counts.forEach((number, index) => {
    const of = right[index] as number;
    if (number > 0) found.push({ value: of / number, of, number });
  });
  return found;
}

/** The mean share, half a class away from 0 and 1. */
function commonOf(held: readonly Share[]): number {
  return (held.reduce((all, { value }) => all + value, 0) + 0.5) / (held.length + 1);
}

function product(one: Float64Array, two: Float64Array): number {
  return one.reduce((all, value, index) => all + value * (two[index] as number), 0);
}

/** Rounding must not push a value out of its own interval. */
function holding(value: number, bounds: Bounds | null): Bounds | null {
  return bounds && { low: Math.min(bounds.low, value), high: Math.max(bounds.high, value) };
}
