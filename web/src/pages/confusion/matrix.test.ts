import { describe, expect, it } from "vitest";
import { confusionOf } from "../../measures/confusion";
import { type Cells, denominator, margins, mostConfused, type Normalisation, type Ordering, order } from "./matrix";

/** Sparse cells of a dense table, rows true, columns predicted. */
function cellsOf(table: readonly (readonly number[])[]): Cells {
  const targets: number[] = [];
  const predictions: number[] = [];
  table.forEach((line, row) => {
    line.forEach((count, column) => {
      for (let one = 0; one < count; one++) {
        targets.push(row);
        predictions.push(column);
      }
    });
  });
  const answers = { targets: Int32Array.from(targets), predictions: Int32Array.from(predictions) };
  const rows = Uint32Array.from(targets, (_, row) => row);
  return { classes: table.length, ...confusionOf(rows, answers, table.length) };
}

// Class 0 and 4 are taken for one another, class 3 is never true, class 5 neither true nor predicted.
const TABLE = [
  [8, 0, 1, 0, 5, 0],
  [0, 9, 2, 1, 0, 0],
  [0, 3, 4, 0, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [4, 0, 0, 0, 6, 0],
  [0, 0, 0, 0, 0, 0],
] as const;
const cells = cellsOf(TABLE);
const names = ["class 10", "class 9", "zebra", "Adder", "class 2", "ape"];

describe("margins", () => {
  it("add up rows, columns and all", () => {
    const { rows, columns, total } = margins(cells);
    expect([...rows]).toEqual([14, 12, 7, 0, 10, 0]);
    expect([...columns]).toEqual([12, 12, 7, 1, 11, 0]);
    expect(total).toBe(43);
  });
});

describe("dividing", () => {
  const sums = margins(cells);
  const divided = (mode: Normalisation) =>
    Array.from(cells.counts, (count, index) => {
      const row = cells.rows[index] as number;
      const column = cells.columns[index] as number;
      return { row, column, value: count / (denominator(mode, row, column, sums) ?? Number.NaN) };
    });
  const added = (values: readonly { value: number }[]) => values.reduce((sum, one) => sum + one.value, 0);

  it("by true class makes every row add up to 1", () => {
    for (const row of [0, 1, 2, 4]) expect(added(divided("true").filter((one) => one.row === row))).toBeCloseTo(1, 12);
  });

  it("by predicted class makes every column add up to 1", () => {
    for (const column of [0, 1, 2, 3, 4])
      expect(added(divided("predicted").filter((one) => one.column === column))).toBeCloseTo(1, 12);
  });

  it("by all makes the matrix add up to 1, and counts stay counts", () => {
    expect(added(divided("all"))).toBeCloseTo(1, 12);
    expect(added(divided("counts"))).toBe(43);
  });

  it("is not defined where there is nothing to divide by", () => {
    expect(denominator("true", 3, 0, sums)).toBeNull();
    expect(denominator("predicted", 0, 5, sums)).toBeNull();
    expect(denominator("all", 0, 0, margins(cellsOf([[0]])))).toBeNull();
  });
});

describe("order", () => {
  const every = [0, 1, 2, 3, 4, 5];
  const placed = (mode: Ordering, of: Cells = cells) => [...order(mode, names.slice(0, of.classes), of)];

  for (const mode of ["index", "name", "frequency", "similarity"] as const) {
    it(`by ${mode} holds each class once`, () => {
      expect(placed(mode).sort((a, b) => a - b)).toEqual(every);
    });
  }

  it("by name reads numbers as numbers", () => {
    expect(placed("name").map((index) => names[index])).toEqual([
      "Adder",
      "ape",
      "class 2",
      "class 9",
      "class 10",
      "zebra",
    ]);
  });

  it("by frequency puts the class with most examples first, equal ones as in the model", () => {
    expect(placed("frequency")).toEqual([0, 1, 4, 2, 3, 5]);
  });

  it("by similarity puts classes that are taken for one another side by side", () => {
    const at = placed("similarity");
    for (const [one, other] of [
      [0, 4],
      [1, 2],
    ] as const)
      expect(Math.abs(at.indexOf(one) - at.indexOf(other)), `${one} and ${other} in ${at}`).toBe(1);
  });

  it("by similarity turns chains so that their confused ends meet", () => {
    // Pairs (0, 1) and (2, 3) are strongest, and 0 is taken for 3: the only order is 1 0 3 2, or its mirror.
    const chained = cellsOf([
      [1, 9, 0, 4],
      [0, 1, 0, 0],
      [0, 0, 1, 8],
      [0, 0, 0, 1],
    ]);
    expect(["1032", "2301"]).toContain(placed("similarity", chained).join(""));
  });
});

describe("the most confused classes", () => {
  it("are those with most mistakes either way, in order of index", () => {
    expect([...mostConfused(cells, 2)]).toEqual([0, 4]);
    expect([...mostConfused(cells, 4)]).toEqual([0, 1, 2, 4]);
  });

  it("are all classes where there are fewer than asked for", () => {
    expect([...mostConfused(cells, 30)]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("are not those with most right answers", () => {
    const sure = cellsOf([
      [90, 0, 0],
      [0, 1, 2],
      [0, 0, 1],
    ]);
    expect([...mostConfused(sure, 2)]).toEqual([1, 2]);
  });
});
