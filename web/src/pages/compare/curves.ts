/** How the losses of two models are spread: the share of examples at or below each loss, from counts over logarithmic bins. */

export const LOWEST = 1e-6;
const PER_DECADE = 12;
const DECADES = 9;
const BINS = PER_DECADE * DECADES;

export interface Curve {
  readonly count: number;
  /** Loss and share of examples at or below it, ascending. */
  readonly points: readonly (readonly [number, number])[];
}

/** The curve of the rows whose loss is finite; losses below the lowest bin count with it. */
export function cumulative(rows: Uint32Array, losses: Float64Array): Curve {
  const counts = new Float64Array(BINS);
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const loss = losses[rows[place] as number] as number;
    if (!Number.isFinite(loss)) continue;
    const bin = Math.floor(PER_DECADE * Math.log10(Math.max(loss, LOWEST) / LOWEST));
    const at = Math.min(BINS - 1, Math.max(0, bin));
    counts[at] = (counts[at] as number) + 1;
    count += 1;
  }
  let sum = 0;
  const points = Array.from(counts, (number, bin) => {
    sum += number;
    return [LOWEST * 10 ** ((bin + 1) / PER_DECADE), count > 0 ? sum / count : 0] as const;
  });
  return { count, points };
}
