import { describe, expect, it } from "vitest";
import { around, fitted, kept, showing, zoomed } from "./window";

describe("the window", () => {
  it("holds all of the matrix, and no more", () => {
    const scale = fitted(1000, 500);
    expect(scale).toBe(0.5);
    expect(kept({ scale: 0.1, x: -5, y: 2000 }, 1000, 500)).toEqual({ scale: 0.5, x: 0, y: 0 });
    expect(kept({ scale: 100, x: 995, y: 3 }, 1000, 440)).toEqual({ scale: 44, x: 990, y: 3 });
  });

  it("comes nearer around a point", () => {
    const before = kept({ scale: 0.5, x: 0, y: 0 }, 1000, 500);
    const after = zoomed(before, 4, 100, 200, 1000, 500);
    expect(after.scale).toBe(2);
    expect(after.x + 100 / after.scale).toBeCloseTo(200, 9);
    expect(after.y + 200 / after.scale).toBeCloseTo(400, 9);
  });

  it("looks at a block, and follows a cell no farther than it must", () => {
    const block = around([100, 119], [300, 304], 1000, 440);
    expect(block.scale).toBeCloseTo(20, 9);
    expect(block.y).toBeLessThan(100);
    expect(block.y + 440 / block.scale).toBeGreaterThan(120);
    expect(showing(block, 110, 302, 1000, 440)).toEqual(block);
    const moved = showing(block, 130, 302, 1000, 440);
    expect(moved.x).toBe(block.x);
    expect(moved.y + 440 / moved.scale).toBeCloseTo(131, 9);
  });
});
