/** The confusion matrix as sparse cells, divided and put in order; rows are true classes, columns predicted ones. */
import type { ConfusionCounts, Margins } from "../../measures/confusion";

export type { Margins };

export type Normalisation = "counts" | "true" | "predicted" | "all";

/** Counts between entries: classes, or groups of them. */
export interface Cells extends ConfusionCounts {
  /** How many rows, and columns, there are. */
  readonly size: number;
}

/** Of each row and column; those that the cells bring, else what they add up to. */
export function margins(cells: Cells): Margins {
  if (cells.margins) return cells.margins;
  const rows = new Float64Array(cells.size);
  const columns = new Float64Array(cells.size);
  let total = 0;
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const count = cells.counts[cell] as number;
    const row = cells.rows[cell] as number;
    const column = cells.columns[cell] as number;
    rows[row] = (rows[row] as number) + count;
    columns[column] = (columns[column] as number) + count;
    total += count;
  }
  return { rows, columns, total };
}

/** What one count is divided by; null where that is 0, so the value is not defined. */
export function denominator(mode: Normalisation, row: number, column: number, sums: Margins): number | null {
  const by =
    mode === "counts"
      ? 1
      : mode === "true"
        ? (sums.rows[row] ?? 0)
        : mode === "predicted"
          ? (sums.columns[column] ?? 0)
          : sums.total;
  return by > 0 ? by : null;
}

/** What values are, where an example may have several classes. */
export const DIVIDED_BY_SETS: Record<Normalisation, string> = {
  counts: "examples, not divided",
  true: "share of the examples of which the row’s class is true",
  predicted: "share of the examples of which the column’s class is called",
  all: "share of all examples",
};

export const DIVIDED_BY: Record<Normalisation, string> = {
  counts: "examples, not divided",
  true: "share of the true class (a row adds up to 100%)",
  predicted: "share of the predicted class (a column adds up to 100%)",
  all: "share of all examples (the matrix adds up to 100%)",
};

/** The classes that take part in most mistakes, true or predicted, in order of index. */
export function mostConfused(cells: Cells, most: number): Int32Array {
  const errors = new Float64Array(cells.size);
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const count = cells.counts[cell] as number;
    const row = cells.rows[cell] as number;
    const column = cells.columns[cell] as number;
    if (row === column) continue;
    errors[row] = (errors[row] as number) + count;
    errors[column] = (errors[column] as number) + count;
  }
  const ranked = Int32Array.from(errors, (_, index) => index).sort(
    (a, b) => (errors[b] as number) - (errors[a] as number) || a - b,
  );
  return ranked.slice(0, most).sort();
}

/** The cells as they are drawn: in rows from the top, each with the value that its colour tells. */
export interface Drawn {
  readonly size: number;
  /** Cells of the row at a place: starts[place] to starts[place + 1]. */
  readonly starts: Uint32Array;
  /** Place of each cell's row and column. */
  readonly ys: Int32Array;
  readonly xs: Int32Array;
  readonly counts: Float64Array;
  readonly values: Float64Array;
  /** Largest value beside the diagonal, and on it; of a difference, the largest of all without its sign. */
  readonly mostWrong: number;
  readonly mostRight: number;
  /** Whether the values are differences between two models. */
  readonly signed: boolean;
}

/**
 * `order` lists the entries in the order in which they are drawn; the counts of those it leaves out are not drawn. Entries that are
 * `beside` the scale, since they gather what the others do not hold, do not say where it ends.
 */
export function drawnCells(
  cells: Cells,
  sums: Margins,
  order: Int32Array,
  mode: Normalisation,
  beside: (entry: number) => boolean = () => false,
): Drawn {
  const at = new Int32Array(cells.size).fill(-1);
  order.forEach((entry, place) => {
    at[entry] = place;
  });
  const starts = new Uint32Array(order.length + 1);
  const shown = new Uint32Array(cells.counts.length);
  let many = 0;
  for (let cell = 0; cell < shown.length; cell++) {
    const row = cells.rows[cell] as number;
    const column = cells.columns[cell] as number;
    const y = at[row] as number;
    if (y < 0 || (at[column] as number) < 0 || denominator(mode, row, column, sums) === null) continue;
    shown[many++] = cell;
    starts[y + 1] = (starts[y + 1] as number) + 1;
  }
  for (let y = 0; y < order.length; y++) starts[y + 1] = (starts[y + 1] as number) + (starts[y] as number);
  const next = starts.slice();
  const ys = new Int32Array(many);
  const xs = new Int32Array(many);
  const counts = new Float64Array(many);
  const values = new Float64Array(many);
  let [mostWrong, mostRight] = [0, 0];
  for (let place = 0; place < many; place++) {
    const cell = shown[place] as number;
    const row = cells.rows[cell] as number;
    const column = cells.columns[cell] as number;
    const y = at[row] as number;
    const put = next[y] as number;
    next[y] = put + 1;
    const count = cells.counts[cell] as number;
    const value = count / (denominator(mode, row, column, sums) as number);
    ys[put] = y;
    xs[put] = at[column] as number;
    counts[put] = count;
    values[put] = value;
    if (beside(row) || beside(column)) continue;
    if (row === column) mostRight = Math.max(mostRight, value);
    else mostWrong = Math.max(mostWrong, value);
  }
  return { size: order.length, starts, ys, xs, counts, values, mostWrong, mostRight, signed: false };
}

/** The drawn cell at a row and column, or -1. */
export function cellAt(drawn: Drawn, y: number, x: number): number {
  for (let cell = drawn.starts[y] ?? 0; cell < (drawn.starts[y + 1] ?? 0); cell++)
    if (drawn.xs[cell] === x) return cell;
  return -1;
}

/** What the new cells have more than the old ones, by count and by value; a share minus a share is in points. */
export function difference(next: Drawn, before: Drawn): Drawn {
  const most = next.values.length + before.values.length;
  const [ys, xs] = [new Int32Array(most), new Int32Array(most)];
  const [counts, values] = [new Float64Array(most), new Float64Array(most)];
  const starts = new Uint32Array(next.size + 1);
  let [many, largest] = [0, 0];
  const place = new Map<number, number>();
  for (let y = 0; y < next.size; y++) {
    place.clear();
    for (const [drawn, sign] of [
      [next, 1],
      [before, -1],
    ] as const)
      for (let cell = drawn.starts[y] as number; cell < (drawn.starts[y + 1] as number); cell++) {
        const x = drawn.xs[cell] as number;
        const at = place.get(x) ?? many++;
        place.set(x, at);
        ys[at] = y;
        xs[at] = x;
        counts[at] = (counts[at] as number) + sign * (drawn.counts[cell] as number);
        values[at] = (values[at] as number) + sign * (drawn.values[cell] as number);
      }
    starts[y + 1] = many;
    for (const at of place.values()) largest = Math.max(largest, Math.abs(values[at] as number));
  }
  const [cut, cutValues] = [(all: Int32Array) => all.slice(0, many), (all: Float64Array) => all.slice(0, many)];
  return {
    size: next.size,
    starts,
    ys: cut(ys),
    xs: cut(xs),
    counts: cutValues(counts),
    values: cutValues(values),
    mostWrong: largest,
    mostRight: largest,
    signed: true,
  };
}

/**
 * How strong a colour is: by the square root, so that one mistake is seen beside a hundred. Of a difference, a place around the
 * middle of a map of signed values.
 */
export function tone(drawn: Drawn, cell: number): number {
  const value = drawn.values[cell] as number;
  const most = drawn.xs[cell] === drawn.ys[cell] ? drawn.mostRight : drawn.mostWrong;
  const share = most > 0 ? Math.min(1, Math.sqrt(Math.abs(value) / most)) : 1;
  return drawn.signed ? 0.5 + 0.5 * Math.sign(value) * share : 0.08 + 0.92 * share;
}
