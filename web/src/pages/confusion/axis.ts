/** What stands as a row and as a column: a class, a concept above classes, or all the others together. */
import { count } from "../../marks/format";
import type { Cells, Margins } from "./matrix";
import { frontier, kindsOf, type Tree } from "./tree";

export interface Entry {
  readonly name: string;
  readonly classes: Int32Array;
  /** Of the hierarchy, where it stands for one of its concepts. */
  readonly concept: number | null;
  /** The classes that a subset leaves out, so that no count is missing. */
  readonly other: boolean;
}

export interface Axis {
  readonly entries: readonly Entry[];
  /** Entry of each class. */
  readonly of: Int32Array;
}

type NameOf = (index: number) => string;

const entryOf = (name: string, classes: Int32Array, more: Partial<Entry> = {}): Entry => ({
  name,
  classes,
  concept: null,
  other: false,
  ...more,
});

/** A row for each class, in this order; for the classes that it leaves out, one more. */
export function classAxis(order: Int32Array, classes: number, nameOf: NameOf): Axis {
  const entries = Array.from(order, (index) => entryOf(nameOf(index), Int32Array.of(index)));
  if (order.length < classes) {
    const kept = new Set(order);
    const others = Int32Array.from({ length: classes }, (_, index) => index).filter((index) => !kept.has(index));
    entries.push(entryOf(`other (${count(others.length)} classes)`, others, { other: true }));
  }
  return placed(entries, classes);
}

/** A row for each concept at a depth of the hierarchy; see `frontier`. */
export function conceptAxis(
  tree: Tree,
  depth: number,
  turned: ReadonlySet<number>,
  classes: number,
  nameOf: NameOf,
): Axis {
  const entries = frontier(tree, depth, turned).map((node) => {
    const kinds = kindsOf(tree, node);
    const concept = (tree.children[node]?.length ?? 0) > 0;
    const name = concept ? `${tree.names[node] ?? ""} (${kinds.length})` : nameOf(kinds[0] ?? -1);
    return entryOf(name, kinds, concept ? { concept: node } : {});
  });
  return placed(entries, classes);
}

function placed(entries: readonly Entry[], classes: number): Axis {
  const of = new Int32Array(classes).fill(-1);
  entries.forEach((entry, place) => {
    for (const index of entry.classes) of[index] = place;
  });
  return { entries, of };
}

/** Counts between classes as counts between entries; exact. Margins of their own are added up, a group once for each of its classes. */
export function gathered(cells: Cells, axis: Axis): Cells {
  const size = axis.entries.length;
  const sums = new Map<number, number>();
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const row = axis.of[cells.rows[cell] as number] ?? -1;
    const column = axis.of[cells.columns[cell] as number] ?? -1;
    if (row < 0 || column < 0) continue;
    const code = row * size + column;
    sums.set(code, (sums.get(code) ?? 0) + (cells.counts[cell] as number));
  }
  const codes = Float64Array.from(sums.keys()).sort();
  return {
    size,
    rows: Int32Array.from(codes, (code) => Math.floor(code / size)),
    columns: Int32Array.from(codes, (code) => code % size),
    counts: codes.map((code) => sums.get(code) as number),
    ...(cells.margins ? { margins: gatheredMargins(cells.margins, axis) } : {}),
  };
}

function gatheredMargins({ rows, columns, total }: Margins, axis: Axis): Margins {
  const added = (of: Float64Array) =>
    Float64Array.from(axis.entries, (entry) => entry.classes.reduce((sum, index) => sum + (of[index] ?? 0), 0));
  return { rows: added(rows), columns: added(columns), total };
}

/** The places whose entries hold exactly these classes together, where they follow one another; null where they do not. */
export function spanOf(axis: Axis, order: Int32Array, classes: readonly number[]): readonly [number, number] | null {
  if (classes.length === 0) return null;
  const wanted = new Set(classes);
  let [first, last, covered] = [-1, -1, 0];
  for (let place = 0; place < order.length; place++) {
    const entry = axis.entries[order[place] as number];
    const held = entry?.classes.reduce((sum, index) => sum + (wanted.has(index) ? 1 : 0), 0) ?? 0;
    if (held === 0) continue;
    if (held !== entry?.classes.length || (last >= 0 && place !== last + 1)) return null;
    if (first < 0) first = place;
    last = place;
    covered += held;
  }
  return covered === wanted.size ? [first, last] : null;
}

/** The classes of the entries at places `first` to `last`, ascending. */
export function classesIn(axis: Axis, order: Int32Array, first: number, last: number): number[] {
  const found: number[] = [];
  for (let place = first; place <= last; place++)
    for (const index of axis.entries[order[place] as number]?.classes ?? []) found.push(index);
  return found.sort((a, b) => a - b);
}
