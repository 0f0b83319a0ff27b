/** People's answers and the model's to the same images; twins of pellucid.measures.clustered. */
import { type Bounds, deltaInterval, wilson } from "./intervals";
import { studentQuantile } from "./student";

export interface Share {
  readonly value: number | null;
  readonly interval: Bounds | null;
  /** Answers. */
  readonly count: number;
  readonly images: number;
}

/**
 * Successes over trials in all, with the interval over images, each with all its answers: of a ratio of means, normal on the scale
 * of log-odds; Wilson's over images where all answers are alike. Source: Cochran 1977, Sampling Techniques, section 2.11.
 */
export function clusteredShare(successes: ArrayLike<number>, trials: ArrayLike<number>): Share {
  let [hits, count, images] = [0, 0, 0];
  for (let image = 0; image < trials.length; image++) {
    const answers = trials[image] as number;
    if (answers <= 0) continue;
    hits += successes[image] as number;
    count += answers;
    images += 1;
  }
  if (count === 0) return { value: null, interval: null, count, images };
  const value = hits / count;
  if (images < 2) return { value, interval: null, count, images };
  if (value <= 0 || value >= 1) return { value, interval: wilson(value * images, images), count, images };
  let squares = 0;
  for (let image = 0; image < trials.length; image++) {
    const answers = trials[image] as number;
    if (answers > 0) squares += ((successes[image] as number) - value * answers) ** 2;
  }
  const variance = (squares * images) / (images - 1) / count ** 2;
  return { value, interval: deltaInterval(value, Math.sqrt(variance), "share"), count, images };
}

export interface MeanDifference {
  readonly value: number | null;
  readonly interval: Bounds | null;
  readonly images: number;
}

/** Mean of differences image by image with Student's interval, 95%; none below two images or where nothing varies. */
export function pairedDifference(differences: readonly number[]): MeanDifference {
  const images = differences.length;
  if (images === 0) return { value: null, interval: null, images };
  const value = differences.reduce((sum, one) => sum + one, 0) / images;
  const squares = differences.reduce((sum, one) => sum + (one - value) ** 2, 0);
  if (images < 2 || squares === 0) return { value, interval: null, images };
  const half = studentQuantile(0.975, images - 1) * Math.sqrt(squares / (images - 1) / images);
  return { value, interval: { low: value - half, high: value + half }, images };
}
