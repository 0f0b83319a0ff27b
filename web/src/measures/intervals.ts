/** Confidence intervals, twins of pellucid.measures. */

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

const Z95 = 1.959963984540054;

/**
 * Wilson's score interval of a share, 95%. Source: Wilson 1927, JASA 22:209; null where there are no observations.
 */
export function wilson(successes: number, count: number): Bounds | null {
  if (count <= 0) return null;
  const share = successes / count;
  const squared = (Z95 * Z95) / count;
  const centre = (share + squared / 2) / (1 + squared);
  const half = (Z95 / (1 + squared)) * Math.sqrt((share * (1 - share)) / count + squared / (4 * count));
  // At the ends the bound is exactly 0 or 1; rounding must not say otherwise.
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === count ? 1 : Math.min(1, centre + half),
  };
}

/** Normal interval of a mean from its sums, 95%; null below two observations. */
export function meanInterval(sum: number, sumOfSquares: number, count: number): Bounds | null {
  if (count < 2) return null;
  const mean = sum / count;
  const variance = Math.max(0, (sumOfSquares - sum * mean) / (count - 1));
  const half = Z95 * Math.sqrt(variance / count);
  return { low: mean - half, high: mean + half };
}
