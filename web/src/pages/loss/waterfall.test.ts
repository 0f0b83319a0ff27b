import { describe, expect, it } from "vitest";
import { extentOf, laid, stepsOf } from "./waterfall";

const PARTS = {
  count: 10,
  total: 0.9,
  calibration: 0.2,
  refinement: 0.5,
  within: -0.1,
  naming: 0.3,
  uncertainty: 0.6,
  resolution: 0.1,
  bias: 0.01,
  bins: 4,
  irreducible: null,
  irreducibleAnswer: null,
  intervals: { total: null, calibration: null, refinement: null, within: null, naming: null },
};

describe("the steps of a score", () => {
  it("begin where the one before ends, and end at the whole", () => {
    const steps = stepsOf(PARTS);
    expect(steps[0]?.from).toBe(0);
    steps.slice(1).forEach((step, index) => {
      expect(step.from).toBe(steps[index]?.to);
    });
    expect(steps.at(-1)?.to).toBeCloseTo(PARTS.total, 12);
    expect(steps.every((step) => step.irreducible === null)).toBe(true);
  });

  it("say what no model can do without, within the parts it belongs to", () => {
    const steps = stepsOf({ ...PARTS, irreducible: 0.35, irreducibleAnswer: 0.3 });
    expect(steps.map((step) => step.irreducible)).toEqual([null, 0.3, null, expect.closeTo(0.05, 12)]);
  });

  it("fit on their axis, also where one leads back", () => {
    expect(extentOf(stepsOf(PARTS))).toEqual([0, expect.closeTo(0.9, 12)]);
    expect(extentOf(stepsOf({ ...PARTS, calibration: 0, refinement: 0, within: -0.2 }))[0]).toBeCloseTo(-0.2, 12);
    expect(extentOf([])).toEqual([0, 1]);
  });

  it("are laid end to end for a group, negative ones to the left", () => {
    const found = laid({
      group: 0,
      count: 3,
      total: 0.1,
      calibration: -0.05,
      refinement: 0.1,
      within: -0.02,
      naming: 0.07,
    });
    const right = found.filter((one) => one.from >= 0 && one.to > 0);
    expect(right.map((one) => one.name)).toEqual(["refinement", "naming"]);
    expect(right[1]?.from).toBeCloseTo(0.1, 12);
    const left = found.filter((one) => one.to <= 0 && one.from < 0);
    expect(left.map((one) => one.name)).toEqual(["calibration", "within"]);
    expect(left[1]?.from).toBeCloseTo(-0.07, 12);
    expect(left[1]?.to).toBeCloseTo(-0.05, 12);
  });
});
