import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { meanLossOf } from "./accuracy";
import { meanInterval } from "./intervals";
import { lossByClass } from "./loss";
import { studentQuantile, studentQuantile95 } from "./student";

interface Fixture {
  quantiles: [number, number][];
  means: { values: number[]; interval: [number, number] | null }[];
}

const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../../tests/fixtures/measures/intervals.json"), "utf8"),
) as Fixture;

const ends = (found: { low: number; high: number } | null) => (found ? [found.low, found.high] : null);

function near(found: number[] | null, wanted: number[] | null) {
  if (wanted === null) expect(found).toBeNull();
  else for (const place of [0, 1]) expect(found?.[place]).toBeCloseTo(wanted[place] as number, 9);
}

describe("Student's t", () => {
  it("has scipy's quantiles at few and at many degrees of freedom", () => {
    for (const [freedom, quantile] of fixture.quantiles) {
      expect(Math.abs(studentQuantile95(freedom) / quantile - 1)).toBeLessThan(1e-10);
      expect(Math.abs(studentQuantile(0.975, freedom) / quantile - 1)).toBeLessThan(1e-8);
    }
  });

  it("falls with the degrees of freedom, also where one way of working it out follows on the other", () => {
    for (let freedom = 2; freedom < 1000; freedom++)
      expect(studentQuantile95(freedom)).toBeLessThan(studentQuantile95(freedom - 1));
  });
});

describe("the interval of a mean", () => {
  it("is Python's, by itself, of a selection's losses and of a class's", () => {
    for (const { values, interval } of fixture.means) {
      const losses = Float64Array.from(values);
      const rows = Uint32Array.from(values, (_, row) => row);
      const sum = values.reduce((total, value) => total + value, 0);
      const squares = values.reduce((total, value) => total + value * value, 0);
      near(ends(meanInterval(sum, squares, values.length)), interval);
      // No mean of losses that are not negative lies below 0.
      const cut = interval && values.every((one) => one >= 0) ? [Math.max(0, interval[0]), interval[1]] : interval;
      near(ends(meanLossOf(rows, { losses }).interval), cut as typeof interval);
      near(
        ends(lossByClass(rows, losses, new Int32Array(values.length), 1)[0]?.interval ?? null),
        cut as typeof interval,
      );
    }
  });
});
