/** ROC and precision-recall curves of one class against the others: a twin of pellucid.measures.curves. */
import { type Bounds, deltaInterval, wilson } from "./intervals";

/** Examples by score, highest first: how many of the class, and how many others, have each. */
export interface Ordered {
  readonly scores: Float64Array;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

/** One place a distinct score. */
export function orderedOf(scores: Float64Array, positive: Uint8Array): Ordered {
  const split = (wanted: number) => {
    const kept = scores.filter((_, place) => positive[place] === wanted);
    return kept.sort().reverse();
  };
  const [own, others] = [split(1), split(0)];
  const room = own.length + others.length;
  const found = {
    scores: new Float64Array(room),
    positives: new Float64Array(room),
    negatives: new Float64Array(room),
  };
  let [next, mine, theirs] = [0, 0, 0];
  while (mine < own.length || theirs < others.length) {
    const score = Math.max(own[mine] ?? Number.NEGATIVE_INFINITY, others[theirs] ?? Number.NEGATIVE_INFINITY);
    const [before, beforeTheirs] = [mine, theirs];
    while (mine < own.length && own[mine] === score) mine += 1;
    while (theirs < others.length && others[theirs] === score) theirs += 1;
    found.scores[next] = score;
    found.positives[next] = mine - before;
    found.negatives[next++] = theirs - beforeTheirs;
  }
  return {
    scores: found.scores.slice(0, next),
    positives: found.positives.slice(0, next),
    negatives: found.negatives.slice(0, next),
  };
}

/** Probability that an example of the class scores higher than another, equal scores counting half; null without both. */
export function rocArea({ positives, negatives }: Ordered): number | null {
  const [own, others] = [total(positives), total(negatives)];
  if (own === 0 || others === 0) return null;
  let [left, won] = [others, 0];
  for (let place = 0; place < positives.length; place++) {
    const here = negatives[place] as number;
    left -= here;
    won += (positives[place] as number) * (left + here / 2);
  }
  return won / (own * others);
}

/** Precision times the recall gained, summed over thresholds; null without an example of the class. */
export function averagePrecision({ positives, negatives }: Ordered): number | null {
  const own = total(positives);
  if (own === 0) return null;
  let [right, wrong, sum] = [0, 0, 0];
  for (let place = 0; place < positives.length; place++) {
    right += positives[place] as number;
    wrong += negatives[place] as number;
    if (positives[place]) sum += ((positives[place] as number) * right) / (right + wrong);
  }
  return sum / own;
}

/** The delta method on the log-odds, from the influence of each example; Wilson's of all found where it is 1. */
export function averagePrecisionInterval({ positives, negatives }: Ordered, value: number): Bounds | null {
  const own = total(positives);
  if (own === 0) return null;
  const places = positives.length;
  const precision = new Float64Array(places);
  let [right, wrong] = [0, 0];
  const [raised, lowered] = [new Float64Array(places), new Float64Array(places)];
  for (let place = 0; place < places; place++) {
    right += positives[place] as number;
    wrong += negatives[place] as number;
    const called = Math.max(1, right + wrong);
    precision[place] = right / called;
    raised[place] = ((positives[place] as number) * wrong) / called ** 2;
    lowered[place] = ((positives[place] as number) * right) / called ** 2;
  }
  let [up, down, variance] = [0, 0, 0];
  for (let place = places - 1; place >= 0; place--) {
    up += raised[place] as number;
    down += lowered[place] as number;
    variance += (positives[place] as number) * (((precision[place] as number) - value + up) / own) ** 2;
    variance += (negatives[place] as number) * (down / own) ** 2;
  }
  return deltaInterval(value, Math.sqrt(variance), "share") ?? wilson(own, own);
}

/** What calling positive from a score on would do. */
export interface Threshold {
  readonly score: number;
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

/** At every place of the curve, from the highest score down; before the first nothing is called positive. */
export function thresholdsOf({ scores, positives, negatives }: Ordered): Threshold[] {
  const [own, others] = [total(positives), total(negatives)];
  let [right, wrong] = [0, 0];
  const found: Threshold[] = [
    { score: Number.POSITIVE_INFINITY, truePositive: 0, falsePositive: 0, falseNegative: own, trueNegative: others },
  ];
  for (let place = 0; place < scores.length; place++) {
    right += positives[place] as number;
    wrong += negatives[place] as number;
    found.push({
      score: scores[place] as number,
      truePositive: right,
      falsePositive: wrong,
      falseNegative: own - right,
      trueNegative: others - wrong,
    });
  }
  return found;
}

function total(counts: Float64Array): number {
  return counts.reduce((sum, one) => sum + one, 0);
}
