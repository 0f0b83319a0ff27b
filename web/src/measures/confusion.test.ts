import { describe, expect, it } from "vitest";
import { confusionOf } from "./confusion";

describe("counting many classes", () => {
  const CLASSES = 3000; // too many for a dense table
  let state = 5;
  const random = (below: number) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const targets = Int32Array.from({ length: 4000 }, (_, row) => (row % 50 === 0 ? -1 : random(CLASSES)));
  const predictions = Int32Array.from(targets, (target, row) =>
    row % 70 === 0 ? -1 : row % 3 === 0 ? random(CLASSES) : Math.max(0, target),
  );
  const rows = Uint32Array.from(targets, (_, row) => row).filter((row) => row % 7 !== 0);

  it("finds what a map finds, in order of row and column", () => {
    const expected = new Map<string, number>();
    for (const row of rows) {
      const [target, prediction] = [targets[row] as number, predictions[row] as number];
      if (target < 0 || prediction < 0) continue;
      expected.set(`${target}/${prediction}`, (expected.get(`${target}/${prediction}`) ?? 0) + 1);
    }
    const found = confusionOf(rows, { targets, predictions }, CLASSES);
    expect(
      new Map(Array.from(found.counts, (count, cell) => [`${found.rows[cell]}/${found.columns[cell]}`, count])),
    ).toEqual(expected);
    const codes = Array.from(found.rows, (row, cell) => row * CLASSES + (found.columns[cell] as number));
    expect(codes).toEqual([...codes].sort((a, b) => a - b));
  });
});
