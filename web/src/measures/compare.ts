/** Two models on the same examples, for any selection: twins of pellucid.measures.paired. */
import { countedOf } from "./classification";
import { kappaInterval } from "./classintervals";
import { type Bounds, wilson } from "./intervals";
import { logGamma, studentQuantile } from "./student";

const Z95 = 1.959963984540054;
/** What rounding makes of numbers that are the same, as a part of them; and of an interval of shares that has no width. */
const SAME = 1e-12;
const WIDTH = 1e-7;
const BISECTIONS = 60;
const BINS = 15;
/** Deviations; see calibration_difference in Python. */
const NEARER = 0.5;

/** What both models say of every example that both records have; -1 and NaN where there is nothing. Losses may be infinite. */
export interface Pair {
  readonly labels: Int32Array;
  readonly old: Int32Array;
  readonly new: Int32Array;
  readonly oldLosses: Float64Array;
  readonly newLosses: Float64Array;
  readonly oldConfidences: ArrayLike<number>;
  readonly newConfidences: ArrayLike<number>;
}

/** What became of the examples that have a label and an answer; a model that gives none is not right. */
export interface Flips {
  readonly count: number;
  readonly fixed: number;
  readonly broken: number;
  readonly bothRight: number;
  readonly bothWrong: number;
}

export interface Difference {
  readonly count: number;
  /** null where not defined. */
  readonly old: number | null;
  readonly new: number | null;
  readonly difference: number | null;
  readonly interval: Bounds | null;
}

export interface Agreement {
  readonly answered: number;
  readonly agreed: number;
  readonly churn: number | null;
  readonly churnInterval: Bounds | null;
  readonly kappa: number | null;
  readonly kappaInterval: Bounds | null;
}

export const UNDEFINED: Difference = { count: 0, old: null, new: null, difference: null, interval: null };

export function flipsOf(rows: Uint32Array, pair: Pair): Flips {
  let [fixed, broken, bothRight, bothWrong] = [0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = pair.labels[row] as number;
    const before = pair.old[row] as number;
    const after = pair.new[row] as number;
    if (label < 0 || (before < 0 && after < 0)) continue;
    if (before === label) {
      if (after === label) bothRight += 1;
      else broken += 1;
    } else if (after === label) fixed += 1;
    else bothWrong += 1;
  }
  return { count: fixed + broken + bothRight + bothWrong, fixed, broken, bothRight, bothWrong };
}

/** Exact p value of McNemar's test, two-sided; 1 where as many were fixed as broken, never 0. Source: McNemar 1947. */
export function mcnemar(fixed: number, broken: number): number {
  if (fixed === broken) return 1;
  const flipped = fixed + broken;
  const fewer = Math.min(fixed, broken);
  const most = logGamma(flipped + 1) - logGamma(fewer + 1) - logGamma(flipped - fewer + 1) - flipped * Math.LN2;
  // Terms of the tail from the largest on, each by the one before it.
  let tail = 1;
  let term = 1;
  for (let number = fewer; number > 0; number--) {
    term *= number / (flipped - number + 1);
    tail += term;
    if (term < 1e-17 * tail) break;
  }
  return Math.min(1, Math.max(Number.MIN_VALUE, 2 * Math.exp(most) * tail));
}

/** Score interval of (fixed - broken) / count, 95%; null without examples. Source: Tango 1998. */
export function shareDifference(fixed: number, broken: number, count: number): Bounds | null {
  if (count <= 0) return null;
  const estimate = (fixed - broken) / count;
  const crossing = (from: number, to: number, z: number): number => {
    let [low, high] = [from, to];
    for (let step = 0; step < BISECTIONS; step++) {
      const middle = (low + high) / 2;
      if (score(fixed, broken, count, middle) > z) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  return { low: crossing(-1, estimate, Z95), high: crossing(estimate, 1, -Z95) };
}

function score(fixed: number, broken: number, count: number, difference: number): number {
  const linear = -fixed - broken + (2 * count - fixed + broken) * difference;
  const constant = -broken * difference * (1 - difference);
  const nuisance = (Math.sqrt(Math.max(linear * linear - 8 * count * constant, 0)) - linear) / (4 * count);
  const variance = count * (2 * nuisance + difference * (1 - difference));
  const surplus = fixed - broken - count * difference;
  return variance > 0 ? surplus / Math.sqrt(Math.max(variance, 1e-300)) : Math.sign(surplus) * Infinity;
}

export function accuracyDifference({ count, fixed, broken, bothRight }: Flips): Difference {
  if (count === 0) return UNDEFINED;
  return {
    count,
    old: (bothRight + broken) / count,
    new: (bothRight + fixed) / count,
    difference: (fixed - broken) / count,
    interval: shareDifference(fixed, broken, count),
  };
}

/**
 * Mean of new - old over the rows that have both, with Student's paired interval, in one pass; none where one is infinite, and no
 * interval of a difference that is the same in all rows, but of none at all: how it varies is not known.
 */
export function meanDifference(rows: Uint32Array, old: ArrayLike<number>, now: ArrayLike<number>): Difference {
  let [count, before, after, sum, squares, shift, apart, size] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const one = old[row] as number;
    const other = now[row] as number;
    if (one === Infinity || other === Infinity) return UNDEFINED;
    const change = other - one;
    if (Number.isNaN(change)) continue;
    if (count === 0) shift = change;
    count += 1;
    before += one;
    after += other;
    // From the first difference on: what all of them share would take the digits of how they vary.
    const away = change - shift;
    sum += away;
    squares += away * away;
    apart = Math.max(apart, Math.abs(away));
    size = Math.max(size, Math.abs(one), Math.abs(other));
  }
  if (count === 0) return UNDEFINED;
  const mean = shift + sum / count;
  const spread = Math.max(0, squares - (sum * sum) / count);
  const half = count < 2 ? 0 : studentQuantile(0.975, count - 1) * Math.sqrt(spread / (count - 1) / count);
  return {
    count,
    old: before / count,
    new: after / count,
    difference: mean,
    interval: count < 2 || (mean !== 0 && apart <= SAME * size) ? null : { low: mean - half, high: mean + half },
  };
}

/** How many rows have a number by one model and by the other, and how many of those are infinite. */
export interface Sides {
  readonly both: number;
  readonly onlyOld: number;
  readonly onlyNew: number;
  readonly infiniteOld: number;
  readonly infiniteNew: number;
}

export function sidesOf(rows: Uint32Array, old: ArrayLike<number>, now: ArrayLike<number>): Sides {
  let [both, onlyOld, onlyNew, infiniteOld, infiniteNew] = [0, 0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const one = old[row] as number;
    const other = now[row] as number;
    if (one === Infinity) infiniteOld += 1;
    if (other === Infinity) infiniteNew += 1;
    if (Number.isNaN(one)) onlyNew += Number.isNaN(other) ? 0 : 1;
    else if (Number.isNaN(other)) onlyOld += 1;
    else both += 1;
  }
  return { both, onlyOld, onlyNew, infiniteOld, infiniteNew };
}

/** Expected calibration errors and the delta method's interval of their difference, moved out by what the bias may be. */
export function calibrationDifference(rows: Uint32Array, pair: Pair): Difference {
  const { labels, old, new: now, oldConfidences, newConfidences } = pair;
  const before = new Reliability();
  const after = new Reliability();
  // Sums of the products of both gaps, by both bins: all that the variance of the difference needs besides.
  const products = new Float64Array(BINS * BINS);
  let count = 0;
  let same = true;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = labels[row] as number;
    const one = old[row] as number;
    const other = now[row] as number;
    const oldConfidence = oldConfidences[row] as number;
    const newConfidence = newConfidences[row] as number;
    if (label < 0 || one < 0 || other < 0 || !Number.isFinite(oldConfidence + newConfidence)) continue;
    count += 1;
    const oldGap = (one === label ? 1 : 0) - oldConfidence;
    const newGap = (other === label ? 1 : 0) - newConfidence;
    same &&= oldConfidence === newConfidence && oldGap === newGap;
    const at = BINS * before.add(oldConfidence, oldGap) + after.add(newConfidence, newGap);
    products[at] = (products[at] as number) + oldGap * newGap;
  }
  if (count === 0) return UNDEFINED;
  const [oldError, newError] = [before.error(count), after.error(count)];
  const difference = newError - oldError;
  if (count < 2) return { count, old: oldError, new: newError, difference, interval: null };
  let squares = before.squared() + after.squared();
  for (let at = 0; at < products.length; at++)
    squares -= 2 * (products[at] as number) * before.sign(Math.floor(at / BINS)) * after.sign(at % BINS);
  const half = Z95 * Math.sqrt(Math.max(0, squares - count * difference * difference) / (count - 1) / count);
  const [oldBias, newBias] = [before.bias(count), after.bias(count)];
  const unknown = !same && 2 * half + oldBias + newBias <= WIDTH;
  const interval = { low: Math.max(-1, difference - newBias - half), high: Math.min(1, difference + oldBias + half) };
  return { count, old: oldError, new: newError, difference, interval: unknown ? null : interval };
}

/** Sums of right - confidence and of its square over equal bins. */
class Reliability {
  readonly #sums = new Float64Array(BINS);
  readonly #squares = new Float64Array(BINS);

  /** Counts an example in; returns its bin. */
  add(confidence: number, gap: number): number {
    const bin = Math.min(BINS - 1, Math.max(0, Math.ceil(confidence * BINS) - 1));
    this.#sums[bin] = (this.#sums[bin] as number) + gap;
    this.#squares[bin] = (this.#squares[bin] as number) + gap * gap;
    return bin;
  }

  sign(bin: number): number {
    return Math.sign(this.#sums[bin] as number);
  }

  error(count: number): number {
    return this.#sums.reduce((sum, one) => sum + Math.abs(one), 0) / count;
  }

  /** Sum of the squares of what each example adds to the error: bins whose sum is 0 add nothing. */
  squared(): number {
    return this.#squares.reduce((sum, one, bin) => sum + one * Math.abs(this.sign(bin)), 0);
  }

  /** The most that the error may be too high. */
  bias(count: number): number {
    let bias = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const mean = Math.abs(this.#sums[bin] as number) / count;
      const deviation = Math.sqrt(Math.max((this.#squares[bin] as number) / count - mean * mean, 0) / count);
      if (deviation === 0) continue;
      const near = Math.max(mean - NEARER * deviation, 0) / deviation;
      bias += deviation * Math.sqrt(2 / Math.PI) * Math.exp(-0.5 * near * near);
    }
    return bias;
  }
}

/**
 * Churn with Wilson's interval, and Cohen's kappa of the predictions with a score interval, over the rows that either model
 * answers: no answer is a class of its own, the first.
 */
export function agreementOf(rows: Uint32Array, pair: Pair, classes: number): Agreement {
  const number = classes + 1;
  const same = new Float64Array(number);
  const apart = new Map<number, number>();
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [one, other] = [(pair.old[row] as number) + 1, (pair.new[row] as number) + 1];
    if (one + other === 0 || one > classes || other > classes) continue;
    if (one === other) same[one] = (same[one] as number) + 1;
    else apart.set(one * number + other, (apart.get(one * number + other) ?? 0) + 1);
  }
  const cells = [...apart, ...Array.from(same, (count, index) => [index * (number + 1), count] as const)]
    .filter(([, count]) => count > 0)
    .sort(([one], [other]) => one - other);
  const of = countedOf(
    {
      rows: Int32Array.from(cells, ([code]) => Math.floor(code / number)),
      columns: Int32Array.from(cells, ([code]) => code % number),
      counts: Float64Array.from(cells, ([, count]) => count),
    },
    number,
  );
  const total = (counts: Float64Array) => counts.reduce((all, one) => all + one, 0);
  const [answered, agreed] = [total(of.support), total(of.right)];
  const changed = answered - agreed;
  const known = {
    answered,
    agreed,
    churn: answered > 0 ? changed / answered : null,
    churnInterval: wilson(changed, answered),
  };
  const expected = of.support.reduce(
    (sum, one, index) => sum + (one / answered) * ((of.called[index] as number) / answered),
    0,
  );
  if (answered === 0 || expected >= 1) return { ...known, kappa: null, kappaInterval: null };
  const kappa = (agreed / answered - expected) / (1 - expected);
  const oneClass = of.support.includes(answered) || of.called.includes(answered);
  return { ...known, kappa, kappaInterval: oneClass ? null : kappaInterval(of, kappa) };
}

/** P values adjusted for their number, holding the share of false discoveries. Source: Benjamini & Hochberg 1995. */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[b] as number) - (pValues[a] as number));
  const adjusted = new Array<number>(pValues.length);
  let least = 1;
  order.forEach((index, place) => {
    least = Math.min(least, ((pValues[index] as number) * pValues.length) / (pValues.length - place));
    adjusted[index] = least;
  });
  return adjusted;
}

export interface Group extends Flips {
  /** Class index, or position among the values of a column. */
  readonly index: number;
  readonly old: number;
  readonly new: number;
  readonly difference: number;
  readonly interval: Bounds | null;
  readonly pValue: number;
  readonly adjusted: number;
}

/** Accuracy under both models for every code that has examples: of true classes, or of the values of a column. */
export function groupsOf(rows: Uint32Array, pair: Pair, codes: Int32Array, number: number): Group[] {
  const counted = new Int32Array(4 * number);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = pair.labels[row] as number;
    const before = pair.old[row] as number;
    const after = pair.new[row] as number;
    const code = codes[row] as number;
    if (label < 0 || (before < 0 && after < 0) || code < 0 || code >= number) continue;
    const at = 4 * code + (before === label ? 2 : 0) + (after === label ? 1 : 0);
    counted[at] = (counted[at] as number) + 1;
  }
  const found: Omit<Group, "adjusted">[] = [];
  for (let index = 0; index < number; index++) {
    const [bothWrong = 0, fixed = 0, broken = 0, bothRight = 0] = counted.subarray(4 * index, 4 * index + 4);
    const count = bothWrong + fixed + broken + bothRight;
    if (count === 0) continue;
    found.push({
      index,
      count,
      fixed,
      broken,
      bothRight,
      bothWrong,
      old: (bothRight + broken) / count,
      new: (bothRight + fixed) / count,
      difference: (fixed - broken) / count,
      interval: shareDifference(fixed, broken, count),
      pValue: mcnemar(fixed, broken),
    });
  }
  const adjusted = benjaminiHochberg(found.map((one) => one.pValue));
  return found.map((one, place) => ({ ...one, adjusted: adjusted[place] as number }));
}
