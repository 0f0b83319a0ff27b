/**
 * An exponent-bit histogram as a curve: fixed bins on the float's bits, so that layers and steps are drawn alike.
 *
 * The axis is symmetric-logarithmic by construction: every octave takes the same width, negative values run to the
 * left, positive to the right, and what lies below the smallest octave shown is drawn as the zero column.
 */
import { valueBins } from "../../measures/histogram";
import type { Histogram } from "../../record/schema.gen";

export interface Octaves {
  /** Smallest and largest power of two that the axis shows. */
  readonly least: number;
  readonly most: number;
}

/** The octaves that hold all but a thousandth of the values of all histograms, so that they share one axis. */
export function octavesOf(histograms: readonly Histogram[]): Octaves {
  const counts = new Map<number, number>();
  let total = 0;
  for (const histogram of histograms) {
    histogram.bins.forEach((id, index) => {
      const exponent = ((id >>> histogram.mantissa_bits) & 255) - 127;
      const count = (histogram.counts[index] ?? 0) / Math.max(1, sum(histogram.counts));
      counts.set(exponent, (counts.get(exponent) ?? 0) + count);
      total += count;
    });
  }
  const exponents = [...counts.keys()].sort((a, b) => a - b);
  if (!exponents.length) return { least: -8, most: 0 };
  let least = exponents[0] ?? -8;
  let below = 0;
  for (const exponent of exponents) {
    below += counts.get(exponent) ?? 0;
    if (below > total * 0.001) {
      least = exponent;
      break;
    }
  }
  const most = (exponents[exponents.length - 1] ?? 0) + 1;
  return { least: Math.max(least, most - 24), most };
}

/** Where a value stands on the shared axis, 0 (most negative) to 1 (most positive). */
export function position(value: number, { least, most }: Octaves): number {
  const span = most - least + 1;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return 0.5;
  const octave = Math.min(Math.max(Math.log2(magnitude) - least + 1, 0), span);
  return 0.5 + (Math.sign(value) * octave) / (2 * span);
}

/**
 * Heights of a ridge over `columns` equal steps of the axis: the share of the values other than zero that falls on
 * each, a bin spread evenly over the steps that it covers. Exact zeros are left out: a needle of their own shows them.
 */
export function ridge(histogram: Histogram, octaves: Octaves, columns: number): Float64Array {
  const heights = new Float64Array(columns);
  const total = sum(histogram.counts);
  if (total === 0) return heights;
  for (const bin of valueBins(histogram)) {
    if (bin.low === 0 && bin.high === 0) continue;
    let from = Math.max(0, position(bin.low, octaves) * columns);
    let to = Math.min(columns, position(bin.high, octaves) * columns);
    // What lies below the axis whole stands beside the middle, on its own side.
    if (bin.low < 0) from = Math.min(from, to - 1e-9);
    else to = Math.max(to, from + 1e-9);
    for (let column = Math.floor(from); column < Math.min(columns, Math.ceil(to)); column++) {
      const covered = Math.min(to, column + 1) - Math.max(from, column);
      heights[column] = (heights[column] ?? 0) + (bin.count / total) * (covered / (to - from));
    }
  }
  return heights;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
