/** Rows side by side by their code, in one counting sort: those of a class, a pair or a value, without looking at any other row. */

/** The rows of `code` stand at starts[code] to starts[code + 1], in the order in which they came. */
export interface Listed {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** The rows by what `codes` has of each: from `least` on, `size` of them. */
export function listedBy(rows: Uint32Array, codes: Int32Array | Uint8Array, size: number, least = 0): Listed {
  const starts = new Uint32Array(size + 1);
  for (let place = 0; place < rows.length; place++) {
    const after = (codes[rows[place] as number] as number) - least + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let code = 0; code < size; code++) starts[code + 1] = (starts[code + 1] as number) + (starts[code] as number);
  const next = starts.slice();
  const listed = new Uint32Array(rows.length);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const code = (codes[row] as number) - least;
    const at = next[code] as number;
    listed[at] = row;
    next[code] = at + 1;
  }
  return { starts, rows: listed };
}

/** The rows of a code, none of one beyond all; not to be written to. */
export function rowsAt({ starts, rows }: Listed, code: number): Uint32Array {
  return code < 0 || code + 1 >= starts.length ? rows.subarray(0, 0) : rows.subarray(starts[code], starts[code + 1]);
}
