import { describe, expect, it } from "vitest";
import { boxOf, pooled, type Windows } from "./fields";

const windows = (rows: number[][], columns: number[][], kind: "max" | "average" = "max"): Windows => ({
  kind,
  rows: { shape: [rows.length, rows[0]?.length ?? 0], values: rows.flat() },
  columns: { shape: [columns.length, columns[0]?.length ?? 0], values: columns.flat() },
  divisor: null,
});

describe("boxes", () => {
  it("come from rows and columns, or position by position", () => {
    const rows = { shape: [2, 2], values: [0, 3, 1, 5] };
    const columns = { shape: [3, 2], values: [0, 2, 1, 4, 3, 6] };
    expect(boxOf(4, [2, 3], { rows, columns, boxes: null })).toEqual({ top: 1, left: 1, bottom: 5, right: 4 });
    const boxes = { shape: [2, 4], values: [0, 0, 0, 0, 2, 1, 4, 5] };
    expect(boxOf(1, [2], { rows: null, columns: null, boxes })).toEqual({ top: 2, left: 1, bottom: 4, right: 5 });
    expect(boxOf(0, [2], { rows: null, columns: null, boxes })).toBeNull();
  });
});

describe("pooling", () => {
  const map = Float32Array.from([1, 5, 2, 0, 3, 4, 9, 1, -2, 0, 0, 6]); // 3 x 4

  it("unpools a maximum to the input at its switches and zero elsewhere, also with overlap and padding", () => {
    const overlap = windows([[-1, 0, 1], [1, 2, -1]], [[0, 1, 2], [1, 2, 3]]); // biome-ignore format: rows and columns
    const found = pooled(map, 4, overlap);
    expect([...found.values]).toEqual([9, 9, 9, 9]);
    expect([...found.switches]).toEqual([6, 6, 6, 6]);
    expect([...found.unpooled]).toEqual([0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
    expect(found.l1).toBeCloseTo(9 / 33);
    expect(found.l2).toBeCloseTo(81 / 177);
  });

  it("spreads an average and keeps the energy of its means", () => {
    const halves = windows([[0, 1, 2]], [[0, 1], [2, 3]], "average"); // biome-ignore format: rows and columns
    const found = pooled(map, 4, halves);
    expect([...found.values]).toEqual([Math.fround(11 / 6), 3]);
    expect(found.unpooled[5]).toBeCloseTo(11 / 6);
    expect(found.l2).toBeCloseTo((6 * (11 / 6) ** 2 + 6 * 9) / 177);
    expect(pooled(map, 4, halves, "max").values).toEqual(Float32Array.from([5, 9]));
  });

  it("has no share of silence", () => {
    expect(pooled(new Float32Array(12), 4, windows([[0, 1, 2]], [[0, 1, 2, 3]])).l1).toBeNull();
  });
});
