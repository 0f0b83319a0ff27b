/** Confusion counts of any selection, sparse: rows are true classes, columns are predicted classes. */
import type { Answers } from "./accuracy";
import { remembered } from "./chosen";
import { listedBy } from "./listed";
import { tally } from "./tally";

export interface Margins {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly total: number;
}

export interface ConfusionCounts {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly counts: Float64Array;
  /**
   * Examples of which the class of each row is true and that of each column is called, and all of them: where one may stand in
   * several cells these are not what the cells add up to. Absent where they are.
   */
  readonly margins?: Margins;
}

/** Cells in order of row, then column; examples without target or prediction do not count. Made once for a selection. */
export function confusionOf(
  selected: Uint32Array,
  { targets, predictions }: Answers,
  classes: number,
): ConfusionCounts {
  return confused(selected, predictions, targets, classes);
}

const confused = remembered((selected: Uint32Array, predictions: Int32Array, targets: Int32Array, classes: number) => {
  const all = cellsOf(predictions, targets, classes);
  const found = tally(selected, all.of, all.rows.length + 1);
  let filled = 0;
  for (let cell = 0; cell < all.rows.length; cell++) if (found[cell] !== 0) filled += 1;
  const cells = room(filled);
  let next = 0;
  for (let cell = 0; cell < all.rows.length; cell++) {
    const count = found[cell] as number;
    if (count === 0) continue;
    cells.rows[next] = all.rows[cell] as number;
    cells.columns[next] = all.columns[cell] as number;
    cells.counts[next++] = count;
  }
  return cells;
});

/**
 * The cells that any example is in, in order, and which of them each example is in; the one behind the last for those in none.
 * Made once for a record by two passes of counting sort: memory grows with the examples and the classes, not their square.
 */
const cellsOf = remembered((predictions: Int32Array, targets: Int32Array, classes: number) => {
  const known = Uint32Array.from(targets.keys()).filter((row) => {
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    return target >= 0 && prediction >= 0 && target < classes && prediction < classes;
  });
  const ordered = listedBy(listedBy(known, predictions, classes).rows, targets, classes).rows;
  const cells = room(ordered.length);
  const of = new Int32Array(targets.length).fill(-1);
  let filled = 0;
  let [lastRow, lastColumn] = [-1, -1];
  for (let place = 0; place < ordered.length; place++) {
    const example = ordered[place] as number;
    const row = targets[example] as number;
    const column = predictions[example] as number;
    if (row !== lastRow || column !== lastColumn) {
      cells.rows[filled] = row;
      cells.columns[filled] = column;
      filled += 1;
      [lastRow, lastColumn] = [row, column];
    }
    of[example] = filled - 1;
  }
  for (let row = 0; row < of.length; row++) if (of[row] === -1) of[row] = filled;
  return { rows: cells.rows.slice(0, filled), columns: cells.columns.slice(0, filled), of };
});

function room(cells: number) {
  return { rows: new Int32Array(cells), columns: new Int32Array(cells), counts: new Float64Array(cells) };
}
