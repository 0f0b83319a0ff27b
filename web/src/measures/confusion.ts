/** Confusion counts of any selection, sparse: rows are true classes, columns are predicted classes. */
import type { Answers } from "./accuracy";

export interface ConfusionCounts {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly counts: Float64Array;
}

/** A dense table of this many cells is counted by adding at once; above it, examples are put in order first. */
const MOST_DENSE = 1 << 22;

/** Cells in order of row, then column; examples without target or prediction do not count. */
export function confusionOf(selected: Uint32Array, answers: Answers, classes: number): ConfusionCounts {
  return classes * classes <= MOST_DENSE ? dense(selected, answers, classes) : sparse(selected, answers, classes);
}

function dense(selected: Uint32Array, { targets, predictions }: Answers, classes: number): ConfusionCounts {
  const table = new Uint32Array(classes * classes);
  let filled = 0;
  for (let place = 0; place < selected.length; place++) {
    const row = selected[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    if (target < 0 || prediction < 0 || target >= classes || prediction >= classes) continue;
    const code = target * classes + prediction;
    const before = table[code] as number;
    if (before === 0) filled += 1;
    table[code] = before + 1;
  }
  const cells = room(filled);
  let next = 0;
  for (let code = 0; code < table.length; code++) {
    const count = table[code] as number;
    if (count === 0) continue;
    cells.rows[next] = Math.floor(code / classes);
    cells.columns[next] = code % classes;
    cells.counts[next++] = count;
  }
  return cells;
}

/** Two passes of counting sort, by column and then by row: memory grows with the examples and the classes, not their square. */
function sparse(selected: Uint32Array, { targets, predictions }: Answers, classes: number): ConfusionCounts {
  const known = selected.filter((row) => {
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    return target >= 0 && prediction >= 0 && target < classes && prediction < classes;
  });
  const ordered = sorted(sorted(known, predictions, classes), targets, classes);
  let filled = 0;
  let [lastRow, lastColumn] = [-1, -1];
  const cells = room(ordered.length);
  for (let place = 0; place < ordered.length; place++) {
    const row = targets[ordered[place] as number] as number;
    const column = predictions[ordered[place] as number] as number;
    if (row !== lastRow || column !== lastColumn) {
      cells.rows[filled] = row;
      cells.columns[filled] = column;
      filled += 1;
      [lastRow, lastColumn] = [row, column];
    }
    cells.counts[filled - 1] = (cells.counts[filled - 1] as number) + 1;
  }
  return {
    rows: cells.rows.slice(0, filled),
    columns: cells.columns.slice(0, filled),
    counts: cells.counts.slice(0, filled),
  };
}

function room(cells: number) {
  return { rows: new Int32Array(cells), columns: new Int32Array(cells), counts: new Float64Array(cells) };
}

/** The examples in order of their value, equal ones as they were. */
function sorted(examples: Uint32Array, values: Int32Array, classes: number): Uint32Array {
  const starts = new Uint32Array(classes + 1);
  for (const row of examples) {
    const after = (values[row] as number) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let index = 0; index < classes; index++)
    starts[index + 1] = (starts[index + 1] as number) + (starts[index] as number);
  const placed = new Uint32Array(examples.length);
  for (const row of examples) {
    const value = values[row] as number;
    const place = starts[value] as number;
    placed[place] = row;
    starts[value] = place + 1;
  }
  return placed;
}
