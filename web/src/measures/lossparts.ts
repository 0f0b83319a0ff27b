/**
 * The log loss and the Brier score of any selection taken apart so that the parts add up; twin of
 * pellucid.measures.decomposition, which says what each part is and where it comes from.
 */
import { type Bounds, meanInterval } from "./intervals";
import { answersOf, intervalsOfAnswers, NO_GROUPS, summed, sumsAt, together } from "./lossanswers";
import {
  add,
  answerOf,
  BINS,
  binaryEntropy,
  binOf,
  counts,
  hasTwoClasses,
  hitOf,
  LEAST_DOUBT,
  nothing,
  type PartIntervals,
  type Score,
  type Scored,
  type Sums,
  scoreOf,
  shareScore,
  tangent,
  wholeOf,
} from "./lossscores";

export { binOf, EDGES, entropyOf, type PartName, type Score, type Scored } from "./lossscores";

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
  readonly intervals: PartIntervals;
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
function intervalsOf(rows: Uint32Array, scored: Scored, score: Score, bins: readonly Sums[]): PartIntervals {
  const names = ["total", "calibration", "refinement", "within", "naming"] as const;
  const sums = names.map(() => ({ sum: 0, squares: 0 }));
  const two = hasTwoClasses(scored);
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (!counts(row, scored)) continue;
    const confidence = scored.confidences[row] as number;
    const { share, mean, slope } = tangent(bins[binOf(confidence)] as Sums, score);
    const hit = hitOf(row, scored);
    const answer = answerOf(row, scored, score, two);
    const whole = wholeOf(row, scored, score);
    const atMean = scoreOf(hit, mean, score) + slope * (confidence - mean);
    const atShare = shareScore(hit, share, score);
    [whole, atMean - atShare, atShare, answer - atMean, whole - answer].forEach((value, at) => {
      const of = sums[at] as { sum: number; squares: number };
      of.sum += value;
      of.squares += value * value;
    });
    count += 1;
  }
  const [total, calibration, refinement, within, naming] = sums.map((of) =>
    meanInterval(of.sum, of.squares, count),
  ) as [Bounds | null, Bounds | null, Bounds | null, Bounds | null, Bounds | null];
  return { total, calibration, refinement, within, naming };
}

function softSums(rows: Uint32Array, scored: Scored, score: Score): Sums[] {
  const two = hasTwoClasses(scored);
  const bins = Array.from({ length: BINS }, nothing);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (counts(row, scored)) add(bins[binOf(scored.confidences[row] as number)] as Sums, row, scored, score, two);
  }
  return bins;
}

const BIN_NUMBERS = Array.from({ length: BINS }, (_, bin) => bin);

/**
 * The parts of a score over some rows; null where none has probabilities and a label, or one has an infinite score. `groupOf` changes nothing: where the page also asks
 * for the contributions of groups, both come from the same sums.
 */
export function partsOf(rows: Uint32Array, scored: Scored, score: Score, groupOf = NO_GROUPS): Parts | null {
  const answers = answersOf(scored, score);
  const sums = answers && together(summed(rows, groupOf, answers));
  const bins = sums ? BIN_NUMBERS.map((bin) => sumsAt(sums, 0, bin)) : softSums(rows, scored, score);
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
  if (all.count === 0 || !Number.isFinite(all.whole)) return null;
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
    intervals: sums ? intervalsOfAnswers(sums, score) : intervalsOf(rows, scored, score, bins),
  };
}

/** How many rows have a label that was given no probability: their log loss is infinite, and has no parts. */
export function unlikelyLabels(rows: Uint32Array, scored: Scored): number {
  return rows.reduce((sum, row) => sum + (counts(row, scored) && wholeOf(row, scored, "log") === Infinity ? 1 : 0), 0);
}

/**
 * What each group adds to each part, for each example of all, with the bins of all: over the groups they add up to `partsOf`. Nothing
 * where one row has an infinite score.
 * `groupOf` has the group of each row, -1 for rows of no group, whose part is then missing from the sum.
 */
export function contributions(rows: Uint32Array, scored: Scored, score: Score, groupOf: Int32Array): GroupParts[] {
  const answers = answersOf(scored, score);
  const sums = answers && summed(rows, groupOf, answers);
  const all = sums && together(sums);
  const whole = all ? BIN_NUMBERS.map((bin) => sumsAt(all, 0, bin)) : softSums(rows, scored, score);
  if (!Number.isFinite(whole.reduce((sum, bin) => sum + bin.whole, 0))) return [];
  const total = whole.reduce((sum, bin) => sum + bin.count, 0);
  const groups = new Map<number, { -readonly [Name in keyof GroupParts]: number }>();
  const gather = (group: number, bin: number, own: Sums) => {
    const { calibration, refinement } = ofBin(own, whole[bin] as Sums, score);
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
  };
  if (sums) {
    for (let group = 0; group < sums.groups; group++)
      for (const bin of BIN_NUMBERS) {
        const own = sumsAt(sums, group, bin);
        if (own.count > 0) gather(group, bin, own);
      }
  } else
    for (const [key, own] of softCells(rows, scored, score, groupOf)) gather(Math.floor(key / BINS), key % BINS, own);
  return [...groups.values()].sort((one, other) => one.group - other.group);
}

/** Sums by `group * BINS + bin`. */
function softCells(rows: Uint32Array, scored: Scored, score: Score, groupOf: Int32Array): Map<number, Sums> {
  const two = hasTwoClasses(scored);
  const cells = new Map<number, Sums>();
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const group = groupOf[row] as number;
    if (group < 0 || !counts(row, scored)) continue;
    const key = group * BINS + binOf(scored.confidences[row] as number);
    const cell = cells.get(key) ?? nothing();
    cells.set(key, cell);
    add(cell, row, scored, score, two);
  }
  return cells;
}
