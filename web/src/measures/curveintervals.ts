/**
 * Intervals of the areas under a class's curves, each the outer ends of two: a twin of pellucid.measures.curve_intervals, which says
 * why and from whom.
 */
import type { Ordered } from "./curves";
import { type Bounds, deltaInterval, newcombeArea, outer, wilson } from "./intervals";
import { studentQuantile95 } from "./student";

/** Examples that are lent to a group, spread as those of the other group are. */
const LENT = 1;

/** Of the area under a ROC curve, from the share of the other group below or above each example; null without both groups. */
export function areaInterval({ positives, negatives }: Ordered, value: number): Bounds | null {
  const [own, others] = [total(positives), total(negatives)];
  const one = newcombeArea(value, own, others);
  if (!one) return null;
  let [right, wrong, sum, ownSquares, theirSum, theirSquares] = [0, 0, 0, 0, 0, 0];
  for (let place = 0; place < positives.length; place++) {
    const [mine, theirs] = [positives[place] as number, negatives[place] as number];
    right += mine;
    wrong += theirs;
    const lower = 1 - (wrong - theirs / 2) / others;
    const higher = (right - mine / 2) / own;
    sum += mine * lower;
    ownSquares += mine * lower ** 2;
    theirSum += theirs * higher;
    theirSquares += theirs * higher ** 2;
  }
  const mean = sum / own;
  const lent = LENT * ((mean - 0.5) ** 2 + 1 / 12);
  const drawn = value - (value - 0.5) * (LENT / (own + LENT) + LENT / (others + LENT));
  const parts = [
    (Math.max(0, ownSquares - own * mean ** 2) + lent) / own / (own + LENT),
    (Math.max(0, theirSquares - 2 * mean * theirSum + others * mean ** 2) + lent) / others / (others + LENT),
  ] as const;
  return outer(one, score(value, drawn, parts, [own - 1 + LENT, others - 1 + LENT]));
}

/** Of an average precision, by the delta method and by a score interval after another example was lent; null without a positive. */
export function averagePrecisionInterval({ positives, negatives }: Ordered, value: number): Bounds | null {
  const [own, others] = [total(positives), total(negatives)];
  if (own === 0) return null;
  if (others === 0) return wilson(own, own);
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
  let [up, down, mine, theirs, first, second] = [0, 0, 0, 0, 0, 0];
  for (let place = places - 1; place >= 0; place--) {
    const here = positives[place] as number;
    up += raised[place] as number;
    down += lowered[place] as number;
    mine += here * (((precision[place] as number) - value + up) / own) ** 2;
    theirs += (negatives[place] as number) * (down / own) ** 2;
    first += (here * down) / own;
    second += here * (down / own) ** 2;
  }
  const one =
    mine + theirs > 0
      ? deltaInterval(value, Math.sqrt(mine + theirs), "share", quantileOf([mine, theirs], [own - 1, others - 1]))
      : null;
  const kept = others / (others + LENT);
  const drop = (kept * LENT * first) / own;
  const lent = kept * (theirs + (LENT * second) / own);
  // One example ahead of all halves a precision at most.
  const two = score(value, Math.max(value - drop, value / 2), [mine, lent], [own - 1, others - 1 + LENT]);
  return one ? outer(one, two) : two;
}

/** Of the examples of the class, and of the others. */
type Both = readonly [number, number];

/** Wilson's interval of as many trials as give a share, `drawn` towards what is lent, the variance of two groups together. */
function score(value: number, drawn: number, parts: Both, freedoms: Both): Bounds {
  const trials = (drawn * (1 - drawn)) / (parts[0] + parts[1]);
  return wilson(Math.min(value, 1) * trials, trials, quantileOf(parts, freedoms)) ?? { low: 0, high: 1 };
}

/** Of Student's t, with the degrees of freedom of a sum of variances (Satterthwaite 1946), at least one. */
function quantileOf([mine, theirs]: Both, [own, others]: Both): number {
  const spread = mine ** 2 / Math.max(own, 1) + theirs ** 2 / Math.max(others, 1);
  return studentQuantile95(Math.max((mine + theirs) ** 2 / spread, 1));
}

function total(counts: Float64Array): number {
  return counts.reduce((sum, one) => sum + one, 0);
}
