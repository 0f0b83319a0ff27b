import { describe, expect, it } from "vitest";
import type { LandscapePanel, LandscapePlane, LandscapePoints } from "../../../record/schema.gen";
import { csvOf } from "../../../shell/table";
import { contour, levelsOf, placeIn, planeTable, sliceOf, surfaceOf, usualStretch } from "./surface";

const points = (losses: (number | null)[]): LandscapePoints => ({
  losses,
  standard_errors: losses.map((one) => (one === null ? null : 0.1)),
  correct: losses.map(() => 3),
  broken: losses.map((one) => (one === null ? 2 : 0)),
});

function planeOf(of: (x: number, y: number) => number | null, size = 11): LandscapePlane {
  const steps = Array.from({ length: size }, (_, index) => (2 * index) / (size - 1) - 1);
  return {
    steps,
    rows: steps.map((y) => points(steps.map((x) => of(x, y)))),
    normalisation: "filter",
    seed: 0,
    moved: 10,
    fixed: 2,
    frozen: 0,
    norms: [1, 1],
    weight_norm: 1,
    cosine: 0,
  };
}

describe("surface", () => {
  it("counts what is finite, what is not, and what is still to come", () => {
    const plane = planeOf((x, y) => (x > 0.9 && y > 0.9 ? null : x + 2 * y + 3));
    plane.rows[0] = null;
    const surface = surfaceOf(plane);
    expect([surface.size, surface.finite, surface.waiting, surface.broken]).toEqual([11, 109, 11, 1]);
    expect(surface.range?.[0]).toBeCloseTo(3 - 1 - 1.6);
    expect(Number.isNaN(surface.losses[0])).toBe(true);
    const empty = surfaceOf({ ...plane, rows: plane.rows.map(() => null) });
    expect(empty.range).toBeNull();
  });

  it("stretches the colours by the logarithm where losses differ much and are positive", () => {
    expect(usualStretch([0.1, 3])).toBe("log");
    expect(usualStretch([0.1, 1])).toBe("linear");
    expect(usualStretch([0, 100])).toBe("linear");
    expect(usualStretch(null)).toBe("linear");
    expect(placeIn([0.1, 10], "log", 1)).toBeCloseTo(0.5);
    expect(placeIn([0, 10], "linear", 2)).toBeCloseTo(0.2);
    expect(placeIn([1, 1], "log", 1)).toBe(0);
    expect(levelsOf([1, 16], "log", 3)).toEqual([2, 4, 8].map((one) => expect.closeTo(one)));
    expect(levelsOf([0, 4], "linear", 3)).toEqual([1, 2, 3]);
    expect(levelsOf([2, 2], "linear", 3)).toEqual([]);
  });

  it("draws a circle around a bowl, all of it at its level", () => {
    const surface = surfaceOf(planeOf((x, y) => x * x + y * y, 41));
    const pieces = contour(surface, 0.5);
    let length = 0;
    for (const [x1, y1, x2, y2] of pieces) {
      for (const [x, y] of [
        [x1, y1],
        [x2, y2],
      ] as const) {
        expect(Math.hypot(x / 20 - 1, y / 20 - 1)).toBeCloseTo(Math.sqrt(0.5), 2);
      }
      length += Math.hypot(x2 - x1, y2 - y1) / 20;
    }
    expect(length).toBeCloseTo(2 * Math.PI * Math.sqrt(0.5), 1);
  });

  it("parts a saddle, and draws nothing where a corner has no loss", () => {
    const saddle = surfaceOf(planeOf((x, y) => x * y, 2));
    expect(contour(saddle, 0.5)).toHaveLength(2);
    expect(contour(saddle, -0.5)).toHaveLength(2);
    const broken = surfaceOf(planeOf((x, y) => (x > 0 && y > 0 ? null : x * y), 2));
    expect(contour(broken, 0.5)).toEqual([]);
  });

  it("slices along both directions", () => {
    const plane = planeOf((x, y) => 10 + x + 100 * y, 3);
    expect(sliceOf(plane, 0, 2).map((one) => one.loss)).toEqual([109, 110, 111]);
    expect(sliceOf(plane, 1, 0).map((one) => [one.step, one.loss])).toEqual([
      [-1, -91],
      [0, 9],
      [1, 109],
    ]);
    plane.rows[2] = null;
    expect(sliceOf(plane, 0, 2)).toEqual([]);
    expect(sliceOf(plane, 1, 1)).toHaveLength(2);
  });

  it("has a table with a row a point", () => {
    const panel = { unit: "nats", count: 5 } as LandscapePanel;
    const lines = csvOf(
      planeTable(
        panel,
        planeOf((x) => (x > 0 ? null : 1), 3),
      ),
    ).split("\r\n");
    expect(lines[0]).toBe(
      "first direction,second direction,mean loss in nats,standard error,right answers,examples,not finite",
    );
    expect(lines[1]).toBe("-1,-1,1,0.1,3,5,0");
    expect(lines[3]).toBe("1,-1,,,3,5,2");
    expect(lines).toHaveLength(11);
  });
});
