import { describe, expect, it } from "vitest";
import type { Histogram } from "../record/schema.gen";
import { accuracyOf, byClass, meanLossOf, topKOf } from "./accuracy";
import { calibrationOf } from "./calibration";
import { confusionOf } from "./confusion";
import { binBounds, binId, finiteCount, quantile, valueBins } from "./histogram";
import { meanInterval, wilson } from "./intervals";

const every = Uint32Array.of(0, 1, 2, 3, 4, 5);
const answers = {
  targets: Int32Array.of(0, 0, 1, 1, 2, -1),
  predictions: Int32Array.of(0, 1, 1, 1, 0, 2),
};

describe("wilson", () => {
  it("is the published interval for 81 of 263 (Newcombe 1998, table I)", () => {
    const found = wilson(81, 263);
    expect(found?.low).toBeCloseTo(0.2553, 4);
    expect(found?.high).toBeCloseTo(0.3662, 4);
  });

  it("reaches the ends exactly and is not defined without observations", () => {
    expect(wilson(0, 20)?.low).toBe(0);
    expect(wilson(0, 20)?.high).toBeCloseTo(0.1611, 4);
    expect(wilson(20, 20)?.high).toBe(1);
    expect(wilson(0, 0)).toBeNull();
  });
});

describe("accuracy", () => {
  it("counts only what has a target and a prediction", () => {
    expect(accuracyOf(every, answers)).toMatchObject({ correct: 3, count: 5, value: 0.6 });
    expect(accuracyOf(Uint32Array.of(5), answers)).toMatchObject({ count: 0, value: null, interval: null });
  });

  it("splits into recall and precision", () => {
    const [zero, one, two] = byClass(every, answers, 3);
    expect([zero?.recall.value, one?.recall.value, two?.recall.value]).toEqual([0.5, 1, 0]);
    expect([zero?.precision.value, one?.precision.value, two?.precision.value]).toEqual([0.5, 2 / 3, null]);
  });

  it("takes the first k ranks", () => {
    const ranks = Int32Array.of(0, 1, 2, 0, -1, 4);
    expect(topKOf(every, ranks, 1).correct).toBe(2);
    expect(topKOf(every, ranks, 3)).toMatchObject({ correct: 4, count: 5 });
  });
});

describe("mean loss", () => {
  it("leaves out what is not defined and bounds the mean", () => {
    const losses = Float64Array.of(1, 2, 3, Number.NaN, Number.POSITIVE_INFINITY, 2);
    const found = meanLossOf(every, { losses });
    expect(found).toMatchObject({ count: 4, value: 2 });
    const half = 3.182446305284263 * Math.sqrt(2 / 3 / 4);
    expect(found.interval?.low).toBeCloseTo(2 - half, 12);
    expect(meanInterval(3, 9, 1)).toBeNull();
  });
});

describe("confusion", () => {
  it("has true classes as rows, and counts the same dense and sparse", () => {
    const found = confusionOf(every, answers, 3);
    expect([...found.rows]).toEqual([0, 0, 1, 2]);
    expect([...found.columns]).toEqual([0, 1, 1, 0]);
    expect([...found.counts]).toEqual([1, 1, 2, 1]);
    const wide = confusionOf(every, answers, 5000);
    expect([...wide.rows, ...wide.columns, ...wide.counts]).toEqual([...found.rows, ...found.columns, ...found.counts]);
  });
});

describe("calibration", () => {
  it("puts a confidence of exactly 1 into the last bin and a bound into the bin below it", () => {
    const confidences = Float32Array.of(1, 0.5, 1, 0.25, 0, Number.NaN);
    const { bins, ece } = calibrationOf(every, { ...answers, confidences }, 4);
    expect(bins.map((bin) => bin.count)).toEqual([2, 1, 0, 2]);
    expect(bins[2]).toMatchObject({ confidence: null, accuracy: null, interval: null });
    // |1 - 0.25| in the first bin, |0 - 0.5| in the second, |2 - 2| in the last, over five examples.
    expect(ece).toBeCloseTo((0.75 + 0.5 + 0) / 5, 12);
  });
});

describe("exponent histograms", () => {
  const histogram: Histogram = {
    bins: [binId(-1.5, 2), binId(1, 2), binId(1.3, 2), binId(2, 2)],
    counts: [2, 1, 1, 2],
    zero: 4,
    nan: 1,
    positive_infinite: 0,
    negative_infinite: 0,
    mantissa_bits: 2,
  };

  it("cuts every octave in four", () => {
    expect(binBounds(binId(1, 2), 2)).toEqual([1, 1.25]);
    expect(binBounds(binId(1.9, 2), 2)).toEqual([1.75, 2]);
    expect(binBounds(binId(-1.5, 2), 2)).toEqual([-1.75, -1.5]);
    expect(binBounds(0, 2)[0]).toBe(0);
  });

  it("holds every value between its bounds", () => {
    for (const value of [1e-40, 3e-7, 0.1, 1, 7.99, 65504, -0.3, -1e30]) {
      const [low, high] = binBounds(binId(value, 2), 2);
      expect(low <= Math.fround(value) && Math.fround(value) <= high).toBe(true);
    }
  });

  it("puts the zeros between the negative and the positive values", () => {
    expect(valueBins(histogram).map((bin) => bin.low)).toEqual([-1.75, 0, 1, 1.25, 2]);
    expect(finiteCount(histogram)).toBe(10);
  });

  it("reads quantiles inside the bins", () => {
    expect(quantile(histogram, 0.1)).toBeCloseTo(-1.625, 12);
    expect(quantile(histogram, 0.5)).toBe(0);
    expect(quantile(histogram, 1)).toBe(2.5);
    expect(quantile({ ...histogram, bins: [], counts: [], zero: 0 }, 0.5)).toBeNull();
  });
});
