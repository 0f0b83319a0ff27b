/** From a selection to the rows that it holds: one pass of typed arrays for each part that is set. */
import { inCells } from "../measures/sets";
import type { Examples } from "../record/examples";
import type { Range, Selection } from "./selection";

type Test = (row: number) => boolean;

/** Classes up to this number are looked up in a table. */
const MOST_MARKED = 1 << 24;

/** Rows in ascending order. `classes` is how many there are, which matters where an example may have several. A range is closed at both ends; a number that is not defined lies in no range. */
export function selectRows(examples: Examples, selection: Selection, classes = 0): Uint32Array {
  const tests = testsOf(examples, selection, classes);
  const listed = selection.rows;
  let rows: Uint32Array = listed
    ? Uint32Array.from(new Set(listed.filter((row) => examples.has(row)))).sort()
    : everyRow(examples.count);
  for (const test of tests) rows = keep(rows, test);
  return rows;
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

function keep(rows: Uint32Array, test: Test): Uint32Array {
  const kept = new Uint32Array(rows.length);
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if (test(row)) kept[count++] = row;
  }
  return kept.slice(0, count);
}

function testsOf(examples: Examples, selection: Selection, classes: number): Test[] {
  const { targets, predictions, losses, confidences } = examples;
  const tests: Test[] = [];
  if (examples.hasSets && selection.true.length + selection.predicted.length > 0) {
    const [is, called] = [new Set(selection.true), new Set(selection.predicted)];
    tests.push((row) => inCells(examples, row, classes, is, called));
  } else {
    if (selection.true.length > 0) tests.push(among(targets, selection.true));
    if (selection.predicted.length > 0) tests.push(among(predictions, selection.predicted));
  }
  if (selection.class.length > 0) {
    const isTrue = among(targets, selection.class);
    const isPredicted = among(predictions, selection.class);
    tests.push((row) => isTrue(row) || isPredicted(row));
  }
  if (selection.outcome) {
    const wanted = selection.outcome === "right";
    tests.push((row) => {
      const target = targets[row] as number;
      const prediction = predictions[row] as number;
      return target >= 0 && prediction >= 0 && (target === prediction) === wanted;
    });
  }
  if (selection.losses) tests.push(within(losses, selection.losses));
  if (selection.confidences) tests.push(within(confidences, selection.confidences));
  for (const [name, value] of Object.entries(selection.columns)) {
    const column = examples.columns.get(name);
    // A column that the record does not have holds this value nowhere.
    if (!column) tests.push(() => false);
    else {
      const codes = column.codes;
      const code = column.values.indexOf(value);
      tests.push((row) => codes[row] === code);
    }
  }
  return tests;
}

function among(values: Int32Array, wanted: readonly number[]): Test {
  const [only] = wanted;
  if (wanted.length === 1) return (row) => values[row] === only;
  const most = wanted.reduce((larger, value) => Math.max(larger, value), 0);
  if (most > MOST_MARKED) {
    const set = new Set(wanted);
    return (row) => set.has(values[row] as number);
  }
  const is = new Uint8Array(most + 1);
  for (const value of wanted) is[value] = 1;
  return (row) => is[values[row] as number] === 1;
}

function within(values: Float32Array | Float64Array, { low, high }: Range): Test {
  return (row) => {
    const value = values[row] as number;
    return value >= low && value <= high;
  };
}
