/** Disputed labels of any selection of a million examples: judged once for a record, then counted; the twin of `disputed`. */
import type { Top } from "../record/top";
import { Ordered, remembered } from "./chosen";
import { type Listed, listedBy, rowsAt } from "./listed";
import { type Labelled, labelProbability, SLACK } from "./losslabels";
import { orderOf } from "./order";
import { type Codes, packed, tally } from "./tally";

const NONE = -1;
const UNDECIDED = -2;
const NOT_JUDGED = -3;
/** What was found of a label: its class, another one, none, or that it cannot be told. */
const [CONFIRMED, DISPUTED, NOWHERE, NOT_TOLD, VERDICTS] = [0, 1, 2, 3, 4];

/** What does not hang on the selection. */
interface Judged {
  /** The class that each row confidently belongs to, or one of the above. */
  readonly places: Int32Array;
  /** VERDICTS * label and what was found of it; the one behind the last where it was not judged. */
  readonly verdicts: Codes;
  /** Rows whose class is not their label. */
  readonly orders: Readonly<Record<Rank, Ranked>>;
  /** The pair of label and class of each of those rows, as its place among `pairs`; the one behind the last for other rows. */
  readonly pairOf: Codes;
  readonly pairs: readonly Pair[];
}

/** Lowest margin first, or least probable label first. */
export type Rank = "margin" | "label";

/** Disputed rows in an order, and those of each pair in the same order. */
interface Ranked {
  readonly rows: Uint32Array;
  readonly byPair: Listed;
}

export interface Pair {
  readonly given: number;
  readonly suggested: number;
}

export interface Dispute extends Pair {
  readonly row: number;
  readonly givenProbability: number;
  readonly suggestedProbability: number;
}

export interface Disputes {
  /** Examples that were judged: with a label and probabilities. */
  readonly count: number;
  readonly disputed: number;
  readonly unplaced: number;
  readonly undecided: number;
  readonly estimated: number | null;
}

const judged = remembered((thresholds: Float64Array, labelled: Labelled, top: Top): Judged => {
  const { width, classes, probabilities } = top;
  const least = thresholds.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
  const places = new Int32Array(labelled.targets.length).fill(NOT_JUDGED);
  const verdicts = new Int32Array(places.length).fill(VERDICTS * thresholds.length);
  const pairOf = new Int32Array(places.length).fill(-1);
  const pairs: Pair[] = [];
  const known = new Map<number, number>();
  const rows = new Uint32Array(places.length);
  const [margins, shares] = [new Float64Array(places.length), new Float64Array(places.length)];
  let many = 0;
  for (let row = 0; row < places.length; row++) {
    const given = labelled.targets[row] as number;
    const first = row * width;
    if (given < 0 || width === 0 || (classes[first] as number) < 0) continue;
    let place = NONE;
    let last = 1;
    let kept = 0;
    while (kept < width && (classes[first + kept] as number) >= 0) {
      last = probabilities[first + kept] as number;
      if (place === NONE && last >= (thresholds[classes[first + kept] as number] as number) - SLACK)
        place = classes[first + kept] as number;
      kept += 1;
    }
    if (place === NONE && kept < thresholds.length && last >= least - SLACK) place = UNDECIDED;
    places[row] = place;
    const verdict = place === UNDECIDED ? NOT_TOLD : place === NONE ? NOWHERE : place === given ? CONFIRMED : DISPUTED;
    verdicts[row] = VERDICTS * given + verdict;
    if (place < 0 || place === given) continue;
    const code = given * thresholds.length + place;
    let pair = known.get(code);
    if (pair === undefined) {
      pair = pairs.push({ given, suggested: place }) - 1;
      known.set(code, pair);
    }
    pairOf[row] = pair;
    const own = labelProbability(row, labelled);
    const second = probabilities[first + Math.min(1, kept - 1)] as number;
    rows[many] = row;
    margins[many] = own - (classes[first] === given ? second : (probabilities[first] as number));
    shares[many++] = own;
  }
  for (let row = 0; row < pairOf.length; row++) if (pairOf[row] === -1) pairOf[row] = pairs.length;
  const ordered = (values: Float64Array): Ranked => {
    const placed = orderOf(values.subarray(0, many)).map((at) => rows[at] as number);
    return { rows: placed, byPair: listedBy(placed, pairOf, pairs.length) };
  };
  return {
    places,
    verdicts: packed(verdicts, VERDICTS * thresholds.length + 1),
    orders: { margin: ordered(margins), label: ordered(shares) },
    pairOf: packed(pairOf, pairs.length + 1),
    pairs,
  };
});

/** Of the rows, by the thresholds of all examples; see `disputed`. */
export function disputesOf(rows: Uint32Array, labelled: Labelled, top: Top, thresholds: Float64Array): Disputes {
  const { verdicts } = judged(thresholds, labelled, top);
  const found = tally(rows, verdicts, VERDICTS * thresholds.length + 1);
  const [labels, counted, wrong] = [0, 1, 2].map(() => new Float64Array(thresholds.length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let [count, disputed, unplaced, undecided] = [0, 0, 0, 0];
  for (let target = 0; target < thresholds.length; target++) {
    const of = (verdict: number) => found[VERDICTS * target + verdict] as number;
    wrong[target] = of(DISPUTED);
    disputed += of(DISPUTED);
    counted[target] = of(DISPUTED) + of(CONFIRMED);
    labels[target] = (counted[target] as number) + of(NOWHERE) + of(NOT_TOLD);
    unplaced += of(NOWHERE);
    undecided += of(NOT_TOLD);
    count += labels[target] as number;
  }
  let estimated: number | null = null;
  for (let index = 0; index < labels.length; index++)
    if (counted[index])
      estimated =
        (estimated ?? 0) + ((labels[index] as number) * (wrong[index] as number)) / (counted[index] as number);
  return { count, disputed, unplaced, undecided, estimated };
}

/** Those of the rows that are disputed. */
export function disputedRows(
  rows: Uint32Array,
  labelled: Labelled,
  top: Top,
  thresholds: Float64Array,
  rank: Rank,
): Ordered {
  const { orders } = judged(thresholds, labelled, top);
  const { disputed } = disputesOf(rows, labelled, top, thresholds);
  return new Ordered(orders[rank].rows, rows, labelled.targets.length, disputed);
}

export interface PairCount extends Pair {
  readonly count: number;
  /** The first of its rows. */
  readonly rows: readonly number[];
}

/** The pairs of label and class that most of the disputed rows are of, with at most so many rows of each, in order. */
export function commonPairs(
  rows: Uint32Array,
  labelled: Labelled,
  top: Top,
  thresholds: Float64Array,
  rank: Rank,
  most: number,
  mostRows: number,
): PairCount[] {
  const { pairOf, pairs, orders } = judged(thresholds, labelled, top);
  const { byPair } = orders[rank];
  const counts = tally(rows, pairOf, pairs.length + 1).subarray(0, pairs.length);
  return largest(counts, most).map((pair) => {
    const count = counts[pair] as number;
    const own = rowsAt(byPair, pair);
    const first = new Ordered(own, rows, labelled.targets.length, count).first(mostRows);
    return { ...(pairs[pair] as Pair), count, rows: [...first] };
  });
}

/** A disputed row in full. */
export function disputeOf(row: number, labelled: Labelled, top: Top, thresholds: Float64Array): Dispute {
  const suggested = judged(thresholds, labelled, top).places[row] as number;
  let suggestedProbability = 0;
  for (let at = row * top.width; at < (row + 1) * top.width; at++)
    if (top.classes[at] === suggested) suggestedProbability = top.probabilities[at] as number;
  const given = labelled.targets[row] as number;
  return { row, given, suggested, givenProbability: labelProbability(row, labelled), suggestedProbability };
}

/** Places of the largest counts, largest first; those that are 0 are left out. */
function largest(counts: Uint32Array, most: number): number[] {
  const found: number[] = [];
  for (let place = 0; place < counts.length; place++) {
    const count = counts[place] as number;
    if (count === 0 || (found.length === most && count <= (counts[found[most - 1] as number] as number))) continue;
    let at = found.length;
    while (at > 0 && (counts[found[at - 1] as number] as number) < count) at -= 1;
    found.splice(at, 0, place);
    if (found.length > most) found.pop();
  }
  return found;
}
