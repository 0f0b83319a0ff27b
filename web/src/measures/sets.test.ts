import { describe, expect, it } from "vitest";
import { setShares, setSums } from "./multilabel";
import { inCells, partsOf, type Sets, setConfusionOf } from "./sets";

const CLASSES = 3;
const EXAMPLES: readonly (readonly [number[] | null, number[] | null])[] = [
  [[0], [1]],
  [[0, 1], [0]],
  [[2], [2]],
  [[], [1, 2]],
  [[0, 2], [1]],
  [null, [1]],
  [[1], null],
];
const sets: Sets = {
  classesOf: (row) => (EXAMPLES[row] as [number[] | null, number[] | null])[0],
  calledOf: (row) => (EXAMPLES[row] as [number[] | null, number[] | null])[1],
};
const rows = Uint32Array.from(EXAMPLES, (_, row) => row);
const found = setConfusionOf(rows, sets, CLASSES);
const cells = Array.from(found.counts, (count, cell) => [found.rows[cell], found.columns[cell], count]);

describe("confusions of sets", () => {
  it("count a missed class beside each that was called in its place, or beside nothing", () => {
    expect(cells).toEqual([
      [0, 0, 1],
      [0, 1, 2],
      [1, 3, 1],
      [2, 1, 1],
      [2, 2, 1],
      [3, 1, 1],
      [3, 2, 1],
    ]);
  });

  it("bring margins that count examples, so that the diagonal by them is the recall and precision of a class", () => {
    const { margins } = found;
    const by = (place: number, is: (row: number) => boolean) => {
      const cell = cells.findIndex(([row, column]) => row === place && column === place);
      return [cell < 0 ? 0 : (cells[cell] as number[])[2], [...rows].filter(is).length];
    };
    const known = (row: number) => sets.classesOf(row) !== null && sets.calledOf(row) !== null;
    const shares = setShares(setSums(rows, sets, CLASSES));
    for (const { index, recall, precision } of shares) {
      expect([recall.correct, recall.count]).toEqual(
        by(index, (row) => known(row) && (sets.classesOf(row)?.includes(index) ?? false)),
      );
      expect(margins.rows[index]).toBe(recall.count);
      expect(margins.columns[index]).toBe(precision.count);
    }
    // Example 3 has something called and nothing missed, example 1 the reverse.
    expect([margins.rows[CLASSES], margins.columns[CLASSES], margins.total]).toEqual([1, 1, 5]);
  });

  it("hold as many examples in each cell as are selected by it", () => {
    for (const [row, column, count] of cells as [number, number, number][]) {
      const held = [...rows].filter((one) => inCells(sets, one, CLASSES, new Set([row]), new Set([column])));
      expect(held.length, `${row} / ${column}`).toBe(count);
    }
  });

  it("select by a row the examples of which its class is true, by a column those where it is called", () => {
    const by = (is: number[], called: number[]) =>
      [...rows].filter((one) => inCells(sets, one, CLASSES, new Set(is), new Set(called)));
    expect(by([0], [])).toEqual([0, 1, 4]);
    expect(by([], [1])).toEqual([0, 3, 4]);
    expect(by([3], [])).toEqual([3]);
    expect(by([0, 1], [1, 3])).toEqual([0, 1, 4]);
  });

  it("leave out examples of which a set is not known", () => {
    expect(partsOf(sets, 5, CLASSES)).toBeNull();
    expect(partsOf(sets, 6, CLASSES)).toBeNull();
  });
});
