/** The record's histograms: fixed bins on the bits of a float32 (sign, octave, sub-octave), zeros counted apart. */
import type { Histogram } from "../record/schema.gen";

export interface ValueBin {
  /** low < high; both 0 for the bin of zeros. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The id of a finite value that is not 0: its top 1 + 8 + mantissaBits bits. */
export function binId(value: number, mantissaBits: number): number {
  float[0] = value;
  return (bits[0] as number) >>> (23 - mantissaBits);
}

/** Bounds of the values that an id stands for, low < high; the bound nearer to zero belongs to the bin. */
export function binBounds(id: number, mantissaBits: number): readonly [number, number] {
  const magnitude = id & ((1 << (8 + mantissaBits)) - 1);
  const inner = fromBits(magnitude << (23 - mantissaBits));
  const outer = fromBits((magnitude + 1) << (23 - mantissaBits));
  return id >>> (8 + mantissaBits) === 1 ? [-outer, -inner] : [inner, outer];
}

/** All bins of finite values in ascending order, the zeros among them. */
export function valueBins(histogram: Histogram): ValueBin[] {
  const bins = histogram.bins.map((id, index): ValueBin => {
    const [low, high] = binBounds(id, histogram.mantissa_bits);
    return { low, high, count: histogram.counts[index] ?? 0 };
  });
  if (histogram.zero > 0) {
    const place = bins.findIndex((bin) => bin.low >= 0);
    bins.splice(place < 0 ? bins.length : place, 0, { low: 0, high: 0, count: histogram.zero });
  }
  return bins;
}

/** Finite values, zeros included. */
export function finiteCount(histogram: Histogram): number {
  return histogram.zero + histogram.counts.reduce((sum, count) => sum + count, 0);
}

/**
 * A quantile, read inside its bin as if the values were spread evenly there: off by at most the bin's width, that is
 * 2^-mantissaBits of the value. null where there are no finite values.
 */
export function quantile(histogram: Histogram, share: number): number | null {
  const bins = valueBins(histogram);
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  if (total === 0) return null;
  let left = share * total;
  for (const bin of bins) {
    if (left <= bin.count && bin.count > 0) return bin.low + (bin.high - bin.low) * (left / bin.count);
    left -= bin.count;
  }
  return bins[bins.length - 1]?.high ?? null;
}

function fromBits(pattern: number): number {
  bits[0] = pattern;
  return float[0] as number;
}
