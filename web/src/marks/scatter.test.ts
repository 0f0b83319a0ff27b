import { describe, expect, it } from "vitest";
import { inLoop, nearer, nearest, onScreen, whole } from "./scatter";

const SQUARE = [0, 0, 10, 0, 10, 10, 0, 10, 5, 5];

describe("points on a plane", () => {
  it("all fit with one scale for both axes, the second axis up", () => {
    const spots = onScreen(SQUARE, whole(SQUARE, 120, 60, 10));
    expect([...spots]).toEqual([40, 50, 80, 50, 80, 10, 40, 10, 60, 30]);
  });

  it("have a view where there are none, one, or all on a line", () => {
    expect(whole([], 100, 50, 10)).toEqual({ x: 50, y: 25, scale: 1 });
    expect([...onScreen([7, 9], whole([7, 9], 100, 50, 10))]).toEqual([50, 25]);
    expect([...onScreen([0, 3, 8, 3], whole([0, 3, 8, 3], 100, 50, 10))]).toEqual([10, 25, 90, 25]);
  });

  it("come nearer about the spot under the hand", () => {
    const view = whole(SQUARE, 120, 60, 10);
    const before = onScreen(SQUARE, view);
    const after = onScreen(SQUARE, nearer(view, { x: 80, y: 10 }, 3));
    expect([after[4], after[5]]).toEqual([80, 10]);
    expect((after[2] as number) - (after[0] as number)).toBeCloseTo(
      3 * ((before[2] as number) - (before[0] as number)),
    );
  });

  it("are found near a spot, the nearest of them, and none too far away", () => {
    const spots = Float32Array.from([0, 0, 10, 0, 14, 0]);
    expect(nearest(spots, { x: 11, y: 1 }, 5)).toBe(1);
    expect(nearest(spots, { x: 13, y: 0 }, 5)).toBe(2);
    expect(nearest(spots, { x: 100, y: 0 }, 5)).toBeNull();
  });

  it("lie in a loop of any form, which closes by itself", () => {
    const spots = Float32Array.from([5, 5, 15, 5, 5, 15, 1, 19]);
    const hook = [
      [0, 0],
      [20, 0],
      [20, 10],
      [10, 10],
      [10, 20],
      [0, 20],
    ].map(([x, y]) => ({ x: x as number, y: y as number }));
    expect(inLoop(spots, hook)).toEqual([0, 1, 2, 3]);
    expect(inLoop(spots, hook.slice(0, 4))).toEqual([0, 1]);
    expect(inLoop(Float32Array.from([15, 15]), hook)).toEqual([]);
    expect(inLoop(spots, hook.slice(0, 1))).toEqual([]);
  });
});
