/** How the losses of two models are spread: the share of examples at or below each loss, from counts over four bins an octave. */

const LOWEST_EXPONENT = -20; // 2^-20, about 1e-6
const HIGHEST_EXPONENT = 10;
const PER_OCTAVE = 4;
const BIAS = 1023; // of float64's exponent
const BINS = PER_OCTAVE * (HIGHEST_EXPONENT - LOWEST_EXPONENT);
const FIRST = PER_OCTAVE * (LOWEST_EXPONENT + BIAS);

export const LOWEST = 2 ** LOWEST_EXPONENT;

export interface Curve {
  readonly count: number;
  /** Loss and share of examples at or below it, ascending. */
  readonly points: readonly (readonly [number, number])[];
}

/**
 * The curve of the rows that have a loss; losses beyond the bins count with the first and the last, infinite ones with none, so
 * that the curve ends below 1.
 *
 * A bin is read off the bits of the number, which a million logarithms would take far longer for.
 */
export function cumulative(rows: Uint32Array, losses: Float64Array): Curve {
  const words = new Uint32Array(losses.buffer, losses.byteOffset, 2 * losses.length);
  const counts = new Float64Array(BINS);
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const loss = losses[row] as number;
    if (Number.isNaN(loss)) continue;
    count += 1;
    if (loss === Infinity) continue;
    // The exponent and the first two bits of the fraction; a negative loss lies below all bins.
    const bin = loss > 0 ? ((words[2 * row + 1] as number) >>> 18) - FIRST : 0;
    const at = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
    counts[at] = (counts[at] as number) + 1;
  }
  let sum = 0;
  const points = Array.from(counts, (number, bin) => {
    sum += number;
    return [upper(bin), count > 0 ? sum / count : 0] as const;
  });
  return { count, points };
}

/** Where a bin ends. */
function upper(bin: number): number {
  const next = bin + 1;
  return 2 ** (LOWEST_EXPONENT + Math.floor(next / PER_OCTAVE)) * (1 + (next % PER_OCTAVE) / PER_OCTAVE);
}
