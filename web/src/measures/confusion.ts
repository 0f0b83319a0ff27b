/** Confusion counts of any selection, sparse: rows are true classes, columns are predicted classes. */
import type { Answers } from "./accuracy";

export interface ConfusionCounts {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly counts: Float64Array;
}

/** A dense table of this many cells is counted without a lookup for each example. */
const MOST_DENSE = 1 << 22;

/** Cells in order of row, then column; examples without target or prediction do not count. */
export function confusionOf(selected: Uint32Array, answers: Answers, classes: number): ConfusionCounts {
  const cells =
    classes * classes <= MOST_DENSE ? dense(selected, answers, classes) : sparse(selected, answers, classes);
  return {
    rows: Int32Array.from(cells, ([code]) => Math.floor(code / classes)),
    columns: Int32Array.from(cells, ([code]) => code % classes),
    counts: Float64Array.from(cells, ([, count]) => count),
  };
}

function dense(selected: Uint32Array, { targets, predictions }: Answers, classes: number): [number, number][] {
  const table = new Float64Array(classes * classes);
  for (let place = 0; place < selected.length; place++) {
    const row = selected[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    if (target < 0 || prediction < 0 || target >= classes || prediction >= classes) continue;
    const code = target * classes + prediction;
    table[code] = (table[code] as number) + 1;
  }
  const cells: [number, number][] = [];
  for (let code = 0; code < table.length; code++) {
    const count = table[code] as number;
    if (count > 0) cells.push([code, count]);
  }
  return cells;
}

function sparse(selected: Uint32Array, { targets, predictions }: Answers, classes: number): [number, number][] {
  const counts = new Map<number, number>();
  for (let place = 0; place < selected.length; place++) {
    const row = selected[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    if (target < 0 || prediction < 0 || target >= classes || prediction >= classes) continue;
    const code = target * classes + prediction;
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => a[0] - b[0]);
}
