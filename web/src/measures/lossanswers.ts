/** Scores of a million examples with single labels: by row once for a record, then sums of typed arrays; see `lossparts`. */
import { remembered } from "./chosen";
import { meanInterval } from "./intervals";
import type { Parts } from "./lossparts";
import { BINS, binOf, counts, LEAST_DOUBT, type Score, type Scored, type Sums, scoreOf } from "./lossscores";

/** What a score of single labels is made from, by row: its bin (`BINS` where it does not count), and the score of its first answer. */
export interface Answered {
  readonly bins: Uint8Array;
  readonly hits: Uint8Array;
  readonly answers: Float64Array;
  readonly wholes: Float64Array;
}

const answeredBy = { log: remembered(answered), brier: remembered(answered) };

/** Made once for the columns of a record; null where labels are soft. */
export function answersOf(scored: Scored, score: Score): Answered | null {
  const { targets, predictions, confidences, logLosses, briers } = scored;
  if (scored.soft) return null;
  return answeredBy[score](confidences, score, targets, predictions, logLosses, briers);
}

function answered(
  confidences: Float32Array,
  score: Score,
  targets: Int32Array,
  predictions: Int32Array,
  logLosses: Float64Array,
  briers: Float64Array,
): Answered {
  const scored = { targets, predictions, confidences, logLosses, briers, soft: null };
  const bins = new Uint8Array(targets.length).fill(BINS);
  const hits = new Uint8Array(targets.length);
  const answers = new Float64Array(targets.length);
  for (let row = 0; row < targets.length; row++) {
    if (!counts(row, scored)) continue;
    const confidence = confidences[row] as number;
    const hit = predictions[row] === targets[row] ? 1 : 0;
    bins[row] = binOf(confidence);
    hits[row] = hit;
    answers[row] = scoreOf(hit, confidence, score);
  }
  return { bins, hits, answers, wholes: score === "log" ? logLosses : briers };
}

/** Sums by group and bin, at `group * BINS + bin`: nothing is made for each row. */
interface Cells {
  readonly counts: Float64Array;
  at(cell: number): Sums;
}

/** How many groups codes name. */
const groupsOf = remembered((codes: Int32Array) => codes.reduce((most, code) => Math.max(most, code), -1) + 1);

/** Sums of rows with single labels; `groups` null puts all in one. */
export function summed(
  rows: Uint32Array,
  { bins, hits, answers, wholes }: Answered,
  confidences: Float32Array,
  groups: Int32Array | null,
): Cells {
  const cells = (groups ? groupsOf(groups) : 1) * BINS;
  const [counts, hit, confidence, answer, whole] = Array.from({ length: 5 }, () => new Float64Array(cells)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const bin = bins[row] as number;
    const group = groups ? (groups[row] as number) : 0;
    if (bin === BINS || group < 0) continue;
    const cell = group * BINS + bin;
    counts[cell] = (counts[cell] as number) + 1;
    hit[cell] = (hit[cell] as number) + (hits[row] as number);
    confidence[cell] = (confidence[cell] as number) + (confidences[row] as number);
    answer[cell] = (answer[cell] as number) + (answers[row] as number);
    whole[cell] = (whole[cell] as number) + (wholes[row] as number);
  }
  return {
    counts,
    at: (cell) => ({
      count: counts[cell] as number,
      hits: hit[cell] as number,
      confidence: confidence[cell] as number,
      answer: answer[cell] as number,
      whole: whole[cell] as number,
      answerSpread: 0,
      spread: 0,
    }),
  };
}

/** The sums of each bin over all of these rows. */
export function binSums(rows: Uint32Array, answers: Answered, confidences: Float32Array): Sums[] {
  const cells = summed(rows, answers, confidences, null);
  return Array.from(cells.counts, (_, bin) => cells.at(bin));
}

/** As `intervalsOf`, for single labels: what does not hang on the row is made once for each bin and outcome. */
export function intervalsOfAnswers(
  rows: Uint32Array,
  { bins: binOfRow, hits, answers, wholes }: Answered,
  confidences: Float32Array,
  score: Score,
  bins: readonly Sums[],
): Parts["intervals"] {
  const [atMeans, atShares] = [new Float64Array(2 * BINS), new Float64Array(2 * BINS)];
  const [means, slopes] = [new Float64Array(BINS), new Float64Array(BINS)];
  bins.forEach((of, bin) => {
    const { share, mean, slope } = tangent(of, score);
    means[bin] = mean;
    slopes[bin] = slope;
    for (const hit of [0, 1]) {
      atMeans[2 * bin + hit] = scoreOf(hit, mean, score);
      atShares[2 * bin + hit] = shareScore(hit, share, score);
    }
  });
  let count = 0;
  let [total, calibration, refinement, within, naming] = [0, 0, 0, 0, 0];
  let [total2, calibration2, refinement2, within2, naming2] = [0, 0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const bin = binOfRow[row] as number;
    if (bin === BINS) continue;
    const at = 2 * bin + (hits[row] as number);
    const whole = wholes[row] as number;
    const answer = answers[row] as number;
    const atMean =
      (atMeans[at] as number) + (slopes[bin] as number) * ((confidences[row] as number) - (means[bin] as number));
    const atShare = atShares[at] as number;
    const gap = atMean - atShare;
    const inside = answer - atMean;
    const named = whole - answer;
    count += 1;
    total += whole;
    total2 += whole * whole;
    calibration += gap;
    calibration2 += gap * gap;
    refinement += atShare;
    refinement2 += atShare * atShare;
    within += inside;
    within2 += inside * inside;
    naming += named;
    naming2 += named * named;
  }
  return {
    total: meanInterval(total, total2, count),
    calibration: meanInterval(calibration, calibration2, count),
    refinement: meanInterval(refinement, refinement2, count),
    within: meanInterval(within, within2, count),
    naming: meanInterval(naming, naming2, count),
  };
}

/** Of a bin: its share of right answers, its mean confidence, and what calibration changes with a confidence. */
export function tangent(of: Sums, score: Score): { share: number; mean: number; slope: number } {
  const [share, mean] = [of.hits / of.count, of.confidence / of.count];
  const slope = score === "log" ? (1 - share) / Math.max(1 - mean, LEAST_DOUBT) - share / mean : 2 * (mean - share);
  return { share, mean, slope };
}

/** Where the share is an end, every outcome is that end, and costs nothing there. */
export function shareScore(hit: number, share: number, score: Score): number {
  return score === "log" && (share <= 0 || share >= 1) ? 0 : scoreOf(hit, share, score);
}
