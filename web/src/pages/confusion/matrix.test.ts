import { describe, expect, it } from "vitest";
import { cells, cellsOf, nameOf } from "../../../tests/support/confused";
import { classAxis, gathered } from "./axis";
import { binned } from "./bins";
import { cellAt, denominator, difference, drawnCells, margins, mostConfused, type Normalisation, tone } from "./matrix";

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

describe("the most confused classes", () => {
  it("are both ends of the heaviest mistakes, in order of index", () => {
    expect([...mostConfused(cells, 2)]).toEqual([0, 4]);
    expect([...mostConfused(cells, 4)]).toEqual([0, 1, 2, 4]);
  });

  it("are those that are confused at all where fewer are than asked for", () => {
    expect([...mostConfused(cells, 30)]).toEqual([0, 1, 2, 3, 4]);
  });

  it("are not those with most right answers, but where there is no mistake", () => {
    const sure = [
      [90, 0, 0],
      [0, 1, 2],
      [0, 0, 1],
    ];
    expect([...mostConfused(cellsOf(sure), 2)]).toEqual([1, 2]);
    const right = sure.map((line, row) => line.map((count, column) => (row === column ? count : 0)));
    expect([...mostConfused(cellsOf(right), 1)]).toEqual([0]);
  });

  // Class 0 is taken for each of 1 to 9 once, 10 for 11 twice, 12 for 13 once: most mistakes are of class 0.
  const scattered = cellsOf(
    Array.from({ length: 14 }, (_, row) =>
      Array.from({ length: 14 }, (_, column) =>
        row === 0 && column > 0 && column < 10
          ? 1
          : row === 10 && column === 11
            ? 2
            : row === 12 && column === 13
              ? 1
              : 0,
      ),
    ),
  );

  it("hold every pair that is listed, and no class without one that it is confused with", () => {
    expect([...mostConfused(scattered, 4, [{ true: 12, predicted: 13 }])]).toEqual([10, 11, 12, 13]);
    expect([...mostConfused(scattered, 3)]).toEqual([10, 11]);
    expect([...mostConfused(scattered, 5)]).toEqual([0, 1, 2, 10, 11]);
  });

  it("hold nothing, but not for what is missed without another in its place", () => {
    const sets = cellsOf([
      [3, 1, 0, 0],
      [0, 3, 0, 0],
      [0, 0, 2, 9],
      [0, 0, 0, 0],
    ]);
    expect([...mostConfused(sets, 3, [], 3)]).toEqual([0, 1, 3]);
  });
});

describe("what is drawn", () => {
  const order = Int32Array.of(4, 0, 1, 2, 3, 5);
  const drawn = drawnCells(cells, margins(cells), order, "true");

  it("stands in its order, divided, and is found again", () => {
    expect(drawn.values[cellAt(drawn, 0, 0)]).toBeCloseTo(6 / 10, 12);
    expect(drawn.values[cellAt(drawn, 1, 0)]).toBeCloseTo(5 / 14, 12);
    expect(cellAt(drawn, 4, 4)).toBe(-1);
    expect(drawn.mostWrong).toBeCloseTo(3 / 7, 12);
    expect(drawn.mostRight).toBeCloseTo(9 / 12, 12);
    expect(tone(drawn, cellAt(drawn, 2, 2))).toBe(1);
  });

  it("takes an older model's cells away, value from value", () => {
    const past = cellsOf([
      [9, 0, 0, 0, 5, 0],
      [0, 9, 2, 1, 0, 0],
      [0, 3, 4, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 2, 8, 0],
      [0, 0, 0, 0, 0, 0],
    ]);
    const index = Int32Array.of(0, 1, 2, 3, 4, 5);
    const signed = difference(
      drawnCells(cells, margins(cells), index, "true"),
      drawnCells(past, margins(past), index, "true"),
    );
    const value = (y: number, x: number) => signed.values[cellAt(signed, y, x)];
    expect(value(0, 0)).toBeCloseTo(-1 / 14, 12);
    expect(value(0, 2)).toBeCloseTo(1 / 14, 12);
    expect(value(4, 3)).toBeCloseTo(-0.2, 12);
    expect(value(1, 1)).toBeCloseTo(0, 12);
    expect(signed.counts[cellAt(signed, 4, 0)]).toBe(4);
    expect(signed.mostWrong).toBeCloseTo(0.4, 12);
    expect(tone(signed, cellAt(signed, 4, 0))).toBe(1);
    expect(tone(signed, cellAt(signed, 1, 1))).toBe(0.5);
    expect(tone(signed, cellAt(signed, 0, 0))).toBeLessThan(0.5);
  });

  it("leaves out what the order leaves out", () => {
    const few = drawnCells(cells, margins(cells), Int32Array.of(0, 4), "counts");
    expect([...few.counts]).toEqual([8, 5, 4, 6]);
  });

  it("tells what gathers the others by a scale of its own, paler than what is shown", () => {
    const axis = classAxis(Int32Array.of(1, 2), 6, nameOf);
    const few = gathered(cells, axis);
    const other = axis.entries.findIndex((entry) => entry.other);
    const index = Int32Array.of(0, 1, 2);
    const shown = drawnCells(few, margins(few), index, "counts", other);
    expect([shown.mostWrong, shown.mostRight, shown.mostApart]).toEqual([3, 9, 1]);
    expect(tone(shown, cellAt(shown, 1, 0))).toBe(1);
    for (const [y, x] of [
      [0, 2],
      [2, 1],
      [2, 2],
    ] as const)
      expect(tone(shown, cellAt(shown, y, x))).toBeLessThan(0.5);
    const apart = drawnCells(few, margins(few), index, "counts", 2);
    const signed = difference(apart, {
      ...apart,
      counts: apart.counts.map(() => 0),
      values: apart.values.map(() => 0),
    });
    expect([signed.mostWrong, signed.mostApart]).toEqual([9, 1]);
  });

  it("shows in each pixel the strongest mistake beneath it, and a right answer where there is none", () => {
    const whole = binned(drawn, { scale: 0.5, x: 0, y: 0 }, 3);
    expect(whole.side).toBe(3);
    const at = (y: number, x: number) => {
      const cell = whole.cells[y * 3 + x] as number;
      return cell < 0 ? null : [drawn.ys[cell], drawn.xs[cell]];
    };
    // Classes 4 and 0, 1 and 2, 3 and 5: 40% of class 4 are called 0, 3 of 7 of class 2 are called 1.
    expect(at(0, 0)).toEqual([0, 1]);
    expect(at(1, 1)).toEqual([3, 2]);
    expect(at(2, 2)).toBeNull();
    const near = binned(drawn, { scale: 2, x: 0, y: 0 }, 12);
    expect(near.cells.filter((cell) => cell >= 0).length).toBe(drawn.values.length);
  });
});
