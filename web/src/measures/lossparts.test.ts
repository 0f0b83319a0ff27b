import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Top } from "../record/top";
import { commonPairs, disputedRows, disputeOf, disputesOf } from "./disputes";
import { classPrior, FLOOR, lossByValue } from "./loss";
import { densityOf, lineBounds, within } from "./lossdensity";
import { confidentClass, disputed, type Labelled, thresholdsOf } from "./losslabels";
import {
  binOf,
  contributions,
  EDGES,
  entropyOf,
  type Parts,
  partsOf,
  type Score,
  type Scored,
  unlikelyLabels,
} from "./lossparts";

type Maybe = number | null;

interface PythonParts {
  count: number;
  total: number;
  calibration: number;
  refinement: number;
  within: number;
  naming: number;
  uncertainty: number;
  resolution: number;
  bias: number;
  bins: number;
  irreducible: Maybe;
  irreducible_answer: Maybe;
}
interface PythonGroup extends Omit<PythonParts, "irreducible" | "irreducible_answer"> {
  group: number;
}
interface Case {
  classes: number;
  target: number[];
  prediction: number[];
  loss: Maybe[];
  confidence: Maybe[];
  brier: Maybe[];
  top_classes: number[][];
  top_probabilities: Maybe[][];
  soft_target: Maybe[][] | null;
  log_parts: PythonParts | null;
  brier_parts: PythonParts | null;
  log_intervals: Record<"total" | "calibration" | "refinement" | "within" | "naming", [number, number]> | null;
  brier_intervals: Case["log_intervals"];
  brier_by_class: PythonGroup[];
  log_by_class: PythonGroup[];
  thresholds?: Maybe[];
  confident?: Record<string, number>;
  undecided?: number;
  unplaced?: number;
  disputed?: number;
  estimated?: Maybe;
}

const path = resolve(import.meta.dirname, "../../../tests/fixtures/measures/loss.json");
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { cases: Case[] };
const floats = (values: readonly Maybe[]) => Float64Array.from(values, (one) => one ?? Number.NaN);

function scoredOf(one: Case): Scored & Labelled {
  const defined = (row: number) => one.top_probabilities[row]?.[0] !== null;
  return {
    targets: Int32Array.from(one.target),
    predictions: Int32Array.from(one.prediction),
    confidences: Float32Array.from(floats(one.confidence)),
    logLosses: floats(one.loss),
    briers: floats(one.brier),
    soft: one.soft_target
      ? (row) => (one.soft_target?.[row]?.[0] === null ? null : (one.soft_target?.[row] as number[]))
      : null,
    isSoft: one.soft_target !== null,
    topClasses: (row) => (defined(row) ? (one.top_classes[row] ?? []) : []),
    topProbabilities: (row) => (defined(row) ? ((one.top_probabilities[row] ?? []) as number[]) : []),
  };
}

function sideBySide(one: Case): Top {
  const width = Math.max(0, ...one.top_classes.map((some) => some.length));
  const there = (row: number) => one.top_probabilities[row]?.[0] !== null;
  const read = (of: readonly (readonly Maybe[])[], missing: number) =>
    one.target.flatMap((_, row) =>
      Array.from({ length: width }, (_, at) => (there(row) ? (of[row]?.[at] ?? missing) : missing)),
    );
  return {
    width,
    classes: Int32Array.from(read(one.top_classes, -1)),
    probabilities: Float32Array.from(read(one.top_probabilities, Number.NaN)),
  };
}

const everyRow = (one: Case) => Uint32Array.from(one.target, (_, row) => row);
const SCORES: readonly Score[] = ["log", "brier"];

describe.each(cases.map((one, index) => [index, one] as const))("case %i", (_, one) => {
  const scored = scoredOf(one);
  const rows = everyRow(one);

  it.each(SCORES)("has the parts of the %s score that Python finds", (score) => {
    const expected = score === "log" ? one.log_parts : one.brier_parts;
    const found = partsOf(rows, scored, score);
    if (!expected) return expect(found).toBeNull();
    const { intervals, ...numbers } = found as Parts;
    const bounds = score === "log" ? one.log_intervals : one.brier_intervals;
    for (const [name, [low, high]] of Object.entries(bounds ?? {})) {
      const interval = intervals[name as keyof typeof intervals];
      // A spread of nothing is the root of what rounding leaves of its square.
      expect(Math.abs((interval?.low ?? Number.NaN) - low)).toBeLessThan(1e-7);
      expect(Math.abs((interval?.high ?? Number.NaN) - high)).toBeLessThan(1e-7);
    }
    const written: Record<keyof PythonParts, Maybe> = {
      ...numbers,
      irreducible_answer: found?.irreducibleAnswer ?? null,
    };
    for (const name of Object.keys(expected) as (keyof PythonParts)[]) {
      if (expected[name] === null) expect(written[name]).toBeNull();
      else expect(Math.abs((written[name] as number) - expected[name])).toBeLessThan(1e-9);
    }
  });

  it.each(SCORES)("has the contributions of classes to the %s score that Python finds", (score) => {
    const expected = score === "log" ? one.log_by_class : one.brier_by_class;
    const found = contributions(rows, scored, score, scored.targets);
    expect(found.map((part) => [part.group, part.count])).toEqual(expected.map((part) => [part.group, part.count]));
    found.forEach((part, index) => {
      for (const name of ["total", "calibration", "refinement", "within", "naming"] as const)
        expect(Math.abs(part[name] - (expected[index]?.[name] ?? Number.NaN))).toBeLessThan(1e-9);
    });
  });

  it.each(SCORES)("has parts of the %s score that add up, also over a selection and over classes", (score) => {
    for (const some of [rows, rows.filter((row) => row % 3 === 0)]) {
      const found = partsOf(some, scored, score);
      if (!found) continue;
      const sum = found.calibration + found.refinement + found.within + found.naming;
      expect(Math.abs(sum - found.total)).toBeLessThan(1e-9);
      const shares = contributions(some, scored, score, scored.targets);
      for (const name of ["total", "calibration", "refinement", "within", "naming"] as const) {
        const together = shares.reduce((total, share) => total + share[name], 0);
        expect(Math.abs(together - found[name])).toBeLessThan(1e-9);
      }
    }
  });

  it("disputes the labels that Python disputes", () => {
    if (!one.confident) return;
    const thresholds = thresholdsOf(rows, scored, one.classes);
    one.thresholds?.forEach((value, index) => {
      if (value === null) expect(thresholds[index]).toBe(Infinity);
      else expect(Math.abs((thresholds[index] as number) - value)).toBeLessThan(1e-9);
    });
    const least = Math.min(...thresholds);
    for (const [row, expected] of Object.entries(one.confident))
      expect(Math.max(-1, confidentClass(Number(row), scored, thresholds, least))).toBe(expected);
    const found = disputed(rows, scored, thresholds);
    const top = sideBySide(one);
    const counted = disputesOf(rows, scored, top, thresholds);
    const byMargin = [...disputedRows(rows, scored, top, thresholds, "margin").first(rows.length)];
    expect(byMargin).toEqual(found.issues.map((issue) => issue.row));
    expect(counted.disputed).toBe(found.issues.length);
    expect([counted.count, counted.unplaced, counted.undecided]).toEqual([
      found.count,
      found.unplaced,
      found.undecided,
    ]);
    expect(counted.estimated ?? 0).toBeCloseTo(found.estimated ?? 0, 9);
    expect(byMargin.map((row) => disputeOf(row, scored, top, thresholds))).toEqual(
      found.issues.map(({ margin: _, ...issue }) => issue),
    );
    const halved = rows.filter((row) => row % 2 === 1);
    expect([...disputedRows(halved, scored, top, thresholds, "margin").first(rows.length)]).toEqual(
      disputed(halved, scored, thresholds).issues.map((issue) => issue.row),
    );
    const shares = [...disputedRows(rows, scored, top, thresholds, "label").first(rows.length)].map(
      (row) => disputeOf(row, scored, top, thresholds).givenProbability,
    );
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    const pairs = commonPairs(halved, scored, top, thresholds, "margin", 100, 3);
    const half = disputed(halved, scored, thresholds).issues;
    expect(pairs.reduce((sum, pair) => sum + pair.count, 0)).toBe(half.length);
    for (const pair of pairs)
      expect(pair.rows).toEqual(
        half
          .filter((issue) => issue.given === pair.given && issue.suggested === pair.suggested)
          .slice(0, 3)
          .map((issue) => issue.row),
      );
    for (const pair of pairs)
      for (const row of pair.rows)
        expect([
          scored.targets[row],
          confidentClass(
            row,
            scored,
            thresholds,
            thresholds.reduce((a, b) => Math.min(a, b)),
          ),
        ]).toEqual([pair.given, pair.suggested]);
    expect([found.issues.length, found.undecided, found.unplaced]).toEqual([one.disputed, one.undecided, one.unplaced]);
    if (one.estimated === null) expect(found.estimated).toBeNull();
    else expect(found.estimated).toBeCloseTo(one.estimated as number, 9);
    const margins = found.issues.map((issue) => issue.margin);
    expect(margins).toEqual([...margins].sort((a, b) => a - b));
    for (const issue of found.issues) expect(issue.suggested).not.toBe(issue.given);
  });
});

describe("what is not defined", () => {
  it("is found out once for a record, not for each selection", () => {
    const size = 1000;
    let read = 0;
    const briers = new Proxy(new Float64Array(size).fill(Number.NaN), {
      get: (column, place) => {
        if (typeof place === "string" && /^\d+$/.test(place)) read += 1;
        return Reflect.get(column, place);
      },
    });
    const scored: Scored = {
      targets: new Int32Array(size),
      predictions: new Int32Array(size),
      confidences: new Float32Array(size).fill(0.5),
      logLosses: new Float64Array(size),
      briers,
      soft: null,
      topClasses: () => [],
    };
    expect(partsOf(Uint32Array.of(1, 2, 3), scored, "log")).toBeNull();
    expect(read).toBeGreaterThanOrEqual(size);
    read = 0;
    expect(partsOf(Uint32Array.of(4, 5), scored, "log")).toBeNull();
    expect(read).toBe(0);
  });

  it("is not made up for an empty selection", () => {
    const scored = scoredOf(cases[0] as Case);
    const none = new Uint32Array(0);
    expect(partsOf(none, scored, "log")).toBeNull();
    expect(contributions(none, scored, "log", scored.targets)).toEqual([]);
    expect(disputed(none, scored, new Float64Array(3).fill(Infinity))).toEqual({
      count: 0,
      issues: [],
      unplaced: 0,
      undecided: 0,
      estimated: null,
    });
    expect(classPrior(none, scored.logLosses, scored.targets, null, 3)).toBeNull();
  });
});

describe("labels that were given no probability", () => {
  const lost = cases.filter((one) => one.log_parts === null && one.brier_parts !== null);

  it.each(lost.map((one, index) => [index, one] as const))("leave the Brier score whole: case %i", (_, one) => {
    const scored = scoredOf(one);
    const rows = everyRow(one);
    const known = rows.filter((row) => one.brier[row] !== null);
    const infinite = known.filter((row) => one.loss[row] === null);
    expect(infinite.length).toBeGreaterThan(0);
    expect(unlikelyLabels(rows, scored)).toBe(infinite.length);
    const found = partsOf(rows, scored, "brier");
    expect(found?.count).toBe(known.length);
    const mean = known.reduce((sum, row) => sum + (one.brier[row] as number), 0) / known.length;
    expect(found?.total).toBeCloseTo(mean, 12);
    expect(contributions(rows, scored, "log", scored.targets)).toEqual([]);
    const others = known.filter((row) => !infinite.includes(row));
    expect(unlikelyLabels(others, scored)).toBe(0);
    const finite = others.reduce((sum, row) => sum + (one.loss[row] as number), 0) / Math.max(1, others.length);
    expect(partsOf(others, scored, "log")?.total ?? 0).toBeCloseTo(finite, 12);
  });
});

describe("bins of the confidence", () => {
  it("hold their upper edge, the last one 1", () => {
    expect([0.05, 0.5, 0.5000001, 0.9999, 1].map(binOf)).toEqual([0, 4, 5, 15, 16]);
    expect(EDGES.length).toBe(18);
  });
  it("stand beside an entropy that is 0 where a label is certain", () => {
    expect(entropyOf([0, 1, 0])).toBe(0);
    expect(entropyOf([0.5, 0.5])).toBeCloseTo(Math.LN2, 14);
  });
});

describe("the loss by value of a column and the class prior", () => {
  const losses = Float64Array.of(1, 2, 3, Number.NaN, 4);
  const rows = Uint32Array.of(0, 1, 2, 3, 4);

  it("come with the largest share first", () => {
    const found = lossByValue(rows, losses, Int32Array.of(0, 0, 1, 1, 1), ["a", "b", "c"]);
    expect(found.map((one) => [one.value, one.count, one.mean, one.share])).toEqual([
      ["b", 2, 3.5, 0.7],
      ["a", 2, 1.5, 0.3],
    ]);
  });
  it("are the entropy of labels, single or soft", () => {
    const targets = Int32Array.of(0, 0, 1, 1, 1);
    expect(classPrior(rows, losses, targets, null, 2)).toBeCloseTo(Math.LN2, 14);
    const soft = (row: number) => (row < 2 ? [0.5, 0.5] : [1, 0]);
    expect(classPrior(rows, losses, targets, soft, 2)).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 14);
  });
});

describe("the density", () => {
  const across = Float32Array.of(0, 0.5, 0.999, 1, Number.NaN);
  const losses = Float64Array.of(0, 1e-3, 2, 20, 1);
  const rows = Uint32Array.of(0, 1, 2, 3, 4);

  it("counts what a loop counts, ends included", () => {
    const found = densityOf(rows, across, losses, 4, 6);
    expect(found.count).toBe(4);
    expect(found.counts.reduce((sum, one) => sum + one, 0)).toBe(4);
    expect(found.counts[0]).toBe(1); // a loss of 0 in the lowest line
    expect(found.counts[5 * 4 + 3]).toBe(2);
    expect(found.low).toBe(FLOOR);
    expect(lineBounds(found, 0).low).toBe(0);
    expect(lineBounds(found, 5).high).toBeCloseTo(20.002, 9);
    for (let line = 1; line < 6; line++)
      expect(lineBounds(found, line).low).toBeCloseTo(lineBounds(found, line - 1).high, 12);
  });
  it("finds the rows of a rectangle", () => {
    expect([...within(rows, across, losses, { low: 0.4, high: 1 }, { low: 0, high: 2 })]).toEqual([1, 2]);
  });
});
