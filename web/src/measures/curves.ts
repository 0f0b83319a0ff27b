/** ROC and precision-recall curves of one class against the others: a twin of pellucid.measures.curves. */

/** Examples by score, highest first: how many of the class, and how many others, have each. */
export interface Ordered {
  readonly scores: Float64Array;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
  /** 1 where a place stands for scores that differ a little: their order is then not known. Null where each is of one score. */
  readonly mixed: Uint8Array | null;
}

/** Of the probability, or of what it lacks to 1, this many of the leading bits of a float32 name a bin: 1 part in 4,096. */
const KEPT_BITS = 20;
const NEAR_ZERO = 1e-12;

/**
 * The same for very many probabilities, without putting them in order: bins that are narrow towards both 0 and 1. Those of one
 * bin are within a four-thousandth of each other, or of their distance to 1; what is below 1e-12 shares the lowest.
 */
export function binnedOf(scores: Float64Array, positive: Uint8Array): Ordered {
  const half = bitsOf(0.5);
  const least = bitsOf(NEAR_ZERO);
  const wide = half - least + 1;
  const [own, others] = [new Float64Array(2 * wide), new Float64Array(2 * wide)];
  const first = new Float64Array(2 * wide).fill(Number.NaN);
  const mixed = new Uint8Array(2 * wide);
  for (let place = 0; place < scores.length; place++) {
    const score = scores[place] as number;
    const bin =
      score <= 0.5
        ? Math.max(0, bitsOf(score) - least)
        : 2 * wide - 1 - Math.max(0, bitsOf(Math.max(0, 1 - score)) - least);
    const counts = positive[place] ? own : others;
    counts[bin] = (counts[bin] as number) + 1;
    if (Number.isNaN(first[bin])) first[bin] = score;
    else if (score !== first[bin]) mixed[bin] = 1;
  }
  const filled: number[] = [];
  for (let bin = 2 * wide - 1; bin >= 0; bin--) if (own[bin] || others[bin]) filled.push(bin);
  const lowest = (bin: number) =>
    mixed[bin] === 0
      ? (first[bin] as number)
      : bin < wide
        ? bin === 0
          ? 0
          : ofBits(bin + least)
        : 1 - ofBits(2 * wide - bin + least);
  return {
    scores: Float64Array.from(filled, lowest),
    positives: Float64Array.from(filled, (bin) => own[bin] as number),
    negatives: Float64Array.from(filled, (bin) => others[bin] as number),
    mixed: Uint8Array.from(filled, (bin) => mixed[bin] as number),
  };
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

function bitsOf(value: number): number {
  single[0] = value;
  return (bits[0] as number) >>> (32 - KEPT_BITS);
}

function ofBits(kept: number): number {
  bits[0] = kept << (32 - KEPT_BITS);
  return single[0] as number;
}

/** How far an area under the ROC curve may be off: half of the pairs that share a bin, but not a score. */
export function areaError({ positives, negatives, mixed }: Ordered): number {
  if (!mixed) return 0;
  let shared = 0;
  for (let place = 0; place < positives.length; place++)
    shared += (mixed[place] as number) * (positives[place] as number) * (negatives[place] as number);
  return shared / 2 / Math.max(1, total(positives) * total(negatives));
}

/** The least and the most that an average precision can be, by the order of what shares a bin; equal where each is of one score. */
export function precisionEnds(of: Ordered): { low: number; high: number } | null {
  const { positives, negatives, mixed } = of;
  const own = total(positives);
  if (own === 0) return null;
  if (!mixed) {
    const value = averagePrecision(of) as number;
    return { low: value, high: value };
  }
  let [right, wrong, low, high] = [0, 0, 0, 0];
  for (let place = 0; place < positives.length; place++) {
    const here = positives[place] as number;
    const ahead = wrong;
    wrong += negatives[place] as number;
    // Highest where all of the class come first with one score, lowest where they come last, one after the other.
    high += tied(right, here, mixed[place] ? ahead : wrong);
    low += mixed[place] ? precisions(right, here, wrong) : tied(right, here, wrong);
    right += here;
  }
  return { low: low / own, high: high / own };
}

/** The same where all of these have one score. */
function tied(right: number, more: number, wrong: number): number {
  return more === 0 ? 0 : (more * (right + more)) / (right + more + wrong);
}

/** Sum of the precisions at `more` of the class in a row, `right` of it and `wrong` others being ahead. */
function precisions(right: number, more: number, wrong: number): number {
  if (more === 0 || wrong === 0) return more;
  return more - wrong * (digamma(right + wrong + more + 1) - digamma(right + wrong + 1));
}

/** The derivative of the logarithm of the gamma function, of a number from 1 on. Source: DLMF 5.11.2. */
function digamma(value: number): number {
  let [x, below] = [value, 0];
  while (x < 20) {
    below -= 1 / x;
    x += 1;
  }
  const inverse = 1 / (x * x);
  return below + Math.log(x) - 0.5 / x - inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240)));
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
    mixed: null,
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
