/** The confusion matrix as sparse cells, ordered and normalised; rows are true classes, columns predicted ones. */
import type { ConfusionCounts } from "../../measures/confusion";

export type Normalisation = "counts" | "true" | "predicted" | "all";
export type Ordering = "index" | "name" | "frequency" | "similarity";

export interface Cells extends ConfusionCounts {
  readonly classes: number;
}

export interface Margins {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly total: number;
}

export function margins(cells: Cells): Margins {
  const rows = new Float64Array(cells.classes);
  const columns = new Float64Array(cells.classes);
  let total = 0;
  cells.counts.forEach((count, index) => {
    const row = cells.rows[index] ?? 0;
    const column = cells.columns[index] ?? 0;
    rows[row] = (rows[row] ?? 0) + count;
    columns[column] = (columns[column] ?? 0) + count;
    total += count;
  });
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

export const DIVIDED_BY: Record<Normalisation, string> = {
  counts: "examples, not divided",
  true: "share of the true class (a row adds up to 100%)",
  predicted: "share of the predicted class (a column adds up to 100%)",
  all: "share of all examples (the matrix adds up to 100%)",
};

/** Classes in the order in which rows and columns are drawn. */
export function order(mode: Ordering, names: readonly string[], cells: Cells): Int32Array {
  const indices = Int32Array.from(names, (_, index) => index);
  if (mode === "name") {
    const compare = new Intl.Collator(undefined, { numeric: true }).compare;
    return indices.sort((a, b) => compare(names[a] ?? "", names[b] ?? ""));
  }
  if (mode === "frequency") {
    const { rows } = margins(cells);
    return indices.sort((a, b) => (rows[b] ?? 0) - (rows[a] ?? 0) || a - b);
  }
  return mode === "similarity" ? bySimilarity(cells) : indices;
}

/**
 * Puts classes that are taken for one another side by side: greedy merging of chains, the strongest mutual
 * confusion first, each chain turned so that its confused ends meet.
 */
function bySimilarity(cells: Cells): Int32Array {
  const weights = new Map<number, number>();
  cells.counts.forEach((count, index) => {
    const row = cells.rows[index] ?? 0;
    const column = cells.columns[index] ?? 0;
    if (row === column) return;
    const code = Math.min(row, column) * cells.classes + Math.max(row, column);
    weights.set(code, (weights.get(code) ?? 0) + count);
  });
  const chainOf = new Map<number, number[]>();
  for (let index = 0; index < cells.classes; index++) chainOf.set(index, [index]);
  const strongest = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  for (const [code] of strongest) {
    const one = Math.floor(code / cells.classes);
    const other = code % cells.classes;
    const left = chainOf.get(one);
    const right = chainOf.get(other);
    if (!left || !right || left === right) continue;
    if (left[0] === one) left.reverse();
    if (right[right.length - 1] === other) right.reverse();
    const joined = left.concat(right);
    for (const member of joined) chainOf.set(member, joined);
  }
  const chains = [...new Set(chainOf.values())].sort((a, b) => b.length - a.length || (a[0] ?? 0) - (b[0] ?? 0));
  return Int32Array.from(chains.flat());
}

/** The classes that take part in most mistakes, true or predicted, in order of index. */
export function mostConfused(cells: Cells, most: number): Int32Array {
  const errors = new Float64Array(cells.classes);
  cells.counts.forEach((count, index) => {
    const row = cells.rows[index] ?? 0;
    const column = cells.columns[index] ?? 0;
    if (row === column) return;
    errors[row] = (errors[row] ?? 0) + count;
    errors[column] = (errors[column] ?? 0) + count;
  });
  const ranked = Int32Array.from(errors, (_, index) => index).sort(
    (a, b) => (errors[b] ?? 0) - (errors[a] ?? 0) || a - b,
  );
  return ranked.slice(0, most).sort();
}
