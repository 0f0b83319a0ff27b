/** What many measures of a selection need, made once: who is in it, and those in it in an order that all have. */

const marks = new WeakMap<Uint32Array, Uint8Array>();

/** 1 at each row that is among `rows`, of `count` in all; made once for a selection. */
export function marksOf(rows: Uint32Array, count: number): Uint8Array {
  const known = marks.get(rows);
  if (known?.length === count) return known;
  const made = new Uint8Array(count);
  if (rows.length === count) made.fill(1);
  else for (let place = 0; place < rows.length; place++) made[rows[place] as number] = 1;
  marks.set(rows, made);
  return made;
}

let picked = new Uint32Array(0);

/** Of `order`, the entries that are among `rows`, of `count` in all: what sorting `rows` the same way would give. */
export function inOrder(order: Uint32Array, rows: Uint32Array, count: number): Uint32Array {
  if (rows.length === count && order.length === count) return order;
  const marked = marksOf(rows, count);
  if (picked.length <= order.length) picked = new Uint32Array(order.length + 1);
  const kept = picked;
  let many = 0;
  for (let place = 0; place < order.length; place++) {
    const row = order[place] as number;
    kept[many] = row;
    many += marked[row] as number;
  }
  return kept.slice(0, many);
}

/** Remembers, by a column of the record or by the rows of a selection, what was last made of it: pages ask more than once. */
export function remembered<Column extends object, Rest extends readonly unknown[], Made>(
  make: (column: Column, ...rest: Rest) => Made,
): (column: Column, ...rest: Rest) => Made {
  const kept = new WeakMap<Column, { rest: Rest; made: Made }>();
  return (column, ...rest) => {
    const last = kept.get(column);
    if (last?.rest.every((one, place) => one === rest[place])) return last.made;
    const made = make(column, ...rest);
    kept.set(column, { rest, made });
    return made;
  };
}
