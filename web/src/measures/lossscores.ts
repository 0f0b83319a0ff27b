/** Scores of single examples, their bins, and their sums: what the parts of a loss are made from; see `lossparts`. */
import { remembered } from "./chosen";
import type { Bounds } from "./intervals";

export type Score = "log" | "brier";

/** Columns of the examples table; NaN and -1 where not known, and NaN where infinite. */
export interface Scored {
  readonly targets: Int32Array;
  readonly predictions: Int32Array;
  readonly confidences: Float32Array;
  /** Cross-entropy, nats; infinite where a row counts and has none, as the table writes no infinite numbers: see `wholeOf`. */
  readonly logLosses: Float64Array;
  /** Sum over classes of (p - y)². */
  readonly briers: Float64Array;
  /** The soft label of a row; null where labels are single classes. */
  readonly soft: ((row: number) => ArrayLike<number> | null) | null;
  /** The few most probable classes of a row, both of two; empty where not known. */
  topClasses(row: number): ArrayLike<number>;
}

export type PartName = "calibration" | "refinement" | "within" | "naming";

/** 95%, by the delta method; null below two examples. */
export type PartIntervals = Readonly<Record<PartName | "total", Bounds | null>>;

export const EDGES = [
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1,
] as const;
export const BINS = EDGES.length - 1;
export const LEAST_DOUBT = 2 ** -25;

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

export function binaryEntropy(share: number): number {
  return share > 0 && share < 1 ? -share * Math.log(share) - (1 - share) * Math.log1p(-share) : 0;
}

/** Sums over the examples of a bin, or of a group within a bin. */
export interface Sums {
  count: number;
  hits: number;
  confidence: number;
  answer: number;
  whole: number;
  answerSpread: number;
  spread: number;
}

export const nothing = (): Sums => ({
  count: 0,
  hits: 0,
  confidence: 0,
  answer: 0,
  whole: 0,
  answerSpread: 0,
  spread: 0,
});

export function hitOf(row: number, { soft, predictions, targets }: Scored): number {
  const label = soft?.(row) ?? null;
  const prediction = predictions[row] as number;
  return label ? (label[prediction] ?? 0) : prediction === targets[row] ? 1 : 0;
}

/** The score of a forecast of whether the first answer is right. */
export function scoreOf(hit: number, forecast: number, score: Score): number {
  if (score === "brier") return hit * (1 - forecast) ** 2 + (1 - hit) * forecast ** 2;
  return -hit * Math.log(forecast) - (1 - hit) * Math.log(Math.max(1 - forecast, LEAST_DOUBT));
}

/**
 * Of a bin: its share of right answers, its mean confidence, and what calibration changes with a confidence; of the logarithm that is cut
 * at the least doubt none is left.
 */
export function tangent(of: Sums, score: Score): { share: number; mean: number; slope: number } {
  const [share, mean] = [of.hits / of.count, of.confidence / of.count];
  const falling = 1 - mean > LEAST_DOUBT ? (1 - share) / (1 - mean) : 0;
  const slope = score === "log" ? falling - share / mean : 2 * (mean - share);
  return { share, mean, slope };
}

/** Where the share is an end, every outcome is that end, and costs nothing there. */
export function shareScore(hit: number, share: number, score: Score): number {
  return score === "log" && (share <= 0 || share >= 1) ? 0 : scoreOf(hit, share, score);
}

/** The score of a row that counts: a log loss that is missing is infinite, as the label was given no probability. */
export function wholeOf(row: number, { logLosses, briers }: Scored, score: Score): number {
  if (score === "brier") return briers[row] as number;
  const loss = logLosses[row] as number;
  return Number.isNaN(loss) ? Infinity : loss;
}

/** Whether the model has two classes, so that the first answer's log loss is the whole one. */
export function hasTwoClasses(scored: Scored): boolean {
  const first = firstThatCounts(scored.targets, scored.confidences, scored.briers);
  return first >= 0 && scored.topClasses(first).length === 2;
}

/** Once for a record: where no row counts, a million have been asked. */
const firstThatCounts = remembered((targets: Int32Array, confidences: Float32Array, briers: Float64Array): number => {
  for (let row = 0; row < targets.length; row++) if (counts(row, { targets, confidences, briers })) return row;
  return -1;
});

/** The score of the first answer of a row that counts; of two classes the log loss itself, where it is finite, to every digit. */
export function answerOf(row: number, scored: Scored, score: Score, twoClasses: boolean): number {
  const loss = scored.logLosses[row] as number;
  if (score === "log" && twoClasses && Number.isFinite(loss)) return loss;
  return scoreOf(hitOf(row, scored), scored.confidences[row] as number, score);
}

export function add(to: Sums, row: number, scored: Scored, score: Score, twoClasses: boolean): void {
  const confidence = scored.confidences[row] as number;
  const label = scored.soft?.(row) ?? null;
  const hit = hitOf(row, scored);
  to.count += 1;
  to.hits += hit;
  to.confidence += confidence;
  to.answer += answerOf(row, scored, score, twoClasses);
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

/** Whether a row has a label and probabilities; its Brier score is finite then, its log loss may be infinite. */
export function counts(
  row: number,
  { targets, confidences, briers }: Pick<Scored, "targets" | "confidences" | "briers">,
): boolean {
  return (targets[row] as number) >= 0 && Number.isFinite(confidences[row]) && Number.isFinite(briers[row]);
}
