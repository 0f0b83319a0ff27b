/** Ways to say how far confidence is from accuracy, all from fine bins: a twin of pellucid.measures.calibration. */

import type { AccuracyPanel } from "../record/schema.gen";
import { type Answers, outcomesOf, RIGHT, UNKNOWN } from "./accuracy";
import type { CalibrationBin } from "./calibration";
import { errorInterval, Gaps } from "./calibrationintervals";
import { smoothError } from "./calibrationkernel";
import { ofSelection, remembered } from "./chosen";
import { type Bounds, wilson } from "./intervals";

/** 200 fine bins in each of 15: equal-width bins of 5, 10, 15, 20 and 30 are made of whole ones. */
export const FINE = 3000;
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
  /** Why it is not defined. */
  readonly why: string;
  /** Of the model's own error, without what chance adds to the found one; null where there are too few examples. */
  readonly interval: Bounds | null;
}

/** Why a whole record has no calibration, which holds of any selection of it, too; "" where it has one. */
export function calibrationUndefined(panel: AccuracyPanel | null): string {
  const [first] = panel?.calibration_errors ?? [];
  return first && first.value === null ? first.why : "";
}

export function fineOf(
  rows: Uint32Array,
  { targets, predictions, confidences }: Answers & { confidences: Float32Array },
): Reliability {
  return fine(rows, confidences, targets, predictions);
}

/** Made once for a selection. */
const fine = ofSelection(
  (rows, confidences: Float32Array, targets: Int32Array, predictions: Int32Array): Reliability => {
    const of = fineBins(confidences, targets, predictions);
    const counts = new Uint32Array(2 * FINE + 2);
    const sums = new Float64Array(FINE + 1);
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place] as number;
      const code = of[row] as number;
      const bin = code >> 1;
      counts[code] = (counts[code] as number) + 1;
      sums[bin] = (sums[bin] as number) + (confidences[row] as number);
    }
    const found = room(FINE);
    for (let bin = 0; bin < FINE; bin++) {
      const right = counts[2 * bin + 1] as number;
      found.counts[bin] = right + (counts[2 * bin] as number);
      found.correct[bin] = right;
      found.confidences[bin] = sums[bin] as number;
    }
    return found;
  },
);

/** Twice the fine bin of each row, and one more where it is right; behind the last bin what does not count. */
const fineBins = remembered((confidences: Float32Array, targets: Int32Array, predictions: Int32Array) => {
  const outcomes = outcomesOf(predictions, targets);
  const of = new Uint16Array(targets.length);
  for (let row = 0; row < of.length; row++) {
    const confidence = confidences[row] as number;
    if (outcomes[row] === UNKNOWN || Number.isNaN(confidence)) of[row] = 2 * FINE;
    else {
      const bin = Math.min(FINE - 1, Math.max(0, Math.ceil(confidence * FINE) - 1));
      of[row] = 2 * bin + Number(outcomes[row] === RIGHT);
    }
  }
  return of;
});

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
    summed(bins),
    Array.from({ length: number + 1 }, (_, place) => place * wide),
  );
}

/** Bins of about as many examples each, cut between fine ones; fewer where one fine bin holds more than a share. */
export function equalMass(bins: Reliability, number = 15): Reliability {
  return massOf(summed(bins), number);
}

/** Sums of all bins below each edge: a coarser bin is one difference, whatever it is made of. */
type Sums = Reliability;

const kept = new WeakMap<Reliability, Sums>();

function summed(bins: Reliability): Sums {
  const known = kept.get(bins);
  if (known) return known;
  const [counts, confidences, correct] = [bins.counts, bins.confidences, bins.correct].map((values) => {
    const below = new Float64Array(values.length + 1);
    for (let bin = 0; bin < values.length; bin++) below[bin + 1] = (below[bin] as number) + (values[bin] as number);
    return below;
  }) as [Float64Array, Float64Array, Float64Array];
  const made = { edges: bins.edges, counts, confidences, correct };
  kept.set(bins, made);
  return made;
}

function massOf(sums: Sums, number: number): Reliability {
  const last = sums.counts.length - 1;
  const all = sums.counts[last] as number;
  const cuts = [0];
  for (let place = 1; place < number; place++) {
    const wanted = place * (all / number);
    // The first edge below which so many lie; a bin is never empty of edges.
    let [low, high] = [1, last];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums.counts[middle] as number) >= wanted) high = middle;
      else low = middle + 1;
    }
    if (low !== cuts.at(-1)) cuts.push(low);
  }
  if (last !== cuts.at(-1)) cuts.push(last);
  return grouped(sums, cuts);
}

function grouped(sums: Sums, cuts: readonly number[]): Reliability {
  const found = room(cuts.length - 1);
  cuts.forEach((cut, place) => {
    found.edges[place] = sums.edges[cut] as number;
    if (place === 0) return;
    const before = cuts[place - 1] as number;
    for (const name of ["counts", "confidences", "correct"] as const)
      found[name][place - 1] = (sums[name][cut] as number) - (sums[name][before] as number);
  });
  return found;
}

/** The most equal-mass bins whose accuracies ascend. Source: Roelofs et al. 2022, arXiv:2012.08668 (ECE_sweep). */
export function monotone(bins: Reliability): Reliability {
  const sums = summed(bins);
  let ordered = massOf(sums, 1);
  for (let number = 2; number <= MOST_MONOTONE; number++) {
    const tried = massOf(sums, number);
    let last = Number.NEGATIVE_INFINITY;
    for (let bin = 0; bin < tried.counts.length; bin++) {
      if (tried.counts[bin] === 0) continue;
      const accuracy = (tried.correct[bin] as number) / (tried.counts[bin] as number);
      if (accuracy < last) return ordered;
      last = accuracy;
    }
    ordered = tried;
  }
  return ordered;
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

/** The 95% interval of the model's own error in these bins; null without examples. */
export function intervalOf(bins: Reliability, squared = false): Bounds | null {
  const filled = Array.from(bins.counts.keys()).filter((bin) => (bins.counts[bin] as number) > (squared ? 1 : 0));
  const mean = (sums: Float64Array) => filled.map((bin) => (sums[bin] as number) / (bins.counts[bin] as number));
  const confidence = mean(bins.confidences).map((one) => Math.min(one, 1));
  const counts = filled.map((bin) => bins.counts[bin] as number);
  return errorInterval(new Gaps({ counts, confidence, accuracy: mean(bins.correct) }, squared));
}

/** All but the class-wise one, which needs every class's probability. */
export function calibrationErrors(bins: Reliability): CalibrationError[] {
  const wide = equalWidth(bins);
  const mass = equalMass(bins);
  const ordered = monotone(bins);
  const debiased = debiasedError(mass);
  const none = total(bins) === 0 ? "no example has a target and a confidence" : "";
  const binned = (name: string, of: Reliability, interval: Bounds | null): CalibrationError => ({
    name,
    value: expectedError(of),
    ...chanceOf(of),
    bins: of.counts.length,
    why: none,
    interval,
  });
  const unknown = { expected: null, limit: null };
  return [
    binned("equal width", wide, intervalOf(wide)),
    binned("equal mass", mass, intervalOf(mass)),
    // Its bins are chosen by the right answers: the more chance there is in these, the fewer. The interval is rather too wide.
    binned("monotone", ordered, intervalOf(ordered)),
    {
      name: "debiased",
      value: debiased,
      ...unknown,
      bins: mass.counts.length,
      why: none || "every bin holds one example",
      interval: holding(debiased, intervalOf(mass, true)),
    },
    { name: "kernel", ...smoothError(bins), ...unknown, bins: 0, why: none },
  ];
}

/** As wide as it takes to hold the value, which less what chance adds is an estimate of the true error. */
function holding(value: number | null, interval: Bounds | null): Bounds | null {
  if (value === null || !interval) return null;
  return { low: Math.min(interval.low, value), high: Math.max(interval.high, value) };
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
