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

export interface Pair {
  readonly true: number;
  readonly predicted: number;
}

/**
 * The classes that are confused with one another, in order of index: the ends of the pairs that are `listed`, then those of the cells
 * that hold most mistakes, both ends of a pair together, so that each is a cell among them. Where nothing is mistaken, the classes with
 * most examples. `last` stands for nothing where an example may have several classes (else -1): it is always among them.
 */
export function mostConfused(cells: Cells, most: number, listed: readonly Pair[] = [], last = -1): Int32Array {
  const kept = new Set<number>(last >= 0 ? [last] : []);
  const take = (one: number, other: number) => {
    const ends = [...new Set([one, other])].filter((end) => !kept.has(end));
    if (kept.size + ends.length <= most) for (const end of ends) kept.add(end);
  };
  for (const pair of listed) take(pair.true, pair.predicted);
  for (const cell of heaviest(cells, most * most, last))
    take(cells.rows[cell] as number, cells.columns[cell] as number);
  if (kept.size <= Number(last >= 0)) {
    const { rows } = margins(cells);
    const ranked = Int32Array.from(rows, (_, index) => index).sort(
      (a, b) => (rows[b] as number) - (rows[a] as number) || a - b,
    );
    for (const index of ranked) take(index, index);
  }
  return Int32Array.from(kept).sort();
}

/**
 * At most so many mistakes, those with most examples first; none with `last`. Among n classes there are fewer than n² of them: who looks
 * for the pairs of n classes need look no further.
 */
function heaviest(cells: Cells, most: number, last: number): number[] {
  const mistake = (cell: number) =>
    cells.rows[cell] !== cells.columns[cell] && cells.rows[cell] !== last && cells.columns[cell] !== last;
  const counts = cells.counts.filter((_, cell) => mistake(cell)).sort();
  const least = counts[Math.max(0, counts.length - most)] ?? 0;
  // Thousands may hold as few: the first of them do.
  let equal = most - counts.length + counts.findLastIndex((count) => count <= least) + 1;
  const found: number[] = [];
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const count = cells.counts[cell] as number;
    if (count < least || !mistake(cell) || (count === least && equal-- <= 0)) continue;
    found.push(cell);
  }
  return found.sort((a, b) => (cells.counts[b] as number) - (cells.counts[a] as number) || a - b);
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
  /** Place of the row and column that gather what the others do not hold, or -1; their largest value beside the diagonal, without its sign. */
  readonly apart: number;
  readonly mostApart: number;
  /** Whether the values are differences between two models. */
  readonly signed: boolean;
}

/**
 * `order` lists the entries in the order in which they are drawn; the counts of those it leaves out are not drawn. The entry `other`,
 * or -1, gathers what the others do not hold: it has a scale of its own, and does not say where theirs ends.
 */
export function drawnCells(cells: Cells, sums: Margins, order: Int32Array, mode: Normalisation, other = -1): Drawn {
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
  let [mostWrong, mostRight, mostApart] = [0, 0, 0];
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
    if (row === other || column === other) mostApart = row === column ? mostApart : Math.max(mostApart, value);
    else if (row === column) mostRight = Math.max(mostRight, value);
    else mostWrong = Math.max(mostWrong, value);
  }
  const apart = at[other] ?? -1;
  return { size: order.length, starts, ys, xs, counts, values, mostWrong, mostRight, apart, mostApart, signed: false };
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
  let [many, largest, mostApart] = [0, 0, 0];
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
    for (const [x, at] of place) {
      const value = Math.abs(values[at] as number);
      if (x === next.apart || y === next.apart) mostApart = x === y ? mostApart : Math.max(mostApart, value);
      else largest = Math.max(largest, value);
    }
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
    apart: next.apart,
    mostApart,
    signed: true,
  };
}

/** What gathers the others is drawn no stronger than this: it is not what is looked for. */
const PALE = 0.4;

/**
 * How strong a colour is: by the square root, so that one mistake is seen beside a hundred. Of a difference, a place around the
 * middle of a map of signed values.
 */
export function tone(drawn: Drawn, cell: number): number {
  const value = drawn.values[cell] as number;
  const [x, y] = [drawn.xs[cell], drawn.ys[cell]];
  const apart = x === drawn.apart || y === drawn.apart;
  const most = apart ? drawn.mostApart : x === y ? drawn.mostRight : drawn.mostWrong;
  const share = (most > 0 ? Math.min(1, Math.sqrt(Math.abs(value) / most)) : 1) * (apart ? PALE : 1);
  return drawn.signed ? 0.5 + 0.5 * Math.sign(value) * share : 0.08 + 0.92 * share;
}
