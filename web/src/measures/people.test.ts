import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { clusteredShare, pairedDifference } from "./people";

type Ends = [number, number] | null;

/** Of pellucid.measures.clustered, and of scipy. */
const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../../tests/fixtures/measures/people.json"), "utf8"),
) as {
  shares: { successes: number[]; trials: number[]; value: number | null; interval: Ends }[];
  differences: { values: number[]; value: number | null; interval: Ends }[];
};

function near(found: { low: number; high: number } | null, wanted: Ends) {
  if (wanted === null) expect(found).toBeNull();
  else {
    expect(found?.low).toBeCloseTo(wanted[0], 10);
    expect(found?.high).toBeCloseTo(wanted[1], 10);
  }
}

describe("people's answers", () => {
  it("have the shares and intervals over images that Python has", () => {
    for (const { successes, trials, value, interval } of fixture.shares) {
      const found = clusteredShare(successes, trials);
      if (value === null) expect(found.value).toBeNull();
      else expect(found.value).toBeCloseTo(value, 12);
      near(found.interval, interval);
      expect(found.images).toBe(trials.filter((answers) => answers > 0).length);
    }
  });

  it("differ from the model's by a mean with Student's interval", () => {
    for (const { values, value, interval } of fixture.differences) {
      const found = pairedDifference(values);
      if (value === null) expect(found.value).toBeNull();
      else expect(found.value).toBeCloseTo(value, 12);
      near(found.interval, interval);
    }
  });
});
