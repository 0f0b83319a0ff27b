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

  it("is 0 of a target whose loss is infinite, which the table keeps as not known", () => {
    const infinite = Float64Array.from(losses, (loss, row) => (row === 3 ? Number.NaN : loss));
    const found = classScores(rows, answers, infinite, top, 1);
    expect([...found.rows]).toEqual([0, 1, 2, 3]);
    expect([...found.positive]).toEqual([0, 0, 0, 1]);
    expect(found.least[3]).toBe(0);
    expect(found.most[3]).toBe(0);
    // Of another class it leaves all that the kept ones leave.
    expect(classScores(rows, answers, infinite, top, 0).most[3]).toBe(0.125);
  });

  it("gives the areas of votes, the wrong without any and equal ones among them", () => {
    const votes = [0, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 0, 5, 0, 5];
    const targets = Int32Array.of(0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1);
    const shares = votes.map((vote) => vote / 5);
    const count = votes.length;
    const two = {
      width: 2,
      classes: Int32Array.from(votes.flatMap((vote) => (vote > 2 ? [1, 0] : [0, 1]))),
      probabilities: Float32Array.from(shares.flatMap((one) => [Math.max(one, 1 - one), Math.min(one, 1 - one)])),
    };
    const losses = Float64Array.from(shares, (one, row) => {
      const own = targets[row] === 1 ? one : 1 - one;
      return own === 0 ? Number.NaN : -Math.log(own);
    });
    const predictions = Int32Array.from(votes, (vote) => Number(vote > 2));
    const every = Uint32Array.from({ length: count }, (_, row) => row);
    const bounded = boundedCurves(classScores(every, { targets, predictions }, losses, two, 1));
    let [won, pairs, precisions, own] = [0, 0, 0, 0];
    votes.forEach((vote, row) => {
      if (targets[row] !== 1) return;
      const called = votes.flatMap((other, at) => (other >= vote ? [targets[at] as number] : []));
      precisions += called.reduce((sum, one) => sum + one, 0) / called.length;
      own += 1;
      votes.forEach((other, at) => {
        if (targets[at] === 1) return;
        pairs += 1;
        won += vote > other ? 1 : vote === other ? 0.5 : 0;
      });
    });
    expect(areaRange(bounded)?.low).toBeCloseTo(won / pairs, 12);
    expect(areaRange(bounded)?.high).toBeCloseTo(won / pairs, 12);
    expect(precisionRange(bounded)?.low).toBeCloseTo(precisions / own, 12);
    // In bins too, as each holds one score.
    const binned = boundedCurves(classScores(every, { targets, predictions }, losses, two, 1), 10);
    expect(areaRange(binned)?.low).toBeCloseTo(won / pairs, 12);
    expect(areaRange(binned)?.high).toBeCloseTo(won / pairs, 12);
    expect(precisionRange(binned)?.low).toBeCloseTo(precisions / own, 12);
    expect(precisionRange(binned)?.high).toBeCloseTo(precisions / own, 12);
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
    const count = 20_000;
    // Values that crowd towards 0 and 1, as probabilities do.
    const noise = (row: number) => ((row * 7919) % 19_997) / 19_997;
    const positive = Uint8Array.from({ length: count }, (_, row) => Number(row % 4 === 0));
    const scores = Float64Array.from({ length: count }, (_, row) => {
      const odds = Math.exp(16 * (noise(row) - 0.5) + (positive[row] ? 4 : -4));
      return odds / (1 + odds);
    });
    scores[7] = 0;
    scores[8] = 1;
    const known = { rows: new Uint32Array(count), positive, least: scores, most: scores, unknown: 0 };
    const [exact, binned] = [boundedCurves(known), boundedCurves(known, 10)];
    expect(exact.worst.mixed).toBeNull();
    expect(binned.worst.mixed).toContain(1);
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
