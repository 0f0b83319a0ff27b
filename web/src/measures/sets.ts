/** What is called in place of what, where an example may have several classes; the twin of pellucid.measures.set_confusion. */
import type { Examples } from "../record/examples";
import type { ConfusionCounts, Margins } from "./confusion";

/** Both sets of an example; null where one is not known. */
export type Sets = Pick<Examples, "classesOf" | "calledOf">;

/**
 * Cells in order; row and column `classes` stand for nothing. Their margins count examples, each once for a class: the diagonal
 * divided by them is recall and precision. Source: Heydarian, Doyle & Samavi 2022, IEEE Access 10:19083.
 */
export function setConfusionOf(
  selected: Uint32Array,
  sets: Sets,
  classes: number,
): ConfusionCounts & { readonly margins: Margins } {
  const counts = new Map<number, number>();
  const size = classes + 1;
  const [is, called] = [new Float64Array(size), new Float64Array(size)];
  let total = 0;
  const count = (of: Float64Array, index: number) => {
    of[index] = (of[index] as number) + 1;
  };
  const add = (row: number, column: number) =>
    counts.set(row * size + column, (counts.get(row * size + column) ?? 0) + 1);
  for (const row of selected) {
    const parts = partsOf(sets, row, classes);
    if (!parts) continue;
    total += 1;
    for (const index of parts.right) {
      add(index, index);
      count(is, index);
      count(called, index);
    }
    for (const missed of parts.missed) count(is, missed);
    for (const invented of parts.invented) count(called, invented);
    for (const missed of parts.missed) for (const invented of parts.invented) add(missed, invented);
  }
  const codes = Float64Array.from(counts.keys()).sort();
  return {
    rows: Int32Array.from(codes, (code) => Math.floor(code / size)),
    columns: Int32Array.from(codes, (code) => code % size),
    counts: codes.map((code) => counts.get(code) as number),
    margins: { rows: is, columns: called, total },
  };
}

export interface Parts {
  readonly right: readonly number[];
  /** With `classes`, which stands for nothing, where something was called and nothing missed. */
  readonly missed: readonly number[];
  /** The reverse. */
  readonly invented: readonly number[];
}

/** What of an example was right, missed and invented; null where a set is not known. */
export function partsOf(sets: Sets, row: number, classes: number): Parts | null {
  const [true_, called] = [sets.classesOf(row), sets.calledOf(row)];
  if (!true_ || !called) return null;
  const [is, isCalled] = [new Set(true_), new Set(called)];
  const missed = true_.filter((index) => !isCalled.has(index));
  const invented = called.filter((index) => !is.has(index));
  return {
    right: true_.filter((index) => isCalled.has(index)),
    missed: missed.length === 0 && invented.length > 0 ? [classes] : missed,
    invented: invented.length === 0 && missed.length > 0 ? [classes] : invented,
  };
}

/** Whether an example stands in a cell of these rows and columns; without columns, whether a row's class is true, and so on. */
export function inCells(
  sets: Sets,
  row: number,
  classes: number,
  rows: ReadonlySet<number>,
  columns: ReadonlySet<number>,
): boolean {
  const parts = partsOf(sets, row, classes);
  if (!parts) return false;
  const any = (values: readonly number[], wanted: ReadonlySet<number>) => values.some((value) => wanted.has(value));
  if (columns.size === 0) return any(parts.right, rows) || any(parts.missed, rows);
  if (rows.size === 0) return any(parts.right, columns) || any(parts.invented, columns);
  return (
    parts.right.some((index) => rows.has(index) && columns.has(index)) ||
    (any(parts.missed, rows) && any(parts.invented, columns))
  );
}
