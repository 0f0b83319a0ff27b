/** Top-k accuracy for every k, a twin of pellucid.measures.ranking. */
import type { Answers, Share } from "./accuracy";
import { wilson } from "./intervals";

/** Whether some answer is known and the rank of its target is not: where only classes were saved, that of every wrong one. */
export function lacksRanks(rows: Uint32Array, { targets, predictions }: Answers, ranks: Int32Array): boolean {
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if ((ranks[row] as number) < 0 && (targets[row] as number) >= 0 && (predictions[row] as number) >= 0) return true;
  }
  return false;
}

/** Examples by the rank of their target, 0 the first, up to the last that occurs; unknown ranks do not count. */
export function rankCounts(rows: Uint32Array, ranks: Int32Array): Float64Array {
  let most = -1;
  for (let place = 0; place < rows.length; place++) most = Math.max(most, ranks[rows[place] as number] as number);
  const counts = new Float64Array(most + 1);
  for (let place = 0; place < rows.length; place++) {
    const rank = ranks[rows[place] as number] as number;
    if (rank >= 0) counts[rank] = (counts[rank] as number) + 1;
  }
  return counts;
}

/** The share whose target is among the k most probable classes, for k = 1, 2, ... up to the k that holds all. */
export function topKCurve(counts: Float64Array): Share[] {
  const count = counts.reduce((sum, one) => sum + one, 0);
  let correct = 0;
  return Array.from(counts, (one) => {
    correct += one;
    return { correct, count, value: correct / count, interval: wilson(correct, count) };
  });
}
