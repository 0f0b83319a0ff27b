import { describe, expect, it } from "vitest";
import { binId } from "../../measures/histogram";
import type { Histogram } from "../../record/schema.gen";
import { octavesOf, position, ridge } from "./ridge";

const MANTISSA_BITS = 2;
const COLUMNS = 240;

function histogramOf(values: readonly number[]): Histogram {
  const counts = new Map<number, number>();
  for (const value of values) {
    if (value === 0) continue;
    const id = binId(value, MANTISSA_BITS);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  // Sorted by what a bin stands for: the most negative first.
  const sign = 1 << (8 + MANTISSA_BITS);
  const worth = (id: number) => (id & sign ? -1 - (id & (sign - 1)) : id);
  const bins = [...counts.keys()].sort((a, b) => worth(a) - worth(b));
  return {
    bins,
    counts: bins.map((id) => counts.get(id) ?? 0),
    zero: values.filter((value) => value === 0).length,
    nan: 0,
    positive_infinite: 0,
    negative_infinite: 0,
    mantissa_bits: MANTISSA_BITS,
  };
}

const spread = Array.from({ length: 500 }, (_, index) => Math.sin(index * 1.7) * 2 ** (-index % 9));
const total = (heights: Float64Array) => heights.reduce((sum, height) => sum + height, 0);

describe("octaves of an axis", () => {
  it("reach from the smallest octave that matters to the end of the largest", () => {
    expect(octavesOf([histogramOf([1, -1.9, 0.25, 5])])).toEqual({ least: -2, most: 3 });
  });

  it("leave out what less than a thousandth of the values reaches down to", () => {
    const many = [...Array<number>(5000).fill(1), 2 ** -20];
    expect(octavesOf([histogramOf(many)])).toEqual({ least: 0, most: 1 });
    expect(octavesOf([histogramOf([...Array<number>(50).fill(1), 2 ** -20])])).toEqual({ least: -20, most: 1 });
  });

  it("weigh each histogram alike, however many values it counts", () => {
    const small = histogramOf([2 ** -6]);
    expect(octavesOf([histogramOf(Array<number>(100_000).fill(1)), small])).toEqual({ least: -6, most: 1 });
  });

  it("are at most 24 below the largest, and some where there is no value", () => {
    expect(octavesOf([histogramOf([1, 2 ** -60])])).toEqual({ least: -23, most: 1 });
    expect(octavesOf([])).toEqual({ least: -8, most: 0 });
    expect(octavesOf([histogramOf([0, 0])])).toEqual({ least: -8, most: 0 });
  });
});

describe("positions on the axis", () => {
  const octaves = { least: -4, most: 3 };

  it("give every octave the same width and 0 the middle", () => {
    expect(position(0, octaves)).toBe(0.5);
    const widths = [-4, -3, -2, -1, 0, 1, 2].map(
      (power) => position(2 ** (power + 1), octaves) - position(2 ** power, octaves),
    );
    for (const width of widths) expect(width).toBeCloseTo(1 / 16, 12);
    expect(position(8, octaves)).toBe(1);
  });

  it("mirror negative values and hold what lies beyond at the ends", () => {
    for (const value of [0.01, 0.3, 1, 7, 100])
      expect(position(-value, octaves)).toBeCloseTo(1 - position(value, octaves), 12);
    expect(position(100, octaves)).toBe(1);
    expect(position(1e-9, octaves)).toBe(0.5);
  });
});

describe("a ridge", () => {
  it("adds up to 1 for values within the axis", () => {
    const one = histogramOf(spread);
    expect(total(ridge(one, octavesOf([one]), COLUMNS))).toBeCloseTo(1, 9);
    for (const columns of [7, 64, 999]) expect(total(ridge(one, octavesOf([one]), columns))).toBeCloseTo(1, 9);
  });

  it("is mirrored where values are negated, those below the axis too", () => {
    const values = [...spread.map(Math.abs), 1e-12, 1e-13];
    const octaves = { least: -6, most: 1 };
    const plain = ridge(histogramOf(values), octaves, COLUMNS);
    const negated = ridge(histogramOf(values.map((value) => -value)), octaves, COLUMNS);
    [...plain].reverse().forEach((height, column) => {
      expect(negated[column], `column ${column}`).toBeCloseTo(height, 9);
    });
    expect(total(plain.subarray(0, COLUMNS / 2))).toBe(0);
  });

  it("leaves exact zeros out: they have a needle of their own", () => {
    const octaves = { least: -6, most: 1 };
    const without = ridge(histogramOf(spread), octaves, COLUMNS);
    const zeros = ridge(histogramOf([...spread, ...Array<number>(10_000).fill(0)]), octaves, COLUMNS);
    expect([...zeros]).toEqual([...without]);
    expect(total(ridge(histogramOf([0, 0, 0]), octaves, COLUMNS))).toBe(0);
  });

  it("stands over its values, spread evenly over a bin", () => {
    // The bin [1, 1.25) of an axis from 0.5 to 2 on either side: 4 octaves over 400 columns.
    const heights = ridge(histogramOf([1.1]), { least: 0, most: 1 }, 400);
    const covered = [...heights].map((height, column) => (height > 0 ? column : -1)).filter((column) => column >= 0);
    expect(covered[0]).toBe(300);
    expect(covered[covered.length - 1]).toBe(Math.floor(300 + 100 * Math.log2(1.25)));
    expect(heights[301]).toBeCloseTo(1 / (100 * Math.log2(1.25)), 9);
  });
});
