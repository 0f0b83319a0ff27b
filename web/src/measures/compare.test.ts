import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  accuracyDifference,
  agreementOf,
  benjaminiHochberg,
  calibrationDifference,
  type Difference,
  flipsOf,
  groupsOf,
  mcnemar,
  meanDifference,
  type Pair,
  shareDifference,
  sidesOf,
} from "./compare";
import { fisher } from "./slices";
import { incompleteBeta, logGamma, studentQuantile } from "./student";

type Maybe = number | null;

interface Fixture {
  counts: { fixed: number; broken: number; count: number; p_value: number; low: number; high: number }[];
  adjusted: { p_values: number[]; adjusted: number[] };
  means: { values: number[]; mean: number; low: Maybe; high: Maybe }[];
  cases: {
    labels: number[];
    predictions: [number[], number[]];
    losses: [Maybe[], Maybe[]];
    confidences: [Maybe[], Maybe[]];
    flips: number[];
    accuracy: Maybe[];
    loss: Maybe[];
    ece: Maybe[];
    kappa: Maybe[];
    churn: Maybe[];
    classes: Maybe[][];
  }[];
}

const path = resolve(import.meta.dirname, "../../../tests/fixtures/measures/compare.json");
const fixture = JSON.parse(readFileSync(path, "utf-8")) as Fixture;

function near(found: Maybe | undefined, expected: Maybe | undefined): void {
  if (expected === null || expected === undefined) expect(found ?? null).toBeNull();
  else expect(Math.abs((found ?? Number.NaN) - expected)).toBeLessThan(1e-9);
}

function allNear(found: readonly (Maybe | undefined)[], expected: readonly (Maybe | undefined)[] | undefined): void {
  expect(found.length).toBe(expected?.length);
  for (const [place, value] of found.entries()) near(value, expected?.[place]);
}

function told(one: Difference): Maybe[] {
  return [one.count, one.old, one.new, one.difference, one.interval?.low ?? null, one.interval?.high ?? null];
}

describe("two models on the same examples, as Python counts them", () => {
  for (const one of fixture.counts) {
    it(`${one.fixed} fixed and ${one.broken} broken of ${one.count}`, () => {
      near(mcnemar(one.fixed, one.broken), one.p_value);
      const interval = shareDifference(one.fixed, one.broken, one.count);
      near(interval?.low, one.low);
      near(interval?.high, one.high);
    });
  }

  it("gives no p value of 0", () => {
    expect(mcnemar(5900, 0)).toBe(Number.MIN_VALUE);
    expect(fisher(0, 3000, 3000, 6000)).toBe(Number.MIN_VALUE);
  });

  it("adjusts p values", () => {
    allNear(benjaminiHochberg(fixture.adjusted.p_values), fixture.adjusted.adjusted);
  });

  it("gives means the interval of Student", () => {
    for (const one of fixture.means) {
      const rows = Uint32Array.from(one.values, (_, row) => row);
      const found = meanDifference(rows, new Float64Array(rows.length), Float64Array.from(one.values));
      near(found.difference, one.mean);
      near(found.interval?.low, one.low);
      near(found.interval?.high, one.high);
    }
  });

  fixture.cases.forEach((one, index) => {
    it(`case ${index}, ${one.labels.length} examples`, () => {
      const numbers = (values: Maybe[]) => Float64Array.from(values, (value) => value ?? Number.NaN);
      const pair: Pair = {
        labels: Int32Array.from(one.labels),
        old: Int32Array.from(one.predictions[0]),
        new: Int32Array.from(one.predictions[1]),
        oldLosses: numbers(one.losses[0]),
        newLosses: numbers(one.losses[1]),
        oldConfidences: numbers(one.confidences[0]),
        newConfidences: numbers(one.confidences[1]),
      };
      const rows = Uint32Array.from(one.labels, (_, row) => row);
      const flips = flipsOf(rows, pair);
      expect([flips.fixed, flips.broken, flips.bothRight, flips.bothWrong]).toEqual(one.flips);
      const differences: [Difference, Maybe[]][] = [
        [accuracyDifference(flips), one.accuracy],
        [meanDifference(rows, pair.oldLosses, pair.newLosses), one.loss],
        [calibrationDifference(rows, pair), one.ece],
      ];
      for (const [found, expected] of differences) allNear(told(found), expected);
      const agreement = agreementOf(rows, pair, 4);
      allNear([agreement.kappa, agreement.kappaInterval?.low, agreement.kappaInterval?.high], one.kappa);
      expect([agreement.answered - agreement.agreed, agreement.answered]).toEqual(one.churn.slice(0, 2));
      near(agreement.churnInterval?.high, one.churn[3]);
      const groups = groupsOf(rows, pair, pair.labels, 4);
      expect(groups.map((group) => group.index)).toEqual(one.classes.map((group) => group[0]));
      for (const [place, group] of groups.entries()) {
        const found = [
          group.index,
          group.count,
          group.fixed,
          group.broken,
          group.interval?.low ?? null,
          group.pValue,
          group.adjusted,
        ];
        allNear(found, one.classes[place]);
      }
    });
  });

  it("counts who has a loss, and gives no mean where one is infinite", () => {
    const rows = Uint32Array.from([0, 1, 2, 3]);
    const old = [1, Number.NaN, 2, Number.NaN];
    expect(sidesOf(rows, old, [2, 3, Number.NaN, Number.NaN])).toEqual({
      both: 1,
      onlyOld: 1,
      onlyNew: 1,
      infiniteOld: 0,
      infiniteNew: 0,
    });
    expect(meanDifference(rows, old, [2, 3, Number.NaN, Number.NaN])).toMatchObject({ count: 1, difference: 1 });
    expect(sidesOf(rows, old, [2, Infinity, 1, Number.NaN])).toMatchObject({ both: 2, onlyNew: 1, infiniteNew: 1 });
    expect(meanDifference(rows, old, [2, Infinity, 1, Number.NaN]).difference).toBeNull();
  });

  it("says nothing of nothing", () => {
    const none = new Uint32Array(0);
    const empty = new Int32Array(0);
    const pair: Pair = {
      labels: empty,
      old: empty,
      new: empty,
      oldLosses: new Float64Array(0),
      newLosses: new Float64Array(0),
      oldConfidences: [],
      newConfidences: [],
    };
    expect(accuracyDifference(flipsOf(none, pair)).difference).toBeNull();
    expect(calibrationDifference(none, pair).interval).toBeNull();
    expect(agreementOf(none, pair, 3)).toMatchObject({ churn: null, kappa: null });
    expect(shareDifference(0, 0, 0)).toBeNull();
  });
});

describe("Student's distribution", () => {
  it("has the quantiles that tables print", () => {
    for (const [freedom, quantile] of [
      [1, 12.706204736],
      [2, 4.302652729],
      [10, 2.228138852],
      [100, 1.983971519],
    ] as const) {
      expect(Math.abs(studentQuantile(0.975, freedom) - quantile)).toBeLessThan(1e-8);
    }
    expect(studentQuantile(0.025, 10)).toBe(-studentQuantile(0.975, 10));
    expect(Math.abs(studentQuantile(0.975, 1e6) - 1.9599664)).toBeLessThan(1e-6);
  });

  it("rests on the gamma and the beta function", () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 12);
    expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 12);
    expect(incompleteBeta(0.3, 1, 1)).toBeCloseTo(0.3, 12);
    expect(incompleteBeta(0.5, 2, 2)).toBeCloseTo(0.5, 12);
  });
});
