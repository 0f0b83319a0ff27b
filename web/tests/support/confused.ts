/** Classes that are taken for one another. */
import { confusionOf } from "../../src/measures/confusion";
import type { Cells } from "../../src/pages/confusion/matrix";

/** Sparse cells of a dense table, rows true, columns predicted. */
export function cellsOf(table: readonly (readonly number[])[]): Cells {
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
  return { size: table.length, ...confusionOf(rows, answers, table.length) };
}

// Class 0 and 4 are taken for one another, class 3 is never true, class 5 neither true nor predicted.
export const TABLE = [
  [8, 0, 1, 0, 5, 0],
  [0, 9, 2, 1, 0, 0],
  [0, 3, 4, 0, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [4, 0, 0, 0, 6, 0],
  [0, 0, 0, 0, 0, 0],
] as const;
export const cells = cellsOf(TABLE);
export const names = ["class 10", "class 9", "zebra", "Adder", "class 2", "ape"];
export const nameOf = (index: number) => names[index] ?? "";
