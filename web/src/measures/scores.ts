/** How probable one class is for each example, as far as the examples table tells: exactly, or below a bound. */
import type { Top } from "../record/top";
import type { Answers } from "./accuracy";
import { areaError, binnedOf, type Ordered, orderedOf, precisionEnds, rocArea } from "./curves";

export interface ClassScores {
  /** Examples with a target and probabilities. */
  readonly rows: Uint32Array;
  readonly positive: Uint8Array;
  /** The least and the most that the probability can be; equal where it is known. Of the class itself it is not with soft labels. */
  readonly least: Float64Array;
  readonly most: Float64Array;
  /** How many are not known exactly. */
  readonly unknown: number;
}

/** The target's probability: 0 where its log loss is infinite, which the table writes as not known. As float32, as others are kept: equal ones stay equal. */
function ownProbability(logLoss: number): number {
  return Number.isNaN(logLoss) ? 0 : Math.fround(Math.exp(-logLoss));
}

/**
 * The table keeps the target's probability (from its log loss, null where labels are soft) and those of the most probable
 * classes. Any other class is at most as probable as the last of these, and as what they leave over.
 */
export function classScores(
  rows: Uint32Array,
  { targets, predictions }: Answers,
  logLosses: Float64Array | null,
  top: Top,
  index: number,
): ClassScores {
  const kept = new Uint32Array(rows.length);
  let count = 0;
  for (let place = 0; place < rows.length && top.width > 0; place++) {
    const row = rows[place] as number;
    if ((targets[row] as number) < 0 || (predictions[row] as number) < 0) continue;
    if ((top.classes[row * top.width] as number) < 0) continue;
    kept[count++] = row;
  }
  const known = kept.subarray(0, count);
  const [least, most] = [new Float64Array(known.length), new Float64Array(known.length)];
  const positive = new Uint8Array(known.length);
  let unknown = 0;
  for (let place = 0; place < known.length; place++) {
    const row = known[place] as number;
    const target = targets[row] as number;
    positive[place] = Number(target === index);
    if (target === index && logLosses) {
      const probability = ownProbability(logLosses[row] as number);
      least[place] = probability;
      most[place] = probability;
      continue;
    }
    let left = 1;
    let last = 1;
    let found = -1;
    let ownListed = false;
    for (let k = 0; k < top.width; k++) {
      const at = row * top.width + k;
      const listed = top.classes[at] as number;
      if (listed < 0) break;
      last = top.probabilities[at] as number;
      left -= last;
      if (listed === target) ownListed = true;
      if (listed === index) {
        found = last;
        break;
      }
    }
    if (found >= 0) {
      least[place] = found;
      most[place] = found;
      continue;
    }
    if (!ownListed && logLosses) left -= ownProbability(logLosses[row] as number);
    most[place] = Math.max(0, Math.min(last, left));
    // Probabilities are kept to seven digits: what is below that is nothing.
    if ((most[place] as number) > 1e-7) unknown += 1;
    else most[place] = 0;
  }
  return { rows: known, positive, least, most, unknown };
}

export interface Bounded {
  /** Where those that are not known score as high as they can, and as low. */
  readonly worst: Ordered;
  readonly best: Ordered;
}

/** Above this many examples scores are counted in bins: putting a million of them in order takes a second. */
const MOST_ORDERED = 30_000;

/** The curve is worst where others score as high as they can, and the class itself as low. */
export function boundedCurves({ least, most, positive, unknown }: ClassScores, mostOrdered = MOST_ORDERED): Bounded {
  const either = (own: Float64Array, others: Float64Array) => {
    const scores = Float64Array.from(others);
    for (let place = 0; place < scores.length; place++) if (positive[place]) scores[place] = own[place] as number;
    return scores.length > mostOrdered ? binnedOf(scores, positive) : orderedOf(scores, positive);
  };
  const worst = either(least, most);
  return { worst, best: unknown === 0 ? worst : either(most, least) };
}

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** What is not known, and what bins leave open, both count. */
export function areaRange({ worst, best }: Bounded): Range | null {
  const [low, high] = [rocArea(worst), rocArea(best)];
  if (low === null || high === null) return null;
  return { low: Math.max(0, low - areaError(worst)), high: Math.min(1, high + areaError(best)) };
}

export function precisionRange({ worst, best }: Bounded): Range | null {
  const [low, high] = [precisionEnds(worst), precisionEnds(best)];
  return low && high && { low: low.low, high: high.high };
}
