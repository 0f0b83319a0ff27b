import { describe, expect, it } from "vitest";
import { thresholdsOf } from "./curves";
import { areaRange, boundedCurves, classScores, precisionRange } from "./scores";

/** Four examples of four classes, of whose probabilities two are kept. */
const top = {
  width: 2,
  classes: Int32Array.of(0, 1, 1, 0, 2, 3, 3, 2),
  probabilities: Float32Array.of(0.5, 0.25, 0.5, 0.25, 0.5, 0.5, 0.75, 0.125),
};
const answers = { targets: Int32Array.of(0, 0, 2, 1), predictions: Int32Array.of(0, 1, 2, 3) };
const losses = Float64Array.of(-Math.log(0.5), -Math.log(0.25), -Math.log(0.5), -Math.log(0.0625));
const rows = Uint32Array.of(0, 1, 2, 3);

describe("the probability of one class", () => {
  it("is known of the target and of the kept classes, and bounded of others", () => {
    const found = classScores(rows, answers, losses, top, 0);
    expect([...found.positive]).toEqual([1, 1, 0, 0]);
    expect([...found.least]).toEqual([0.5, 0.25, 0, 0]);
    // Nothing is left of the third example; of the last, 1 - 0.75 - 0.125 - 0.0625, its target's.
    expect([...found.most]).toEqual([0.5, 0.25, 0, 0.0625]);
    expect(found.unknown).toBe(1);
  });

  it("gives areas as ranges that hold every way it may be", () => {
    const bounded = boundedCurves(classScores(rows, answers, losses, top, 1));
    // The one of class 1 has 0.0625; two others are known to be above, the third has nothing.
    expect(areaRange(bounded)).toEqual({ low: 1 / 3, high: 1 / 3 });
    expect(precisionRange(bounded)).toEqual({ low: 1 / 3, high: 1 / 3 });
    const other = boundedCurves(classScores(rows, { ...answers, targets: Int32Array.of(3, 0, 3, 1) }, losses, top, 3));
    expect(areaRange(other)?.low).toBeLessThanOrEqual(areaRange(other)?.high as number);
  });

  it("is bounded of the class itself too where labels are soft, and the curve is worst where it is low", () => {
    const found = classScores(rows, { ...answers, targets: Int32Array.of(0, 3, 2, 1) }, null, top, 3);
    expect([...found.positive]).toEqual([0, 1, 0, 0]);
    expect([...found.least]).toEqual([0, 0, 0.5, 0.75]);
    expect([...found.most]).toEqual([0.25, 0.25, 0.5, 0.75]);
    expect(areaRange(boundedCurves(found))).toEqual({ low: 0, high: 1 / 3 });
  });

  it("is not defined where the class is all there is, or nothing of it", () => {
    expect(areaRange(boundedCurves(classScores(Uint32Array.of(0, 1), answers, losses, top, 0)))).toBeNull();
    expect(precisionRange(boundedCurves(classScores(rows, answers, losses, top, 3)))).toBeNull();
    const none = { width: 0, classes: new Int32Array(0), probabilities: new Float32Array(0) };
    expect(classScores(rows, answers, losses, none, 0).rows.length).toBe(0);
  });
});

describe("very many scores", () => {
  it("are counted in bins whose ranges hold the exact areas, and whose thresholds are right", () => {
    const count = 5000;
    // Values that crowd towards 0 and 1, as probabilities do.
    const noise = (row: number) => ((row * 7919) % 4999) / 4999;
    const positive = Uint8Array.from({ length: count }, (_, row) => Number(row % 4 === 0));
    const scores = Float64Array.from({ length: count }, (_, row) => {
      const odds = Math.exp(16 * (noise(row) - 0.5) + (positive[row] ? 4 : -4));
      return odds / (1 + odds);
    });
    scores[7] = 0;
    scores[8] = 1;
    const known = { rows: new Uint32Array(count), positive, least: scores, most: scores, unknown: 0 };
    const [exact, binned] = [boundedCurves(known), boundedCurves(known, 10)];
    expect([exact.worst.binned ?? false, binned.worst.binned]).toEqual([false, true]);
    for (const of of [areaRange, precisionRange]) {
      const [one, other] = [of(exact), of(binned)];
      expect(one?.low).toBe(one?.high);
      expect(other?.low).toBeLessThanOrEqual((one?.low as number) + 1e-9);
      expect(other?.high).toBeGreaterThanOrEqual((one?.high as number) - 1e-9);
      expect((other?.high as number) - (other?.low as number)).toBeLessThan(2e-3);
    }
    const steps = thresholdsOf(binned.worst);
    for (const at of [1, 50, steps.length - 1]) {
      const step = steps[at];
      const above = scores.filter((score) => score >= (step?.score as number)).length;
      expect(step).toMatchObject({ truePositive: expect.any(Number) });
      // The edge is kept to seven digits.
      expect(Math.abs((step?.truePositive ?? 0) + (step?.falsePositive ?? 0) - above)).toBeLessThanOrEqual(2);
    }
  });
});
