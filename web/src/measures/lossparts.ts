/**
 * The log loss and the Brier score of any selection taken apart so that the parts add up; twin of
 * pellucid.measures.decomposition, which says what each part is and where it comes from.
 */
import type { Bounds } from "./intervals";
import { studentQuantile } from "./student";

export type Score = "log" | "brier";

/** Columns of the examples table; NaN and -1 where not known. */
export interface Scored {
  readonly targets: Int32Array;
  readonly predictions: Int32Array;
  readonly confidences: Float32Array;
  /** Cross-entropy, nats. */
  readonly logLosses: Float64Array;
  /** Sum over classes of (p - y)². */
  readonly briers: Float64Array;
  /** The soft label of a row; null where labels are single classes. */
  readonly soft: ((row: number) => ArrayLike<number> | null) | null;
}

export type PartName = "calibration" | "refinement" | "within" | "naming";

export interface Parts {
  readonly count: number;
  readonly total: number;
  readonly calibration: number;
  readonly refinement: number;
  readonly within: number;
  readonly naming: number;
  readonly uncertainty: number;
  readonly resolution: number;
  readonly bias: number;
  readonly bins: number;
  readonly irreducible: number | null;
  readonly irreducibleAnswer: number | null;
  /** 95%, by the delta method; null below two examples. */
  readonly intervals: Readonly<Record<PartName | "total", Bounds | null>>;
}

export interface GroupParts {
  readonly group: number;
  readonly count: number;
  readonly total: number;
  readonly calibration: number;
  readonly refinement: number;
  readonly within: number;
  readonly naming: number;
}

export const EDGES = [
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1,
] as const;
const BINS = EDGES.length - 1;
const LEAST_DOUBT = 2 ** -25;

/** Bin of a confidence, (low, high]. */
export function binOf(confidence: number): number {
  let bin = 0;
  while (bin < BINS - 1 && confidence > (EDGES[bin + 1] as number)) bin++;
  return bin;
}

/** -Σ q ln q, nats. */
export function entropyOf(shares: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < shares.length; at++) {
    const share = shares[at] as number;
    if (share > 0) sum -= share * Math.log(share);
  }
  return Math.max(0, sum);
}

function binaryEntropy(share: number): number {
  return share > 0 && share < 1 ? -share * Math.log(share) - (1 - share) * Math.log1p(-share) : 0;
}

/** Sums over the examples of a bin, or of a group within a bin. */
interface Sums {
  count: number;
  hits: number;
  confidence: number;
  answer: number;
  whole: number;
  answerSpread: number;
  spread: number;
}

const nothing = (): Sums => ({
  count: 0,
  hits: 0,
  confidence: 0,
  answer: 0,
  whole: 0,
  answerSpread: 0,
  spread: 0,
});

function hitOf(row: number, { soft, predictions, targets }: Scored): number {
  const label = soft?.(row) ?? null;
  const prediction = predictions[row] as number;
  return label ? (label[prediction] ?? 0) : prediction === targets[row] ? 1 : 0;
}

/** The score of a forecast of whether the first answer is right. */
function scoreOf(hit: number, forecast: number, score: Score): number {
  if (score === "brier") return hit * (1 - forecast) ** 2 + (1 - hit) * forecast ** 2;
  return -hit * Math.log(forecast) - (1 - hit) * Math.log(Math.max(1 - forecast, LEAST_DOUBT));
}

const wholeOf = (row: number, { logLosses, briers }: Scored, score: Score) =>
  (score === "log" ? logLosses[row] : briers[row]) as number;

function add(to: Sums, row: number, scored: Scored, score: Score): void {
  const confidence = scored.confidences[row] as number;
  const label = scored.soft?.(row) ?? null;
  const hit = hitOf(row, scored);
  to.count += 1;
  to.hits += hit;
  to.confidence += confidence;
  to.answer += scoreOf(hit, confidence, score);
  to.whole += wholeOf(row, scored, score);
  if (!label) return;
  if (score === "log") {
    to.answerSpread += binaryEntropy(hit);
    to.spread += entropyOf(label);
  } else {
    to.answerSpread += hit * (1 - hit);
    for (let at = 0; at < label.length; at++) to.spread += (label[at] as number) * (1 - (label[at] as number));
  }
}

function counts(row: number, { targets, confidences, logLosses, briers }: Scored): boolean {
  return (
    (targets[row] as number) >= 0 &&
    Number.isFinite(confidences[row]) &&
    Number.isFinite(logLosses[row]) &&
    Number.isFinite(briers[row])
  );
}

/** Calibration and refinement of examples that share a bin with others, sums over the examples. */
function ofBin(own: Sums, all: Sums, score: Score): { calibration: number; refinement: number } {
  const misses = own.count - own.hits;
  const share = all.hits / all.count;
  const mean = all.confidence / all.count;
  if (score === "brier") {
    const refinement = own.hits * (1 - share) ** 2 + misses * share ** 2;
    return { calibration: own.hits * (1 - mean) ** 2 + misses * mean ** 2 - refinement, refinement };
  }
  const atMean = -own.hits * Math.log(mean) - misses * Math.log(Math.max(1 - mean, LEAST_DOUBT));
  const right = share > 0 ? Math.log(share) : 0;
  const wrong = share < 1 ? Math.log(1 - share) : 0;
  const refinement = -own.hits * right - misses * wrong;
  return { calibration: atMean - refinement, refinement };
}

function biasOf({ count, hits }: Sums, score: Score): number {
  const share = hits / count;
  if (score === "log") return share > 0 && share < 1 ? 0.5 : 0;
  return count >= 2 ? (count * share * (1 - share)) / (count - 1) : 0;
}

/** Intervals by what each example adds to a part to first order; see pellucid.measures.part_intervals. */
function intervalsOf(rows: Uint32Array, scored: Scored, score: Score, bins: readonly Sums[]): Parts["intervals"] {
  const names = ["total", "calibration", "refinement", "within", "naming"] as const;
  const sums = names.map(() => ({ sum: 0, squares: 0 }));
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (!counts(row, scored)) continue;
    const confidence = scored.confidences[row] as number;
    const bin = bins[binOf(confidence)] as Sums;
    const [share, mean] = [bin.hits / bin.count, bin.confidence / bin.count];
    const slope = score === "log" ? (1 - share) / Math.max(1 - mean, LEAST_DOUBT) - share / mean : 2 * (mean - share);
    const hit = hitOf(row, scored);
    const answer = scoreOf(hit, confidence, score);
    const whole = wholeOf(row, scored, score);
    const atMean = scoreOf(hit, mean, score) + slope * (confidence - mean);
    // Where the share is an end, every outcome is that end, and costs nothing there.
    const atShare = score === "log" && (share <= 0 || share >= 1) ? 0 : scoreOf(hit, share, score);
    [whole, atMean - atShare, atShare, answer - atMean, whole - answer].forEach((value, at) => {
      const of = sums[at] as { sum: number; squares: number };
      of.sum += value;
      of.squares += value * value;
    });
    count += 1;
  }
  const [total, calibration, refinement, within, naming] = sums.map((of) =>
    studentInterval(of.sum, of.squares, count),
  ) as [Bounds | null, Bounds | null, Bounds | null, Bounds | null, Bounds | null];
  return { total, calibration, refinement, within, naming };
}

function studentInterval(sum: number, squares: number, count: number): Bounds | null {
  if (count < 2) return null;
  const mean = sum / count;
  const variance = Math.max(0, squares - sum * mean) / (count - 1);
  const half = studentQuantile(0.975, count - 1) * Math.sqrt(variance / count);
  return { low: mean - half, high: mean + half };
}

/** The parts of a score over some rows; null where none has probabilities and a label. */
export function partsOf(rows: Uint32Array, scored: Scored, score: Score): Parts | null {
  const bins = Array.from({ length: BINS }, nothing);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (counts(row, scored)) add(bins[binOf(scored.confidences[row] as number)] as Sums, row, scored, score);
  }
  const all = nothing();
  let [calibration, refinement, bias, filled] = [0, 0, 0, 0];
  for (const bin of bins) {
    if (bin.count === 0) continue;
    const found = ofBin(bin, bin, score);
    calibration += found.calibration;
    refinement += found.refinement;
    bias += biasOf(bin, score);
    filled += 1;
    for (const name of Object.keys(all) as (keyof Sums)[]) all[name] += bin[name];
  }
  if (all.count === 0) return null;
  const share = all.hits / all.count;
  const uncertainty = score === "log" ? binaryEntropy(share) : share * (1 - share);
  return {
    count: all.count,
    total: all.whole / all.count,
    calibration: calibration / all.count,
    refinement: refinement / all.count,
    within: (all.answer - calibration - refinement) / all.count,
    naming: (all.whole - all.answer) / all.count,
    uncertainty,
    resolution: uncertainty - refinement / all.count,
    bias: bias / all.count,
    bins: filled,
    irreducible: scored.soft ? all.spread / all.count : null,
    irreducibleAnswer: scored.soft ? all.answerSpread / all.count : null,
    intervals: intervalsOf(rows, scored, score, bins),
  };
}

/**
 * What each group adds to each part, for each example of all, with the bins of all: over the groups they add up to `partsOf`.
 * `groupOf` gives -1 for rows of no group, whose part is then missing from the sum.
 */
export function contributions(
  rows: Uint32Array,
  scored: Scored,
  score: Score,
  groupOf: (row: number) => number,
): GroupParts[] {
  const whole = Array.from({ length: BINS }, nothing);
  const cells = new Map<number, Sums>();
  let total = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (!counts(row, scored)) continue;
    total += 1;
    const bin = binOf(scored.confidences[row] as number);
    add(whole[bin] as Sums, row, scored, score);
    const group = groupOf(row);
    if (group < 0) continue;
    const key = group * BINS + bin;
    let cell = cells.get(key);
    if (!cell) {
      cell = nothing();
      cells.set(key, cell);
    }
    add(cell, row, scored, score);
  }
  const groups = new Map<number, { -readonly [Name in keyof GroupParts]: number }>();
  for (const [key, own] of cells) {
    const group = Math.floor(key / BINS);
    const { calibration, refinement } = ofBin(own, whole[key % BINS] as Sums, score);
    const sum = groups.get(group) ?? {
      group,
      count: 0,
      total: 0,
      calibration: 0,
      refinement: 0,
      within: 0,
      naming: 0,
    };
    sum.count += own.count;
    sum.total += own.whole / total;
    sum.calibration += calibration / total;
    sum.refinement += refinement / total;
    sum.within += (own.answer - calibration - refinement) / total;
    sum.naming += (own.whole - own.answer) / total;
    groups.set(group, sum);
  }
  return [...groups.values()].sort((one, other) => one.group - other.group);
}
