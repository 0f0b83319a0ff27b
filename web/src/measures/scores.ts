/** How probable one class is for each example, as far as the examples table tells: exactly, or below a bound. */
import type { Top } from "../record/top";
import type { Answers } from "./accuracy";
import { averagePrecision, type Ordered, orderedOf, rocArea } from "./curves";

export interface ClassScores {
  /** Examples with a target and probabilities. */
  readonly rows: Uint32Array;
  readonly positive: Uint8Array;
  /** The least and the most that the probability can be; equal where it is known. */
  readonly least: Float64Array;
  readonly most: Float64Array;
  /** How many are not known exactly. */
  readonly unknown: number;
}

/**
 * The table keeps the target's probability (from its log loss) and those of the most probable classes. Any other class is at
 * most as probable as the last of these, and as what they leave over.
 */
export function classScores(
  rows: Uint32Array,
  { targets, predictions }: Answers,
  logLosses: Float64Array,
  top: Top,
  index: number,
): ClassScores {
  const known = rows.filter((row) => {
    const there = (targets[row] as number) >= 0 && (predictions[row] as number) >= 0 && top.width > 0;
    return there && !Number.isNaN(logLosses[row]) && (top.classes[row * top.width] as number) >= 0;
  });
  const [least, most] = [new Float64Array(known.length), new Float64Array(known.length)];
  const positive = new Uint8Array(known.length);
  let unknown = 0;
  for (let place = 0; place < known.length; place++) {
    const row = known[place] as number;
    const target = targets[row] as number;
    if (target === index) {
      positive[place] = 1;
      const probability = Math.exp(-(logLosses[row] as number));
      least[place] = probability;
      most[place] = probability;
      continue;
    }
    let [left, last, found, ownListed] = [1, 1, -1, false];
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
    if (!ownListed) left -= Math.exp(-(logLosses[row] as number));
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

/** Only others can be unknown: the curve is worst where they score as high as they can. */
export function boundedCurves(scores: ClassScores): Bounded {
  const worst = orderedOf(scores.most, scores.positive);
  return { worst, best: scores.unknown === 0 ? worst : orderedOf(scores.least, scores.positive) };
}

export interface Range {
  readonly low: number;
  readonly high: number;
}

export function areaRange({ worst, best }: Bounded): Range | null {
  const [low, high] = [rocArea(worst), rocArea(best)];
  return low === null || high === null ? null : { low, high };
}

export function precisionRange({ worst, best }: Bounded): Range | null {
  const [low, high] = [averagePrecision(worst), averagePrecision(best)];
  return low === null || high === null ? null : { low, high };
}
