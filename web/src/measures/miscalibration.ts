/** Ways to say how far confidence is from accuracy, all from fine bins: a twin of pellucid.measures.calibration. */
import type { Answers } from "./accuracy";
import type { CalibrationBin } from "./calibration";
import { wilson } from "./intervals";

/** 200 fine bins in each of 15: equal-width bins of 5, 10, 15, 20 and 30 are made of whole ones. */
export const FINE = 3000;
const REACH = 6;
const GRID = 600;
const MOST_MONOTONE = 100;
const Z_19_OF_20 = 1.6448536269514722;

/** Bins of confidence, lowest first: `edges` has one more entry than the sums. */
export interface Reliability {
  readonly edges: Float64Array;
  readonly counts: Float64Array;
  readonly confidences: Float64Array;
  readonly correct: Float64Array;
}

export interface CalibrationError {
  readonly name: string;
  readonly value: number | null;
  /** What a perfectly calibrated model would show on average, and what it exceeds once in twenty times; null if not known. */
  readonly expected: number | null;
  readonly limit: number | null;
  readonly bins: number;
}

export function fineOf(
  rows: Uint32Array,
  { targets, predictions, confidences }: Answers & { confidences: Float32Array },
): Reliability {
  const found = room(FINE);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [target, prediction, confidence] = [
      targets[row] as number,
      predictions[row] as number,
      confidences[row] as number,
    ];
    if (target < 0 || prediction < 0 || Number.isNaN(confidence)) continue;
    const bin = Math.min(FINE - 1, Math.max(0, Math.ceil(confidence * FINE) - 1));
    found.counts[bin] = (found.counts[bin] as number) + 1;
    found.confidences[bin] = (found.confidences[bin] as number) + confidence;
    if (target === prediction) found.correct[bin] = (found.correct[bin] as number) + 1;
  }
  return found;
}

function room(bins: number): Reliability {
  return {
    edges: Float64Array.from({ length: bins + 1 }, (_, bin) => bin / bins),
    counts: new Float64Array(bins),
    confidences: new Float64Array(bins),
    correct: new Float64Array(bins),
  };
}

export function equalWidth(bins: Reliability, number = 15): Reliability {
  const wide = bins.counts.length / number;
  return grouped(
    bins,
    Array.from({ length: number + 1 }, (_, place) => place * wide),
  );
}

/** Bins of about as many examples each, cut between fine ones; fewer where one fine bin holds more than a share. */
export function equalMass(bins: Reliability, number = 15): Reliability {
  const all = total(bins);
  const cuts = [0];
  let [bin, reached] = [-1, 0];
  for (let place = 1; place < number; place++) {
    const wanted = place * (all / number);
    while (bin < bins.counts.length - 1 && (bin < 0 || reached < wanted)) reached += bins.counts[++bin] as number;
    cuts.push(bin + 1);
  }
  cuts.push(bins.counts.length);
  return grouped(bins, [...new Set(cuts)]);
}

function grouped(bins: Reliability, cuts: readonly number[]): Reliability {
  const found = room(cuts.length - 1);
  cuts.forEach((cut, place) => {
    found.edges[place] = bins.edges[cut] as number;
  });
  for (let group = 0; group + 1 < cuts.length; group++) {
    for (let bin = cuts[group] as number; bin < (cuts[group + 1] as number); bin++) {
      found.counts[group] = (found.counts[group] as number) + (bins.counts[bin] as number);
      found.confidences[group] = (found.confidences[group] as number) + (bins.confidences[bin] as number);
      found.correct[group] = (found.correct[group] as number) + (bins.correct[bin] as number);
    }
  }
  return found;
}

/** The most equal-mass bins whose accuracies ascend. Source: Roelofs et al. 2022, arXiv:2012.08668 (ECE_sweep). */
export function monotone(bins: Reliability): Reliability {
  let kept = equalMass(bins, 1);
  for (let number = 2; number <= MOST_MONOTONE; number++) {
    const tried = equalMass(bins, number);
    let last = Number.NEGATIVE_INFINITY;
    for (let bin = 0; bin < tried.counts.length; bin++) {
      if (tried.counts[bin] === 0) continue;
      const accuracy = (tried.correct[bin] as number) / (tried.counts[bin] as number);
      if (accuracy < last) return kept;
      last = accuracy;
    }
    kept = tried;
  }
  return kept;
}

export function expectedError(bins: Reliability): number | null {
  const all = total(bins);
  if (all === 0) return null;
  return bins.correct.reduce((sum, right, bin) => sum + Math.abs(right - (bins.confidences[bin] as number)), 0) / all;
}

/** Source: Kumar, Liang & Ma 2019, arXiv:1909.10155. Bins of one example are left out; null without a bin of two. */
export function debiasedError(bins: Reliability): number | null {
  let [squares, all] = [0, 0];
  bins.counts.forEach((count, bin) => {
    if (count < 2) return;
    const accuracy = (bins.correct[bin] as number) / count;
    const confidence = (bins.confidences[bin] as number) / count;
    squares += count * ((accuracy - confidence) ** 2 - (accuracy * (1 - accuracy)) / (count - 1));
    all += count;
  });
  return all === 0 ? null : Math.sqrt(Math.max(0, squares / all));
}

/** Smooth calibration error. Source: Blasiok & Nakkiran 2023, arXiv:2309.12236: the kernel is as wide as what it finds. */
export function kernelError(bins: Reliability): number | null {
  const all = total(bins);
  if (all === 0) return null;
  const gaps = new Float64Array(GRID);
  const per = bins.counts.length / GRID;
  for (let bin = 0; bin < bins.counts.length; bin++) {
    const place = Math.floor(bin / per);
    gaps[place] = (gaps[place] as number) + ((bins.correct[bin] as number) - (bins.confidences[bin] as number)) / all;
  }
  let [low, high] = [1 / GRID, 1];
  for (let step = 0; step < 12; step++) {
    const middle = (low + high) / 2;
    if (smoothed(gaps, middle) > middle) low = middle;
    else high = middle;
  }
  return smoothed(gaps, (low + high) / 2);
}

/** Integral of |gaps * kernel|, the kernel reflected at 0 and 1. */
function smoothed(gaps: Float64Array, width: number): number {
  const number = gaps.length;
  const reach = Math.ceil(REACH * width * number);
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, at) =>
    Math.exp(-0.5 * ((at - reach) / number / width) ** 2),
  );
  const whole = weights.reduce((sum, one) => sum + one, 0);
  const found = new Float64Array(number);
  gaps.forEach((gap, place) => {
    if (gap === 0) return;
    for (let at = -reach; at <= reach; at++) {
      let to = (place + at) % (2 * number);
      if (to < 0) to += 2 * number;
      if (to >= number) to = 2 * number - 1 - to;
      found[to] = (found[to] as number) + gap * ((weights[at + reach] as number) / whole);
    }
  });
  return found.reduce((sum, one) => sum + Math.abs(one), 0);
}

/** What the error of a perfectly calibrated model of these confidences is: on average, and at most in 19 of 20 times. */
export function chanceOf(bins: Reliability): { expected: number | null; limit: number | null } {
  const all = total(bins);
  if (all === 0) return { expected: null, limit: null };
  let [deviations, variances] = [0, 0];
  bins.counts.forEach((count, bin) => {
    if (count === 0) return;
    const confidence = (bins.confidences[bin] as number) / count;
    const variance = (count * Math.max(0, confidence * (1 - confidence))) / all ** 2;
    deviations += Math.sqrt(variance);
    variances += variance;
  });
  const expected = Math.sqrt(2 / Math.PI) * deviations;
  return { expected, limit: expected + Z_19_OF_20 * Math.sqrt((1 - 2 / Math.PI) * variances) };
}

/** All but the class-wise one, which needs every class's probability. */
export function calibrationErrors(bins: Reliability): CalibrationError[] {
  const mass = equalMass(bins);
  const binned = (name: string, of: Reliability): CalibrationError => ({
    name,
    value: expectedError(of),
    ...chanceOf(of),
    bins: of.counts.length,
  });
  const unknown = { expected: null, limit: null };
  return [
    binned("equal width", equalWidth(bins)),
    binned("equal mass", mass),
    binned("monotone", monotone(bins)),
    { name: "debiased", value: debiasedError(mass), ...unknown, bins: mass.counts.length },
    { name: "kernel", value: kernelError(bins), ...unknown, bins: 0 },
  ];
}

/** Bins as the diagram draws them. */
export function diagramOf(bins: Reliability): CalibrationBin[] {
  return Array.from(bins.counts, (count, bin) => {
    const right = bins.correct[bin] as number;
    return {
      low: bins.edges[bin] as number,
      high: bins.edges[bin + 1] as number,
      count,
      confidence: count > 0 ? (bins.confidences[bin] as number) / count : null,
      accuracy: count > 0 ? right / count : null,
      interval: wilson(right, count),
    };
  });
}

export function total(bins: Reliability): number {
  return bins.counts.reduce((sum, one) => sum + one, 0);
}
