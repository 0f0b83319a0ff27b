/** Confidence intervals, twins of pellucid.measures. */
import { studentQuantile95 } from "./student";

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export const Z95 = 1.959963984540054;

/**
 * Wilson's score interval of a share, 95%. Source: Wilson 1927, JASA 22:209; null where there are no observations. Another quantile
 * than the normal one is that of a variance that is itself a guess.
 */
export function wilson(successes: number, count: number, quantile = Z95): Bounds | null {
  if (count <= 0) return null;
  const share = successes / count;
  const squared = (quantile * quantile) / count;
  const centre = (share + squared / 2) / (1 + squared);
  const half = (quantile / (1 + squared)) * Math.sqrt((share * (1 - share)) / count + squared / (4 * count));
  // At the ends the bound is exactly 0 or 1; rounding must not say otherwise.
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === count ? 1 : Math.min(1, centre + half),
  };
}

/** Student's t interval of a mean from its sums, 95%; null below two observations. */
export function meanInterval(sum: number, sumOfSquares: number, count: number): Bounds | null {
  if (count < 2) return null;
  const mean = sum / count;
  const variance = Math.max(0, (sumOfSquares - sum * mean) / (count - 1));
  const half = studentQuantile95(count - 1) * Math.sqrt(variance / count);
  return { low: mean - half, high: mean + half };
}

/** Of a class's F1, which is 2J / (1 + J) with J the share of right ones among those true or predicted. */
export function f1Interval(right: number, support: number, predicted: number): Bounds | null {
  return shareToF1(wilson(right, support + predicted - right));
}

/** The interval of F1 = 2J / (1 + J) from that of J. */
export function shareToF1(share: Bounds | null): Bounds | null {
  return share && { low: (2 * share.low) / (1 + share.low), high: (2 * share.high) / (1 + share.high) };
}

/**
 * Of the mean of independent quantities from their own intervals; null where there are none.
 * Source: MOVER, Zou & Donner 2008, Statistics in Medicine 27:1693.
 */
export function mover(quantities: readonly { value: number; interval: Bounds }[]): Bounds | null {
  const number = quantities.length;
  if (number === 0) return null;
  let [sum, below, above] = [0, 0, 0];
  for (const { value, interval } of quantities) {
    sum += value;
    below += (value - interval.low) ** 2;
    above += (interval.high - value) ** 2;
  }
  return { low: sum / number - Math.sqrt(below) / number, high: sum / number + Math.sqrt(above) / number };
}

/** Of an area under the ROC curve; null without both groups. Source: Newcombe 2006, Statistics in Medicine 25:559, method 5. */
export function newcombeArea(area: number, positives: number, negatives: number): Bounds | null {
  if (positives <= 0 || negatives <= 0) return null;
  const extra = (positives + negatives) / 2 - 1;
  const outside = (candidate: number) => {
    const spread = 1 + (extra * (1 - candidate)) / (2 - candidate) + (extra * candidate) / (1 + candidate);
    const variance = (candidate * (1 - candidate) * spread) / (positives * negatives);
    return Math.abs(candidate - area) > Z95 * Math.sqrt(variance);
  };
  return { low: edge(area, 0, outside), high: edge(area, 1, outside) };
}

/** Where the values stop to be consistent on the way from `inside` to `end`, by halving 60 times. */
function edge(inside: number, end: number, outside: (candidate: number) => boolean): number {
  let [near, far] = [inside, end];
  for (let step = 0; step < 60; step++) {
    const middle = (near + far) / 2;
    if (outside(middle)) far = middle;
    else near = middle;
  }
  return near;
}

/** Normal on the scale where it is nearly so, log-odds for a share and Fisher's z for a correlation; null at the ends. */
export function deltaInterval(
  value: number,
  deviation: number,
  scale: "share" | "correlation",
  quantile = Z95,
): Bounds | null {
  const share = scale === "share" ? value : (value + 1) / 2;
  if (!(share > 0 && share < 1)) return null;
  const centre = Math.log(share / (1 - share));
  const half = (quantile * deviation) / (share * (1 - share)) / (scale === "share" ? 1 : 2);
  const [low, high] = [centre - half, centre + half].map((edge) => 1 / (1 + Math.exp(-edge))) as [number, number];
  return scale === "share" ? { low, high } : { low: 2 * low - 1, high: 2 * high - 1 };
}

/** exp(log value ± 1.96 deviations of the logarithm): for what is positive and skewed. */
export function ratioInterval(value: number, deviationOfLog: number): Bounds {
  const factor = Math.exp(Z95 * deviationOfLog);
  return { low: value / factor, high: value * factor };
}

/** The outer ends of two intervals of one number, either of which alone is too narrow somewhere; null where the other is missing. */
export function outer(one: Bounds, two: Bounds): Bounds;
export function outer(one: Bounds, two: Bounds | null): Bounds | null;
export function outer(one: Bounds, two: Bounds | null): Bounds | null {
  return two && { low: Math.min(one.low, two.low), high: Math.max(one.high, two.high) };
}
