import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { AccuracyPanel } from "../record/schema.gen";
import { byClass } from "./accuracy";
import { fBeta, scoresOf } from "./classification";
import { confusionOf } from "./confusion";
import { areaInterval, averagePrecisionInterval } from "./curveintervals";
import { averagePrecision, orderedOf, rocArea, thresholdsOf } from "./curves";
import { type Bounds, f1Interval } from "./intervals";
import { calibrationErrors, calibrationUndefined, diagramOf, equalMass, equalWidth, fineOf } from "./miscalibration";
import { lacksRanks, rankCounts, topKCurve } from "./ranking";
import { pairsOf, regressionScores } from "./regression";
import { fisher, foundSlices, slicesOf } from "./slices";

type Ends = [number, number] | null;

interface Fixture {
  classes: {
    classes: number;
    targets: number[];
    predictions: number[];
    ranks: number[];
    top: [number, number, number][];
    scores: [string, number | null, Ends, string][];
    f1: Ends[];
  }[];
  curves: {
    scores: number[];
    positive: number[];
    area: number;
    area_interval: Ends;
    precision: number;
    precision_interval: Ends;
  }[];
  calibration: {
    confidences: number[];
    right: number[];
    errors: [string, number, number | null, number | null, number, Ends][];
    mass: [number[], number[], number[], number[]];
  }[];
  regression: { targets: number[]; outputs: number[]; scores: [string, number, Ends][] }[];
  fisher: { of: [number, number, number, number]; p_value: number }[];
  slices: { counted: [string, string, number, number][]; found: [string, string, number, number, number, number][] };
  found: {
    site: number[];
    size: (number | null)[];
    right: number[];
    grown: number[];
    found: { rule: [number, string, number][]; numbers: [number, number, number, number] }[];
  };
}

const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../../tests/fixtures/measures/accuracy.json"), "utf8"),
) as Fixture;

const every = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

function near(found: number | null | undefined, wanted: number | null) {
  if (wanted === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(wanted, 9);
}

function nearBounds(found: Bounds | null | undefined, wanted: Ends) {
  near(found?.low ?? null, wanted?.[0] ?? null);
  near(found?.high ?? null, wanted?.[1] ?? null);
}

describe("the numbers of Python", () => {
  it("for classes together and for every k", () => {
    for (const one of fixture.classes) {
      const rows = every(one.targets.length);
      const answers = { targets: Int32Array.from(one.targets), predictions: Int32Array.from(one.predictions) };
      const found = scoresOf(confusionOf(rows, answers, one.classes), one.classes);
      expect(found.map(({ name, why }) => [name, why])).toEqual(one.scores.map(([name, , , why]) => [name, why]));
      for (const [name, value, ends] of one.scores) {
        const score = found.find((candidate) => candidate.name === name);
        near(score?.value, value);
        nearBounds(score?.interval, ends);
      }
      const top = topKCurve(rankCounts(rows, Int32Array.from(one.ranks)));
      top.forEach((share, place) => {
        near(share.value, one.top[place]?.[0] ?? null);
        nearBounds(share.interval, one.top[place]?.slice(1) as Ends);
      });
      byClass(rows, answers, one.classes).forEach((entry, index) => {
        nearBounds(f1Interval(entry.recall.correct, entry.recall.count, entry.precision.count), one.f1[index] ?? null);
      });
    }
  });

  it("for curves", () => {
    for (const one of fixture.curves) {
      const positive = Uint8Array.from(one.positive);
      const of = orderedOf(Float64Array.from(one.scores), positive);
      const own = one.positive.filter((value) => value === 1).length;
      near(rocArea(of), one.area);
      near(averagePrecision(of), one.precision);
      nearBounds(areaInterval(of, one.area), one.area_interval);
      nearBounds(averagePrecisionInterval(of, one.precision), one.precision_interval);
      const last = thresholdsOf(of).at(-1);
      expect(last).toMatchObject({ truePositive: own, falseNegative: 0, trueNegative: 0 });
    }
  });

  it("for calibration", () => {
    for (const one of fixture.calibration) {
      const rows = every(one.confidences.length);
      const answers = {
        targets: new Int32Array(rows.length),
        predictions: Int32Array.from(one.right, (right) => 1 - right),
        confidences: Float32Array.from(one.confidences),
      };
      const bins = fineOf(rows, answers);
      const found = calibrationErrors(bins);
      one.errors.forEach(([name, value, expected, limit, number, ends], place) => {
        const error = found[place];
        expect([error?.name, error?.bins]).toEqual([name, number]);
        near(error?.value, value);
        near(error?.expected, expected);
        near(error?.limit, limit);
        nearBounds(error?.interval, ends);
      });
      const mass = equalMass(bins);
      [mass.edges, mass.counts, mass.confidences, mass.correct].forEach((values, place) => {
        expect(values.length).toBe(one.mass[place]?.length);
        values.forEach((value, bin) => {
          near(value, one.mass[place]?.[bin] ?? null);
        });
      });
      expect(diagramOf(equalWidth(bins)).reduce((sum, bin) => sum + bin.count, 0)).toBe(rows.length);
    }
  });

  it("for regressions", () => {
    for (const one of fixture.regression) {
      const pairs = pairsOf(every(one.targets.length), Float64Array.from(one.targets), Float64Array.from(one.outputs));
      regressionScores(pairs).forEach((score, place) => {
        const [name, value, ends] = one.scores[place] as [string, number, Ends];
        expect(score.name).toBe(name);
        near(score.value, value);
        nearBounds(score.interval, ends);
      });
    }
  });

  it("for slices that are named and slices that are found", () => {
    for (const { of, p_value } of fixture.fisher) near(fisher(...of), p_value);
    const counted = fixture.slices.counted.map(([column, value, count, correct]) => ({
      column,
      value,
      count,
      correct,
    }));
    const found = slicesOf(counted);
    expect(found.map((one) => [one.column, one.value])).toEqual(fixture.slices.found.map((one) => one.slice(0, 2)));
    found.forEach((one, place) => {
      const numbers = fixture.slices.found[place]?.slice(2) as number[];
      [one.accuracy, one.rest, one.pValue, one.adjusted].forEach((value, index) => {
        near(value, numbers[index] ?? null);
      });
    });
    const { site, size, right, grown } = fixture.found;
    const leaves = foundSlices(
      [
        { name: "site", values: Float64Array.from(site), categorical: true },
        { name: "size", values: Float64Array.from(size, (value) => value ?? Number.NaN), categorical: false },
      ],
      Uint8Array.from(right),
      Uint8Array.from(grown),
    );
    expect(leaves.map((leaf) => leaf.rule.map((one) => [one.feature, one.kind, one.cut]))).toEqual(
      fixture.found.found.map((leaf) => leaf.rule),
    );
    leaves.forEach((leaf, place) => {
      const numbers = fixture.found.found[place]?.numbers as number[];
      [leaf.count, leaf.correct, leaf.pValue, leaf.adjusted].forEach((value, index) => {
        near(value, numbers[index] ?? null);
      });
    });
  });
});

describe("many classes", () => {
  it("give the same numbers from the examples as from the table", () => {
    const count = 600;
    const targets = Int32Array.from({ length: count }, (_, row) => (row * 7) % 300);
    const predictions = targets.map((target, row) => (row % 3 === 0 ? (target + 1) % 300 : target));
    targets[5] = -1;
    const answers = { targets, predictions };
    const tabled = scoresOf(confusionOf(every(count), answers, 300), 300);
    scoresOf(confusionOf(every(count), answers, 300), 300).forEach((score, place) => {
      near(score.value, tabled[place]?.value ?? null);
      const interval = tabled[place]?.interval;
      nearBounds(score.interval, interval ? [interval.low, interval.high] : null);
      expect(score.count).toBe(count - 1);
    });
  });
});

describe("what is not defined", () => {
  const none = new Uint32Array(0);
  const answers = { targets: new Int32Array(0), predictions: new Int32Array(0), confidences: new Float32Array(0) };

  it("says why, and is no number", () => {
    for (const score of scoresOf(confusionOf(none, answers, 3), 3)) {
      expect(score).toMatchObject({ value: null, interval: null, count: 0 });
      expect(score.why).not.toBe("");
    }
    const same = { targets: new Int32Array(9), predictions: new Int32Array(9) };
    const scores = scoresOf(confusionOf(every(9), same, 2), 2);
    expect(scores.map((score) => score.value)).toEqual([1, 1, 1, 1, null, null]);
    for (const score of regressionScores(pairsOf(none, new Float64Array(0), new Float64Array(0)))) {
      expect(score.value).toBeNull();
      expect(score.why).not.toBe("");
    }
    for (const error of calibrationErrors(fineOf(none, answers))) expect(error.value).toBeNull();
    expect(rocArea(orderedOf(Float64Array.of(1, 2), Uint8Array.of(1, 1)))).toBeNull();
    expect(averagePrecision(orderedOf(Float64Array.of(1, 2), Uint8Array.of(0, 0)))).toBeNull();
    expect(topKCurve(rankCounts(none, new Int32Array(0)))).toEqual([]);
    const two = { targets: Int32Array.of(1, 0, -1), predictions: Int32Array.of(1, 1, 1) };
    expect(lacksRanks(every(3), two, Int32Array.of(0, -1, -1))).toBe(true);
    expect(lacksRanks(every(3), two, Int32Array.of(0, 1, -1))).toBe(false);
  });

  it("has no calibration of a selection where the whole record has none", () => {
    const said = (value: number | null, why: string) => ({ calibration_errors: [{ value, why }] }) as AccuracyPanel;
    expect(calibrationUndefined(said(null, "labels are soft"))).toBe("labels are soft");
    expect(calibrationUndefined(said(0.1, ""))).toBe("");
    expect(calibrationUndefined(null)).toBe("");
  });

  it("weighs recall by beta", () => {
    expect(fBeta(30, 40, 50, 1).value).toBeCloseTo(60 / 90, 12);
    expect(fBeta(30, 40, 50, 2).value).toBeCloseTo((5 * 30) / (4 * 40 + 50), 12);
    expect(fBeta(0, 4, 5, 2)).toEqual({ value: 0, interval: null });
    expect(fBeta(0, 0, 0, 2)).toEqual({ value: null, interval: null });
    const two = fBeta(30, 40, 50, 2);
    expect(two.interval?.low).toBeLessThan(two.value as number);
    expect(two.interval?.high).toBeGreaterThan(two.value as number);
  });
});
