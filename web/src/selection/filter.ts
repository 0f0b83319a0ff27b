/** From a selection to the rows that it holds: one pass of typed arrays for each part that is set. */
import { inCells } from "../measures/sets";
import type { Examples } from "../record/examples";
import { type Range, rangeOf, type Selection } from "./selection";

/** Takes the mark from every row that does not fit; loops of their own, since a call for each row costs more than the test. */
type Test = (marks: Uint8Array) => void;

/** Classes up to this number are looked up in a table. */
const MOST_MARKED = 1 << 24;

/**
 * Rows in ascending order. `classes` is how many there are, which matters where an example may have several. A range is closed at
 * both ends; a number that is not defined lies in no range.
 */
export function selectRows(examples: Examples, selection: Selection, classes = 0): Uint32Array {
  const tests = testsOf(examples, selection, classes);
  const listed = selection.rows;
  if (tests.length === 0 && !listed) return everyRow(examples.count);
  const marks = marksFor(examples.count);
  if (listed) {
    marks.fill(0);
    for (const row of listed) if (examples.has(row)) marks[row] = 1;
  } else marks.fill(1);
  for (const test of tests) test(marks);
  return marked(marks);
}

let all: Uint32Array = new Uint32Array(0);

/** 0, 1, 2, ...: made once, since it is the answer to an empty selection. */
function everyRow(count: number): Uint32Array {
  if (all.length !== count) {
    all = new Uint32Array(count);
    for (let row = 0; row < count; row++) all[row] = row;
  }
  return all;
}

let marksKept = new Uint8Array(0);
let rowsKept = new Uint32Array(0);

function marksFor(count: number): Uint8Array {
  if (marksKept.length !== count) {
    marksKept = new Uint8Array(count);
    rowsKept = new Uint32Array(count + 1);
  }
  return marksKept;
}

/** Rows that have a mark. Each is written, and the next one over it where it has none: without a branch to guess. */
function marked(marks: Uint8Array): Uint32Array {
  const rows = rowsKept;
  let many = 0;
  for (let row = 0; row < marks.length; row++) {
    rows[many] = row;
    many += marks[row] as number;
  }
  return rows.slice(0, many);
}

function testsOf(examples: Examples, selection: Selection, classes: number): Test[] {
  const { targets, predictions, losses, confidences } = examples;
  const tests: Test[] = [];
  if (examples.hasSets && selection.true.length + selection.predicted.length > 0) {
    const [is, called] = [new Set(selection.true), new Set(selection.predicted)];
    tests.push((marks) => {
      for (let row = 0; row < marks.length; row++)
        if (marks[row] === 1 && !inCells(examples, row, classes, is, called)) marks[row] = 0;
    });
  } else {
    if (selection.true.length > 0) tests.push(among(targets, selection.true));
    if (selection.predicted.length > 0) tests.push(among(predictions, selection.predicted));
  }
  if (selection.class.length > 0) tests.push(eitherAmong(targets, predictions, selection.class));
  if (selection.outcome) tests.push(answered(targets, predictions, selection.outcome === "right"));
  if (selection.losses) tests.push(within(losses, selection.losses));
  if (selection.confidences) tests.push(within(confidences, selection.confidences));
  for (const [name, value] of Object.entries(selection.columns)) {
    const column = examples.columns.get(name);
    const bounds = column?.numeric ? rangeOf(value) : null;
    if (column && bounds) {
      tests.push(within(column.numbers, bounds));
      continue;
    }
    // A column that the record does not have holds this value nowhere.
    const code = column ? column.values.indexOf(value) : -1;
    if (!column || code < 0) tests.push((marks) => marks.fill(0));
    else tests.push(equal(column.codes, code));
  }
  return tests;
}

function equal(values: Int32Array, wanted: number): Test {
  return (marks) => {
    for (let row = 0; row < marks.length; row++) if (values[row] !== wanted) marks[row] = 0;
  };
}

function among(values: Int32Array, wanted: readonly number[]): Test {
  const [only] = wanted;
  if (wanted.length === 1 && only !== undefined) return equal(values, only);
  const is = membersOf(wanted);
  return (marks) => {
    for (let row = 0; row < marks.length; row++) if (!is(values[row] as number)) marks[row] = 0;
  };
}

function eitherAmong(values: Int32Array, others: Int32Array, wanted: readonly number[]): Test {
  const is = membersOf(wanted);
  return (marks) => {
    for (let row = 0; row < marks.length; row++)
      if (!is(values[row] as number) && !is(others[row] as number)) marks[row] = 0;
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

function answered(targets: Int32Array, predictions: Int32Array, right: boolean): Test {
  return (marks) => {
    for (let row = 0; row < marks.length; row++) {
      const target = targets[row] as number;
      const prediction = predictions[row] as number;
      if (target < 0 || prediction < 0 || (target === prediction) !== right) marks[row] = 0;
    }
  };
}

function within(values: Float32Array | Float64Array, { low, high }: Range): Test {
  return (marks) => {
    for (let row = 0; row < marks.length; row++) {
      const value = values[row] as number;
      if (!(value >= low && value <= high)) marks[row] = 0;
    }
  };
}
