/** Orders in which rows and columns can be drawn. */
import { type Cells, margins } from "./matrix";

export type Ordering = "index" | "name" | "frequency" | "similarity" | "hierarchy";

export const ORDERS: Record<Ordering, string> = {
  index: "as in the model",
  name: "by name",
  frequency: "most frequent first",
  similarity: "confused classes together",
  hierarchy: "by the hierarchy",
};

/** The entries of the cells in order; "index" and "hierarchy" leave them as they are. */
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
 * Puts entries that are taken for one another side by side: greedy merging of chains, the strongest mutual
 * confusion first, each chain turned so that its confused ends meet.
 */
function bySimilarity(cells: Cells): Int32Array {
  const weights = new Map<number, number>();
  cells.counts.forEach((count, index) => {
    const row = cells.rows[index] ?? 0;
    const column = cells.columns[index] ?? 0;
    if (row === column) return;
    const code = Math.min(row, column) * cells.size + Math.max(row, column);
    weights.set(code, (weights.get(code) ?? 0) + count);
  });
  const chainOf = new Map<number, number[]>();
  for (let index = 0; index < cells.size; index++) chainOf.set(index, [index]);
  const strongest = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  for (const [code] of strongest) {
    const one = Math.floor(code / cells.size);
    const other = code % cells.size;
    const left = chainOf.get(one);
    const right = chainOf.get(other);
    if (!left || !right || left === right) continue;
    // Only ends can meet: what stands inside a chain has its neighbours.
    if (left[0] === one) left.reverse();
    if (right[right.length - 1] === other) right.reverse();
    const joined = left.concat(right);
    for (const member of joined) chainOf.set(member, joined);
  }
  const chains = [...new Set(chainOf.values())].sort((a, b) => b.length - a.length || (a[0] ?? 0) - (b[0] ?? 0));
  return Int32Array.from(chains.flat());
}
