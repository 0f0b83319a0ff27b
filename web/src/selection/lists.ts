/** The rows of each value of a column side by side: what a selection of one class or one value is, without looking at any other row. */
import { everyRow, remembered } from "../measures/chosen";
import { listedBy, rowsAt } from "../measures/listed";

/** Rows in ascending order. The lists are made once for a column; what is given is not to be written to. */
export function rowsOf(values: Int32Array | Uint8Array, value: number): Uint32Array {
  const { least, lists } = listsOf(values);
  return rowsAt(lists, value - least);
}

const listsOf = remembered((values: Int32Array | Uint8Array) => {
  let [least, most] = [0, -1];
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return { least, lists: listedBy(everyRow(values.length), values, most - least + 1, least) };
});
