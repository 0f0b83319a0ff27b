/**
 * Scores of a million examples with single labels: by row once for a record, then one pass of typed arrays for a selection, from whose
 * sums all parts and their intervals follow; see `lossparts`.
 */
import { ofSelection, remembered } from "./chosen";
import { meanInterval } from "./intervals";
import {
  answerOf,
  BINS,
  binOf,
  counts,
  EDGES,
  hasTwoClasses,
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
import { keepsDigits, left, ofMost } from "./remaining";
import { packed } from "./tally";

/** Two outcomes in each bin: wrong, right. */
const PLACES = 2 * BINS;
/** The middle of each bin: confidences are summed from there, so that their squares keep their digits. */
const MIDDLES = Float64Array.from(
  { length: BINS },
  (_, bin) => ((EDGES[bin] as number) + (EDGES[bin + 1] as number)) / 2,
);

/** What a score of single labels is made from, by row. */
export interface Answered {
  /** Twice the bin, and one more where it is right; PLACES where the row does not count. */
  readonly places: Uint8Array;
  /** The confidence less the middle of its bin. */
  readonly offsets: Float64Array;
  /** The score of the first answer. */
  readonly answers: Float64Array;
  readonly wholes: Float64Array;
  /** Whether any row of the record counts. */
  readonly any: boolean;
}

const answeredBy = { log: remembered(answered), brier: remembered(answered) };

/** Made once for the columns of a record; null where labels are soft. */
export function answersOf(scored: Scored, score: Score): Answered | null {
  const { targets, predictions, confidences, logLosses, briers } = scored;
  if (scored.soft) return null;
  return answeredBy[score](confidences, score, targets, predictions, logLosses, briers, hasTwoClasses(scored));
}

function answered(
  confidences: Float32Array,
  score: Score,
  targets: Int32Array,
  predictions: Int32Array,
  logLosses: Float64Array,
  briers: Float64Array,
  twoClasses: boolean,
): Answered {
  const scored = { targets, predictions, confidences, logLosses, briers, soft: null, topClasses: () => [] };
  const places = new Uint8Array(targets.length).fill(PLACES);
  const [offsets, answers] = [new Float64Array(targets.length), new Float64Array(targets.length)];
  const wholes = new Float64Array(targets.length);
  for (let row = 0; row < targets.length; row++) {
    if (!counts(row, scored)) continue;
    const confidence = confidences[row] as number;
    const hit = predictions[row] === targets[row] ? 1 : 0;
    const bin = binOf(confidence);
    places[row] = 2 * bin + hit;
    offsets[row] = confidence - (MIDDLES[bin] as number);
    answers[row] = answerOf(row, scored, score, twoClasses);
    wholes[row] = wholeOf(row, scored, score);
  }
  const any = places.some((place) => place !== PLACES);
  return { places, offsets, answers, wholes, any };
}

/** What is summed in each cell, side by side; the naming is what the score is more than that of the first answer. */
const [COUNT, OFFSET, ANSWER, NAMING, OFFSET2, ANSWER2, BOTH, WIDTH] = [0, 1, 2, 3, 4, 5, 6, 8];

/** Sums of a selection by cell: a group, a bin and an outcome. Rows of no group are in the one behind the last. */
export interface Summed {
  readonly groups: number;
  readonly cells: Float64Array;
  /** Sums of squares over all rows: of the score, and of the naming. */
  readonly wholes: number;
  readonly namings: number;
}

/** No groups: all rows are in the one behind the last. */
export const NO_GROUPS: Int32Array = new Int32Array(0);

/** The sums over rows with single labels, by what group each row of the record is in; made once for a selection and a grouping. */
export const summed = ofSelection((rows, groupOf: Int32Array, of: Answered): Summed => {
  if (!of.any) return { groups: 0, cells: new Float64Array(PLACES * WIDTH), wholes: 0, namings: 0 };
  return ofMost(
    rows,
    of.places.length,
    (some) => rowByRow(some, groupOf, of),
    (every) => summed(every, groupOf, of),
    lessRest,
  );
});

function lessRest(all: Summed, rest: Summed): Summed | null {
  const wholes = all.wholes - rest.wholes;
  if (!keepsDigits(wholes, all.wholes)) return null;
  return {
    groups: all.groups,
    cells: all.cells.map((sum, at) => left(sum, rest.cells[at] as number)),
    wholes,
    namings: left(all.namings, rest.namings),
  };
}

function rowByRow(rows: Uint32Array, groupOf: Int32Array, { answers, offsets, wholes, places }: Answered): Summed {
  const { cellOf, groups } = cellsBy(groupOf, places);
  const cells = new Float64Array(((groups + 1) * PLACES + 1) * WIDTH);
  let [wholes2, namings2] = [0, 0];
  const none = (groups + 1) * PLACES;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const cell = cellOf[row] as number;
    if (cell === none) continue;
    const at = cell * WIDTH;
    const offset = offsets[row] as number;
    const answer = answers[row] as number;
    const whole = wholes[row] as number;
    const naming = whole - answer;
    cells[at + COUNT] = (cells[at + COUNT] as number) + 1;
    cells[at + OFFSET] = (cells[at + OFFSET] as number) + offset;
    cells[at + ANSWER] = (cells[at + ANSWER] as number) + answer;
    cells[at + NAMING] = (cells[at + NAMING] as number) + naming;
    cells[at + OFFSET2] = (cells[at + OFFSET2] as number) + offset * offset;
    cells[at + ANSWER2] = (cells[at + ANSWER2] as number) + answer * answer;
    cells[at + BOTH] = (cells[at + BOTH] as number) + offset * answer;
    wholes2 += whole * whole;
    namings2 += naming * naming;
  }
  return { groups, cells, wholes: wholes2, namings: namings2 };
}

/** The cell of each row, and how many groups there are; made once for a grouping. */
const cellsBy = remembered((groupOf: Int32Array, places: Uint8Array) => {
  let groups = 0;
  for (let row = 0; row < groupOf.length; row++) groups = Math.max(groups, (groupOf[row] as number) + 1);
  const none = (groups + 1) * PLACES;
  const cellOf = new Int32Array(places.length);
  for (let row = 0; row < cellOf.length; row++) {
    const [place, group] = [places[row] as number, groupOf[row] ?? -1];
    cellOf[row] = place === PLACES ? none : (group < 0 ? groups : group) * PLACES + place;
  }
  return { cellOf: packed(cellOf, none + 1), groups };
});

/** The sums of a group within a bin. */
export function sumsAt({ cells }: Summed, group: number, bin: number): Sums {
  const found = nothing();
  for (const hit of [0, 1]) {
    const at = (group * PLACES + 2 * bin + hit) * WIDTH;
    const count = cells[at + COUNT] as number;
    found.count += count;
    found.hits += hit * count;
    found.confidence += count * (MIDDLES[bin] as number) + (cells[at + OFFSET] as number);
    found.answer += cells[at + ANSWER] as number;
    found.whole += (cells[at + ANSWER] as number) + (cells[at + NAMING] as number);
  }
  return found;
}

/** The same sums over all groups, and over the rows of none; made once for them. */
export const together = remembered(({ groups, cells, ...squares }: Summed): Summed => {
  const all = new Float64Array(PLACES * WIDTH);
  for (let group = 0; group <= groups; group++)
    for (let at = 0; at < all.length; at++) all[at] = (all[at] as number) + (cells[group * all.length + at] as number);
  return { groups: 0, cells: all, ...squares };
});

/** As `intervalsOf`, for single labels, from sums over all groups: what an example adds hangs on its bin, its outcome and its confidence. */
export function intervalsOfAnswers(all: Summed, score: Score): PartIntervals {
  let count = 0;
  let [total, calibration, refinement, within, naming] = [0, 0, 0, 0, 0];
  let [calibration2, refinement2, within2] = [0, 0, 0];
  for (let bin = 0; bin < BINS; bin++) {
    const of = sumsAt(all, 0, bin);
    if (of.count === 0) continue;
    const { share, mean, slope } = tangent(of, score);
    for (const hit of [0, 1]) {
      const at = (2 * bin + hit) * WIDTH;
      const sum = (which: number) => all.cells[at + which] as number;
      const many = sum(COUNT);
      const atShare = shareScore(hit, share, score);
      // The line that touches the score at the mean, in the middle of the bin, and what it is more than at the share.
      const line = scoreOf(hit, mean, score) - slope * (mean - (MIDDLES[bin] as number));
      const gap = line - atShare;
      const risen = slope * sum(OFFSET);
      const risen2 = slope * slope * sum(OFFSET2);
      count += many;
      total += sum(ANSWER) + sum(NAMING);
      naming += sum(NAMING);
      calibration += many * gap + risen;
      calibration2 += many * gap * gap + 2 * gap * risen + risen2;
      refinement += many * atShare;
      refinement2 += many * atShare * atShare;
      within += sum(ANSWER) - many * line - risen;
      within2 += sum(ANSWER2) + many * line * line + risen2 - 2 * (line * (sum(ANSWER) - risen) + slope * sum(BOTH));
    }
  }
  return {
    total: meanInterval(total, all.wholes, count),
    calibration: meanInterval(calibration, calibration2, count),
    refinement: meanInterval(refinement, refinement2, count),
    within: meanInterval(within, within2, count),
    naming: meanInterval(naming, all.namings, count),
  };
}
