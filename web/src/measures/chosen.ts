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

/** Of a selection of more than so much of all, the rest is counted in its place. */
const MOST = 5 / 8;

/** The rows that are not among `rows`, of `count` in all, where those are most but not all; made once for a selection. */
export function restOf(rows: Uint32Array, count: number): Uint32Array | null {
  return rows.length > MOST * count && rows.length < count ? unmarked(rows, count) : null;
}

const unmarked = remembered((rows: Uint32Array, count: number): Uint32Array => {
  const marked = marksOf(rows, count);
  // One more: the last row is written behind the rest where it is not of it.
  const rest = new Uint32Array(count - rows.length + 1);
  let many = 0;
  for (let row = 0; row < count; row++) {
    rest[many] = row;
    many += 1 - (marked[row] as number);
  }
  return rest.subarray(0, count - rows.length);
});

let all: Uint32Array = new Uint32Array(0);

/** 0, 1, 2, ...: made once, since it is the answer to an empty selection. */
export function everyRow(count: number): Uint32Array {
  if (all.length !== count) {
    all = new Uint32Array(count);
    for (let row = 0; row < count; row++) all[row] = row;
  }
  return all;
}

/**
 * Remembers what was made of the rows of a selection and a column, as long as both are there: pages ask more than once, and the
 * selection of all is always there.
 */
export function ofSelection<Column extends object, Rest extends readonly unknown[], Made>(
  make: (rows: Uint32Array, column: Column, ...rest: Rest) => Made,
): (rows: Uint32Array, column: Column, ...rest: Rest) => Made {
  const kept = new WeakMap<Uint32Array, (column: Column, ...rest: Rest) => Made>();
  return (rows, column, ...rest) => {
    const known = kept.get(rows) ?? remembered((of: Column, ...more: Rest) => make(rows, of, ...more));
    kept.set(rows, known);
    return known(column, ...rest);
  };
}

/** Room for so many at first. */
const FIRST = 64;

/**
 * Of an order of all `count` rows those that are selected, found as far as someone looks: a page shows the first of them, and a
 * table those in view.
 */
export class Ordered {
  readonly length: number;
  readonly #order: Uint32Array;
  readonly #marks: Uint8Array;
  #found = new Uint32Array(FIRST);
  /** How many were found, and where in the order of all to look for the next. */
  #many = 0;
  #next = 0;

  /** `length` is how many of the rows stand in the order. */
  constructor(order: Uint32Array, rows: Uint32Array, count: number, length = rows.length) {
    this.length = length;
    this.#order = order;
    this.#marks = marksOf(rows, count);
  }

  /** -1 behind the last. */
  at(place: number): number {
    return place >= 0 && place < this.length && this.#upTo(place + 1) > place ? (this.#found[place] as number) : -1;
  }

  first(many: number): Uint32Array {
    return this.#found.subarray(0, this.#upTo(Math.min(many, this.length)));
  }

  #upTo(wanted: number): number {
    for (; this.#many < wanted && this.#next < this.#order.length; this.#next++) {
      const row = this.#order[this.#next] as number;
      if (this.#marks[row] === 0) continue;
      if (this.#many === this.#found.length) this.#grow();
      this.#found[this.#many++] = row;
    }
    return Math.min(wanted, this.#many);
  }

  #grow(): void {
    const found = new Uint32Array(2 * this.#found.length);
    found.set(this.#found);
    this.#found = found;
  }
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
