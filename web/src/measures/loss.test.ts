import { describe, expect, it } from "vitest";
import { meanLossOf } from "./accuracy";
import { meanInterval } from "./intervals";
import { highest, lossBins, lossByClass, lossFloor, madeByWorst } from "./loss";

const CLASSES = 4;
const COUNT = 400;

/** Park & Miller 1988: the same numbers at every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const random = seeded(7);
const losses = Float64Array.from({ length: COUNT }, (_, row) =>
  row % 37 === 0 ? Number.NaN : row % 41 === 0 ? Number.POSITIVE_INFINITY : row % 11 === 0 ? 0 : -Math.log(random()),
);
const targets = Int32Array.from({ length: COUNT }, (_, row) => (row % 23 === 0 ? -1 : Math.floor(random() * CLASSES)));
const rows = Uint32Array.from({ length: COUNT }, (_, row) => row).filter((row) => row % 3 !== 0);
const finite = [...rows].filter((row) => Number.isFinite(losses[row]));
const lossOf = (row: number) => losses[row] as number;
const sumOf = (some: readonly number[]) => some.reduce((sum, row) => sum + lossOf(row), 0);

describe("the loss by class", () => {
  const found = lossByClass(rows, losses, targets, CLASSES);

  it("is what a loop over the examples of each class finds", () => {
    const counted = finite.filter((row) => (targets[row] as number) >= 0);
    for (const one of found) {
      const own = counted.filter((row) => targets[row] === one.index);
      expect(one.count).toBe(own.length);
      expect(one.mean).toBeCloseTo(sumOf(own) / own.length, 10);
      expect(one.share).toBeCloseTo(sumOf(own) / sumOf(counted), 10);
      const bounds = meanInterval(
        sumOf(own),
        own.reduce((sum, row) => sum + lossOf(row) ** 2, 0),
        own.length,
      );
      expect(one.interval?.low).toBeCloseTo(bounds?.low ?? Number.NaN, 10);
      expect(one.interval?.high).toBeCloseTo(bounds?.high ?? Number.NaN, 10);
    }
  });

  it("has shares that add up to the whole", () => {
    expect(found.reduce((sum, one) => sum + (one.share ?? 0), 0)).toBeCloseTo(1, 12);
  });

  it("has no mean for a class without examples, and no share where nothing is lost", () => {
    expect(lossByClass(Uint32Array.of(0), Float64Array.of(0), Int32Array.of(0), 2)).toEqual([
      { index: 0, count: 1, mean: 0, share: null, interval: null },
      { index: 1, count: 0, mean: null, share: null, interval: null },
    ]);
  });
});

describe("the highest losses", () => {
  const sorted = highest(rows, losses);

  it("come first, and those that are not defined do not come at all", () => {
    expect([...sorted].sort((a, b) => a - b)).toEqual(finite);
    for (let place = 1; place < sorted.length; place++)
      expect(lossOf(sorted[place] as number)).toBeLessThanOrEqual(lossOf(sorted[place - 1] as number));
  });

  it("leave the selection itself in its order", () => {
    const before = [...rows];
    highest(rows, losses);
    expect([...rows]).toEqual(before);
  });

  it("make the part of the loss that a loop adds up", () => {
    const worst = [...sorted].slice(0, Math.ceil(0.05 * sorted.length));
    expect(madeByWorst(sorted, losses, 0.05)).toBeCloseTo(sumOf(worst) / sumOf([...sorted]), 10);
    expect(madeByWorst(sorted, losses, 1)).toBeCloseTo(1, 12);
  });

  it("make no part where nothing is lost", () => {
    expect(madeByWorst(new Uint32Array(0), losses, 0.05)).toBeNull();
    expect(madeByWorst(Uint32Array.of(0, 1), Float64Array.of(0, 0), 0.5)).toBeNull();
  });
});

describe("where an axis of losses begins", () => {
  it("is the power of ten below all of them, and no lower than what has a place of its own", () => {
    expect(lossFloor(Float64Array.of(0.05, 3, Number.NaN, Number.POSITIVE_INFINITY))).toBeCloseTo(0.01, 12);
    expect(lossFloor(Float64Array.of(0.1, 3))).toBeCloseTo(0.1, 12);
    expect(lossFloor(Float64Array.of(40, 300))).toBeCloseTo(10, 12);
    for (const least of [0, 1e-9, 5e-6]) expect(lossFloor(Float64Array.of(least, 2))).toBe(1e-6);
    expect(lossFloor(Float64Array.of(Number.NaN))).toBe(1e-6);
  });
});

describe("bins of the loss", () => {
  const FLOOR = 1e-6;
  const bins = lossBins(losses, rows, 24);

  it("touch, and have one ratio of bounds", () => {
    const ratio = (bins[0]?.high ?? 0) / (bins[0]?.low ?? 1);
    expect(bins[0]?.low).toBeCloseTo(FLOOR, 12);
    bins.forEach((bin, index) => {
      expect(bin.high / bin.low).toBeCloseTo(ratio, 8);
      if (index > 0) expect(bin.low).toBeCloseTo(bins[index - 1]?.high ?? Number.NaN, 10);
    });
  });

  it("hold what a loop finds between their bounds, zeros in the first", () => {
    const inside = (some: readonly number[], low: number, high: number) =>
      some.filter((row) => Math.max(lossOf(row), FLOOR) >= low && Math.max(lossOf(row), FLOOR) < high).length;
    const every = Array.from(losses, (_, row) => row).filter((row) => Number.isFinite(losses[row]));
    const bounds = bins.map((bin, index) => ({ ...bin, low: index === 0 ? FLOOR : bin.low }));
    expect(bins.map((bin) => bin.count)).toEqual(bounds.map((bin) => inside(every, bin.low, bin.high)));
    expect(bins.map((bin) => bin.part)).toEqual(bounds.map((bin) => inside(finite, bin.low, bin.high)));
    expect(bins[0]?.count).toBe(every.filter((row) => lossOf(row) === 0).length);
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(every.length);
  });

  it("stand where there is nothing to count", () => {
    const empty = lossBins(Float64Array.of(Number.NaN, 0), Uint32Array.of(0), 3);
    expect(empty.map((bin) => [bin.count, bin.part])).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
    ]);
    for (const bin of empty) expect(bin.high).toBeGreaterThan(bin.low);
  });
});

describe("the interval of a mean of losses", () => {
  it("ends at 0 where no loss is negative, and does not where one is", () => {
    const rows = Uint32Array.of(0, 1);
    const targets = Int32Array.of(0, 0);
    const found = (losses: Float64Array) => [
      meanLossOf(rows, { losses }).interval,
      lossByClass(rows, losses, targets, 1)[0]?.interval,
    ];
    for (const interval of found(Float64Array.of(0.1, 1.9))) {
      expect(interval?.low).toBe(0);
      expect(interval?.high).toBeGreaterThan(5);
    }
    for (const interval of found(Float64Array.of(-0.1, 1.9))) expect(interval?.low).toBeLessThan(0);
  });
});
