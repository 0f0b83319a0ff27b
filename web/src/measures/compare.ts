/** Two models on the same examples, for any selection: twins of pellucid.measures.paired. */
import { type Bounds, wilson } from "./intervals";
import { logGamma, studentQuantile } from "./student";

const Z95 = 1.959963984540054;
const BISECTIONS = 60;
const BINS = 15;
/** Deviations; see calibration_difference in Python. */
const NEARER = 0.5;

/** What both models say of every example; -1 and NaN where there is nothing. */
export interface Pair {
  readonly labels: Int32Array;
  readonly old: Int32Array;
  readonly new: Int32Array;
  readonly oldLosses: Float64Array;
  readonly newLosses: Float64Array;
  readonly oldConfidences: ArrayLike<number>;
  readonly newConfidences: ArrayLike<number>;
}

/** What became of the examples that both can be judged on. */
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

const UNDEFINED: Difference = { count: 0, old: null, new: null, difference: null, interval: null };

export function flipsOf(rows: Uint32Array, pair: Pair): Flips {
  let [fixed, broken, bothRight, bothWrong] = [0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = pair.labels[row] as number;
    const before = pair.old[row] as number;
    const after = pair.new[row] as number;
    if (label < 0 || before < 0 || after < 0) continue;
    if (before === label) {
      if (after === label) bothRight += 1;
      else broken += 1;
    } else if (after === label) fixed += 1;
    else bothWrong += 1;
  }
  return { count: fixed + broken + bothRight + bothWrong, fixed, broken, bothRight, bothWrong };
}

/** Exact p value of McNemar's test, two-sided; 1 where as many were fixed as broken. Source: McNemar 1947. */
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
  return Math.min(1, 2 * Math.exp(most) * tail);
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

/** Mean of new - old over the rows where both are finite, with Student's paired interval. */
export function meanDifference(rows: Uint32Array, old: ArrayLike<number>, now: ArrayLike<number>): Difference {
  let [count, before, after, sum] = [0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [one, other] = [old[row] as number, now[row] as number];
    if (!Number.isFinite(one) || !Number.isFinite(other)) continue;
    count += 1;
    before += one;
    after += other;
    sum += other - one;
  }
  if (count === 0) return UNDEFINED;
  const mean = sum / count;
  let squares = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const one = (now[row] as number) - (old[row] as number);
    if (Number.isFinite(one)) squares += (one - mean) ** 2;
  }
  const half = count < 2 ? 0 : studentQuantile(0.975, count - 1) * Math.sqrt(squares / (count - 1) / count);
  return {
    count,
    old: before / count,
    new: after / count,
    difference: mean,
    interval: count < 2 ? null : { low: mean - half, high: mean + half },
  };
}

/** Expected calibration errors and the delta method's interval of their difference, moved out by what the bias may be. */
export function calibrationDifference(rows: Uint32Array, pair: Pair): Difference {
  const kept = rows.filter((row) => {
    const judged =
      (pair.labels[row] as number) >= 0 && (pair.old[row] as number) >= 0 && (pair.new[row] as number) >= 0;
    return judged && Number.isFinite(pair.oldConfidences[row]) && Number.isFinite(pair.newConfidences[row]);
  });
  const count = kept.length;
  if (count === 0) return UNDEFINED;
  const old = calibration(kept, pair.labels, pair.old, pair.oldConfidences);
  const now = calibration(kept, pair.labels, pair.new, pair.newConfidences);
  const [before, after] = [old.error, now.error];
  if (count < 2) return { count, old: before, new: after, difference: after - before, interval: null };
  let sum = 0;
  for (let place = 0; place < count; place++) sum += (now.parts[place] as number) - (old.parts[place] as number);
  const mean = sum / count;
  let squares = 0;
  for (let place = 0; place < count; place++)
    squares += ((now.parts[place] as number) - (old.parts[place] as number) - mean) ** 2;
  const half = Z95 * Math.sqrt(squares / (count - 1) / count);
  return {
    count,
    old: before,
    new: after,
    difference: after - before,
    interval: { low: after - before - now.bias - half, high: after - before + old.bias + half },
  };
}

function calibration(
  rows: Uint32Array,
  labels: Int32Array,
  predictions: Int32Array,
  confidences: ArrayLike<number>,
): { error: number; parts: Float64Array; bias: number } {
  const count = rows.length;
  const sums = new Float64Array(BINS);
  const squares = new Float64Array(BINS);
  const gaps = new Float64Array(count);
  const bins = new Uint8Array(count);
  for (let place = 0; place < count; place++) {
    const row = rows[place] as number;
    const confidence = confidences[row] as number;
    const gap = (labels[row] === predictions[row] ? 1 : 0) - confidence;
    const bin = Math.min(BINS - 1, Math.max(0, Math.ceil(confidence * BINS) - 1));
    gaps[place] = gap;
    bins[place] = bin;
    sums[bin] = (sums[bin] as number) + gap;
    squares[bin] = (squares[bin] as number) + gap * gap;
  }
  for (let place = 0; place < count; place++)
    gaps[place] = (gaps[place] as number) * Math.sign(sums[bins[place] as number] as number);
  let [error, bias] = [0, 0];
  for (let bin = 0; bin < BINS; bin++) {
    const mean = Math.abs(sums[bin] as number) / count;
    const deviation = Math.sqrt(Math.max((squares[bin] as number) / count - mean * mean, 0) / count);
    error += mean;
    if (deviation > 0) {
      const near = Math.max(mean - NEARER * deviation, 0) / deviation;
      bias += deviation * Math.sqrt(2 / Math.PI) * Math.exp(-0.5 * near * near);
    }
  }
  return { error, parts: gaps, bias };
}

/** Churn with Wilson's interval, and Cohen's kappa of the predictions with that of Fleiss, Cohen & Everitt 1969. */
export function agreementOf(rows: Uint32Array, pair: Pair, classes: number): Agreement {
  const first = new Float64Array(classes);
  const second = new Float64Array(classes);
  let [answered, agreed] = [0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [one, other] = [pair.old[row] as number, pair.new[row] as number];
    if (one < 0 || other < 0 || one >= classes || other >= classes) continue;
    answered += 1;
    if (one === other) agreed += 1;
    first[one] = (first[one] as number) + 1;
    second[other] = (second[other] as number) + 1;
  }
  const changed = answered - agreed;
  const known = {
    answered,
    agreed,
    churn: answered > 0 ? changed / answered : null,
    churnInterval: wilson(changed, answered),
  };
  let expected = 0;
  for (let index = 0; index < classes; index++)
    expected += ((first[index] as number) / answered) * ((second[index] as number) / answered);
  if (answered === 0 || expected >= 1) return { ...known, kappa: null, kappaInterval: null };
  const kappa = (agreed / answered - expected) / (1 - expected);
  if (Math.max(...first) === answered || Math.max(...second) === answered)
    return { ...known, kappa, kappaInterval: null };
  let sum = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [one, other] = [pair.old[row] as number, pair.new[row] as number];
    if (one < 0 || other < 0 || one >= classes || other >= classes) continue;
    const frequency = ((second[one] as number) + (first[other] as number)) / answered;
    sum += one === other ? (1 - frequency * (1 - kappa)) ** 2 : ((1 - kappa) * frequency) ** 2;
  }
  const variance = Math.max(0, sum / answered - (kappa - expected * (1 - kappa)) ** 2);
  const half = (Z95 * Math.sqrt(variance / answered)) / (1 - expected);
  return { ...known, kappa, kappaInterval: { low: Math.max(-1, kappa - half), high: Math.min(1, kappa + half) } };
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
    if (label < 0 || before < 0 || after < 0 || code < 0 || code >= number) continue;
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
