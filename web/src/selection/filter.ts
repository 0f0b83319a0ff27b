/** From a selection to the rows that it holds: a value's rows are listed already, and every other part keeps some of them. */
import { outcomesOf, RIGHT, WRONG } from "../measures/accuracy";
import { everyRow } from "../measures/chosen";
import { inCells } from "../measures/sets";
import type { Examples } from "../record/examples";
import { rowsOf } from "./lists";
import { type Range, rangeOf, type Selection } from "./selection";

/**
 * Of the first `many` of `rows` writes those that fit to `kept`, in their order, and says how many they are. Each is written, and the
 * next one over it where it does not fit: without a branch to guess. `kept` may be `rows`.
 */
type Keep = (rows: Uint32Array, many: number, kept: Uint32Array) => number;

interface Parts {
  /** Rows of a value, ascending: the selection lies within each of them. */
  readonly lists: Uint32Array[];
  readonly keeps: Keep[];
}

/** Classes up to this number are looked up in a table. */
const MOST_MARKED = 1 << 24;

/**
 * Rows in ascending order. `classes` is how many there are, which matters where an example may have several. A range is closed at
 * both ends; a number that is not defined lies in no range.
 */
export function selectRows(examples: Examples, selection: Selection, classes = 0): Uint32Array {
  const { lists, keeps } = partsOf(examples, selection, classes);
  if (selection.rows) lists.push(listed(examples, selection.rows));
  lists.sort((one, other) => one.length - other.length);
  const [shortest = everyRow(examples.count), ...others] = lists;
  if (others.length === 0 && keeps.length === 0) return shortest;
  const kept = roomFor(examples.count);
  let [from, many] = [shortest, shortest.length];
  for (const keep of [...others.map(inList), ...keeps]) {
    many = keep(from, many, kept);
    from = kept;
  }
  return kept.slice(0, many);
}

let room = new Uint32Array(0);

function roomFor(count: number): Uint32Array {
  if (room.length !== count) room = new Uint32Array(count);
  return room;
}

/** Rows that were named, those that exist, once each. */
function listed(examples: Examples, rows: readonly number[]): Uint32Array {
  return Uint32Array.from(new Set(rows.filter((row) => examples.has(row)))).sort();
}

function partsOf(examples: Examples, selection: Selection, classes: number): Parts {
  const { targets, predictions, losses, confidences } = examples;
  const parts: Parts = { lists: [], keeps: [] };
  if (examples.hasSets && selection.true.length + selection.predicted.length > 0) {
    const [is, called] = [new Set(selection.true), new Set(selection.predicted)];
    parts.keeps.push(fitting((row) => inCells(examples, row, classes, is, called)));
  } else {
    among(targets, selection.true, parts);
    among(predictions, selection.predicted, parts);
  }
  if (selection.class.length > 0) parts.keeps.push(eitherAmong(targets, predictions, selection.class));
  if (selection.outcome)
    parts.lists.push(rowsOf(outcomesOf(predictions, targets), selection.outcome === "right" ? RIGHT : WRONG));
  if (selection.losses) parts.keeps.push(within(losses, selection.losses));
  if (selection.confidences) parts.keeps.push(within(confidences, selection.confidences));
  for (const [name, value] of Object.entries(selection.columns)) {
    const column = examples.columns.get(name);
    const bounds = column?.numeric ? rangeOf(value) : null;
    if (column && bounds) parts.keeps.push(within(column.numbers, bounds));
    // A column that the record does not have holds this value nowhere.
    else parts.lists.push(column ? rowsOf(column.codes, column.values.indexOf(value)) : new Uint32Array(0));
  }
  return parts;
}

function among(values: Int32Array, wanted: readonly number[], { lists, keeps }: Parts): void {
  const [only] = wanted;
  if (only === undefined) return;
  if (wanted.length === 1) lists.push(rowsOf(values, only));
  else {
    const is = membersOf(wanted);
    keeps.push(fitting((row) => is(values[row] as number)));
  }
}

/** Both lists ascend: one step along either at a time. */
function inList(list: Uint32Array): Keep {
  return (rows, many, kept) => {
    let [found, at] = [0, 0];
    for (let place = 0; place < many; place++) {
      const row = rows[place] as number;
      while (at < list.length && (list[at] as number) < row) at += 1;
      if (list[at] === row) kept[found++] = row;
    }
    return found;
  };
}

function fitting(fits: (row: number) => boolean): Keep {
  return (rows, many, kept) => {
    let found = 0;
    for (let place = 0; place < many; place++) {
      const row = rows[place] as number;
      if (fits(row)) kept[found++] = row;
    }
    return found;
  };
}

function eitherAmong(values: Int32Array, others: Int32Array, wanted: readonly number[]): Keep {
  const [only = -1] = wanted;
  if (wanted.length > 1) {
    const is = membersOf(wanted);
    return fitting((row) => is(values[row] as number) || is(others[row] as number));
  }
  return (rows, many, kept) => {
    let found = 0;
    for (let place = 0; place < many; place++) {
      const row = rows[place] as number;
      kept[found] = row;
      found += Number(values[row] === only) | Number(others[row] === only);
    }
    return found;
  };
}

function membersOf(wanted: readonly number[]): (value: number) => boolean {
  const most = wanted.reduce((larger, value) => Math.max(larger, value), 0);
  if (most > MOST_MARKED) {
    const set = new Set(wanted);
    return (value) => set.has(value);
  }
  const is = new Uint8Array(most + 1);
  for (const value of wanted) is[value] = 1;
  return (value) => is[value] === 1;
}

function within(values: Float32Array | Float64Array, { low, high }: Range): Keep {
  return (rows, many, kept) => {
    let found = 0;
    for (let place = 0; place < many; place++) {
      const row = rows[place] as number;
      const value = values[row] as number;
      kept[found] = row;
      found += Number(value >= low) & Number(value <= high);
    }
    return found;
  };
}
