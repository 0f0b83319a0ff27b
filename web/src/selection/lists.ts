/** The rows of each value of a column side by side: what a selection of one class or one value is, without looking at any other row. */
import { remembered } from "../measures/chosen";

/** Rows by value: those of `value` stand at starts[value - least] to starts[value - least + 1], in ascending order. */
interface Lists {
  readonly least: number;
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** Rows in ascending order. The lists are made once for a column by one counting sort; what is given is not to be written to. */
export function rowsOf(values: Int32Array | Uint8Array, value: number): Uint32Array {
  const { least, starts, rows } = listsOf(values);
  const at = value - least;
  return at < 0 || at + 1 >= starts.length ? rows.subarray(0, 0) : rows.subarray(starts[at], starts[at + 1]);
}

const listsOf = remembered((values: Int32Array | Uint8Array): Lists => {
  let [least, most] = [0, -1];
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const starts = new Uint32Array(most - least + 2);
  for (let row = 0; row < values.length; row++) {
    const after = (values[row] as number) - least + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let at = 1; at < starts.length; at++) starts[at] = (starts[at] as number) + (starts[at - 1] as number);
  const next = starts.slice();
  const rows = new Uint32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const at = (values[row] as number) - least;
    const place = next[at] as number;
    rows[place] = row;
    next[at] = place + 1;
  }
  return { least, starts, rows };
});
