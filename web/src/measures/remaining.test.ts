import { describe, expect, it } from "vitest";
import { lossSums } from "./accuracy";
import { restOf } from "./chosen";
import { lossByClass } from "./loss";
import { contributions, partsOf, type Scored } from "./lossparts";
import { keepsDigits, left } from "./remaining";

const COUNT = 4000;
const CLASSES = 5;

function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

/** Examples of five classes; `hard` lose a million times what the others lose. */
function examples(hard: (row: number) => boolean): Scored {
  const next = drawn(7);
  const targets = Int32Array.from({ length: COUNT }, () => Math.floor(next() * CLASSES));
  const predictions = targets.map((target) => (next() < 0.8 ? target : (target + 1) % CLASSES));
  const confidences = Float32Array.from({ length: COUNT }, () => 0.3 + 0.69 * next());
  const scale = (row: number) => (hard(row) ? 1e6 : 1);
  return {
    targets,
    predictions,
    confidences,
    logLosses: Float64Array.from(confidences, (one, row) => -Math.log(one) * scale(row)),
    briers: Float64Array.from(confidences, (one) => (1 - one) ** 2),
    soft: null,
    topClasses: () => [0, 1, 2],
  };
}

/** The same examples without those that are not selected: nothing is left out that could be taken off. */
function alone(of: Scored, rows: Uint32Array): Scored {
  const taken = <Column extends Int32Array | Float32Array | Float64Array>(column: Column) =>
    column.filter((_, row) => rows.includes(row)) as Column;
  return {
    ...of,
    targets: taken(of.targets),
    predictions: taken(of.predictions),
    confidences: taken(of.confidences),
    logLosses: taken(of.logLosses),
    briers: taken(of.briers),
  };
}

const every = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);
const most = every(COUNT).filter((row) => row % 5 !== 0);

describe.each([
  ["alike", () => false],
  ["that lose a million times as much where they are left out", (row: number) => row % 5 === 0],
] as const)("most of the examples, of examples %s", (_, hard) => {
  const all = examples(hard);
  const own = alone(all, most);
  const rows = every(most.length);

  it("are counted by the rest", () => {
    expect(restOf(most, COUNT)?.length).toBe(COUNT - most.length);
  });

  it("sum to what they sum to by themselves", () => {
    const [found, wanted] = [lossSums(most, all.logLosses), lossSums(rows, own.logLosses)];
    expect(found.count).toBe(wanted.count);
    expect(found.sum / wanted.sum - 1).toBeCloseTo(0, 11);
    expect(found.squares / wanted.squares - 1).toBeCloseTo(0, 9);
  });

  it("have the loss by class that they have by themselves", () => {
    const found = lossByClass(most, all.logLosses, all.targets, CLASSES);
    const wanted = lossByClass(rows, own.logLosses, own.targets, CLASSES);
    found.forEach((one, index) => {
      expect(one.count).toBe(wanted[index]?.count);
      expect(one.mean).toBeCloseTo(wanted[index]?.mean as number, 10);
      expect(one.interval?.high).toBeCloseTo(wanted[index]?.interval?.high as number, 9);
    });
  });

  it.each(["log", "brier"] as const)("have the parts of the %s score that they have by themselves", (score) => {
    const [found, wanted] = [partsOf(most, all, score), partsOf(rows, own, score)];
    for (const name of ["count", "total", "calibration", "refinement", "within", "naming"] as const)
      expect(found?.[name]).toBeCloseTo(wanted?.[name] as number, 10);
    for (const name of ["total", "calibration", "naming"] as const)
      expect(found?.intervals[name]?.low).toBeCloseTo(wanted?.intervals[name]?.low as number, 9);
    const groups = contributions(most, all, score, all.targets);
    expect(groups.map(({ count }) => count)).toEqual(
      contributions(rows, own, score, own.targets).map(({ count }) => count),
    );
  });
});

it("leaves nothing of a class that is all in the rest", () => {
  const of = examples(() => false);
  const rows = every(COUNT).filter((row) => of.targets[row] !== 2);
  expect(lossByClass(rows, of.logLosses, of.targets, CLASSES)[2]).toEqual({
    index: 2,
    count: 0,
    mean: null,
    share: 0,
    interval: null,
  });
  expect(contributions(rows, of, "log", of.targets).map(({ group }) => group)).toEqual([0, 1, 3, 4]);
});

it("takes what may be rounding for nothing, and no difference of infinite sums", () => {
  expect(left(1e6, 1e6 - 1e-7)).toBe(0);
  expect(left(3, 1)).toBe(2);
  expect(keepsDigits(1, 1e5)).toBe(true);
  expect(keepsDigits(1, 1e7)).toBe(false);
  expect(keepsDigits(Number.NaN, Number.POSITIVE_INFINITY)).toBe(false);
  expect(keepsDigits(0, 0)).toBe(true);
});
