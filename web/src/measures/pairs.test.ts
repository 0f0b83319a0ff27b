import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { ConfusedPair } from "../record/schema.gen";
import { confusionOf } from "./confusion";
import { confusedPairs, holm, hypergeometricTail } from "./pairs";

interface Fixture {
  tails: { of: [number, number, number, number]; p_value: number }[];
  adjusted: { p_values: number[]; tests: number; expected: number[] };
  cases: { classes: number; targets: number[]; predictions: number[]; pairs: ConfusedPair[] }[];
}

const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../../tests/fixtures/measures/confusion.json"), "utf8"),
) as Fixture;

describe("confused pairs", () => {
  it("have the tail of a hypergeometric distribution", () => {
    for (const { of, p_value } of fixture.tails) expect(hypergeometricTail(...of)).toBeCloseTo(p_value, 11);
  });

  it("are adjusted for all tests that were made", () => {
    const { p_values, tests, expected } = fixture.adjusted;
    for (const [place, value] of holm(p_values, tests).entries())
      expect(value).toBeCloseTo(expected[place] as number, 14);
  });

  for (const { classes, targets, predictions, pairs } of fixture.cases)
    it(`are those that Python finds among ${classes} classes`, () => {
      const rows = Uint32Array.from(targets, (_, row) => row);
      const answers = { targets: Int32Array.from(targets), predictions: Int32Array.from(predictions) };
      const found = confusedPairs(confusionOf(rows, answers, classes), classes);
      const key = (one: ConfusedPair) => `${one.true}/${one.predicted}`;
      const byKey = new Map(found.map((one) => [key(one), one]));
      expect(found.length).toBe(pairs.length);
      for (const one of pairs) {
        const twin = byKey.get(key(one)) as ConfusedPair;
        expect(twin).toMatchObject({ count: one.count, support: one.support });
        for (const value of ["rate", "expected", "p_value"] as const) expect(twin[value]).toBeCloseTo(one[value], 9);
        expect(twin.interval.low).toBeCloseTo(one.interval.low, 9);
        expect(twin.interval.high).toBeCloseTo(one.interval.high, 9);
      }
      const surprise = found.map((one) => one.p_value);
      expect(surprise).toEqual([...surprise].sort((a, b) => a - b));
    });
});
