import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Bounds } from "./intervals";
import { setScores, setShares, setSums } from "./multilabel";

type Ends = [number, number, string] | null;

interface Fixture {
  cases: {
    classes: number;
    true: (number[] | null)[];
    called: number[][];
    count: number;
    exact: number;
    scores: [string, number | null, Ends][];
    by_class: [number, number, number, number | null, number | null, Ends][];
  }[];
}

const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../../tests/fixtures/measures/multilabel.json"), "utf8"),
) as Fixture;

function near(found: number | null | undefined, wanted: number | null) {
  if (wanted === null) expect(found ?? null).toBeNull();
  else expect(found).toBeCloseTo(wanted, 9);
}

function nearBounds(found: Bounds | null | undefined, wanted: Ends) {
  near(found?.low, wanted?.[0] ?? null);
  near(found?.high, wanted?.[1] ?? null);
}

describe("sets of classes", () => {
  for (const one of fixture.cases) {
    const sums = setSums(
      Uint32Array.from(one.called, (_, row) => row),
      { classesOf: (row) => one.true[row] ?? null, calledOf: (row) => one.called[row] ?? null },
      one.classes,
    );

    it(`has Python's scores of ${one.count} examples`, () => {
      expect([sums.count, sums.exact]).toEqual([one.count, one.exact]);
      const found = setScores(sums);
      expect(found.map((score) => score.name)).toEqual(one.scores.map(([name]) => name));
      one.scores.forEach(([, value, ends], place) => {
        near(found[place]?.value, value);
        nearBounds(found[place]?.interval, ends);
        expect(found[place]?.method).toBe(ends?.[2] ?? "");
        expect(found[place]?.why === "").toBe(value !== null);
      });
    });

    it(`has Python's classes of ${one.count} examples`, () => {
      const shares = setShares(sums);
      one.by_class.forEach(([support, predicted, right, recall, precision, ends], index) => {
        expect(shares[index]?.recall).toMatchObject({ correct: right, count: support });
        expect(shares[index]?.precision).toMatchObject({ correct: right, count: predicted });
        near(shares[index]?.recall.value, recall);
        near(shares[index]?.precision.value, precision);
        nearBounds(shares[index]?.precision.interval, ends);
      });
    });
  }
});
