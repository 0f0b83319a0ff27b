/** Top-k accuracy for every k, a twin of pellucid.measures.ranking. */
import type { Answers, Share } from "./accuracy";
import { remembered } from "./chosen";
import { wilson } from "./intervals";
import { codesOf, tally } from "./tally";

/** Whether some answer is known and the rank of its target is not: where only classes were saved, that of every wrong one. */
export function lacksRanks(rows: Uint32Array, { targets, predictions }: Answers, ranks: Int32Array): boolean {
  const lacks = (row: number) =>
    (ranks[row] as number) < 0 && (targets[row] as number) >= 0 && (predictions[row] as number) >= 0;
  return lackedBySome(ranks, targets, predictions) && rows.some(lacks);
}

/** The same of any example of the record: mostly every rank is known, and no selection has to be looked at. */
const lackedBySome = remembered(
  (ranks: Int32Array, targets: Int32Array, predictions: Int32Array) =>
    ranks.length < targets.length ||
    ranks.some((rank, row) => rank < 0 && (targets[row] as number) >= 0 && (predictions[row] as number) >= 0),
);

/** Examples by the rank of their target, 0 the first, up to the last that occurs; unknown ranks do not count. */
export function rankCounts(rows: Uint32Array, ranks: Int32Array): Float64Array {
  const size = ranksOf(ranks);
  const counts = tally(rows, codesOf(ranks, size), size + 1);
  let last = size;
  while (last > 0 && counts[last - 1] === 0) last -= 1;
  return Float64Array.from(counts.subarray(0, last));
}

/** One more than the largest rank. */
const ranksOf = remembered((ranks: Int32Array) => ranks.reduce((most, rank) => Math.max(most, rank), -1) + 1);

/** The share whose target is among the k most probable classes, for k = 1, 2, ... up to the k that holds all. */
export function topKCurve(counts: Float64Array): Share[] {
  const count = counts.reduce((sum, one) => sum + one, 0);
  let correct = 0;
  return Array.from(counts, (one) => {
    correct += one;
    return { correct, count, value: correct / count, interval: wilson(correct, count) };
  });
}
