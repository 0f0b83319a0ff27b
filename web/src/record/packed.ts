/** The examples table of a large record as an exported file holds it; src/pellucid/export_table.py says how it is laid out. */
import type { ColumnLike, TableLike } from "./table";

interface Described {
  readonly name: string;
  readonly kind: "odd" | "whole" | "fraction" | "among" | "numbered" | "texts" | "sparse";
  readonly planes?: number;
  readonly length?: number;
  readonly least?: number;
  readonly digits?: number;
  readonly otherwise?: "target" | "zero" | "exp(-loss)" | null;
  readonly values?: readonly (string | boolean)[];
  readonly rows?: readonly number[];
  readonly prefix?: string;
  readonly first?: number;
  readonly bytes?: number;
}

const FLOAT_TYPE = 3; // Arrow's type ids, which tell class indices from numbers
const INT_TYPE = 2;
const UTF8_TYPE = 5;

/** The table, its columns as typed arrays; NaN and -1 where there is none. Raises where it was cut short. */
export function unpacked(buffer: ArrayBuffer): TableLike {
  const headed = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headed))) as {
    rows: number;
    columns: readonly Described[];
  };
  const reader = new Reader(buffer, 4 + headed, header.rows);
  const columns = new Map<string, ColumnLike>();
  for (const one of header.columns) {
    const column = reader.column(one, columns);
    if (column) columns.set(one.name, column);
  }
  reader.finish(columns);
  return { numRows: header.rows, names: [...columns.keys()], getChild: (name) => columns.get(name) ?? null };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #rows: number;
  #at: number;
  #odd: Uint8Array = new Uint8Array(0);
  /** What follows from a column that comes later. */
  readonly #waiting: ((columns: ReadonlyMap<string, ColumnLike>) => void)[] = [];

  constructor(buffer: ArrayBuffer, at: number, rows: number) {
    this.#bytes = new Uint8Array(buffer);
    this.#at = at;
    this.#rows = rows;
  }

  finish(columns: ReadonlyMap<string, ColumnLike>): void {
    for (const fill of this.#waiting) fill(columns);
  }

  column(one: Described, columns: ReadonlyMap<string, ColumnLike>): ColumnLike | null {
    switch (one.kind) {
      case "odd":
        this.#odd = this.#bits(this.#codes(one));
        return null;
      case "whole":
        return this.#whole(one, columns);
      case "fraction":
        return this.#fraction(one);
      case "among":
        return among(this.#codes(one), one.values ?? []);
      case "texts":
        return this.#texts(one);
      case "numbered": {
        const { prefix = "", first = 0, digits = 0 } = one;
        return column(UTF8_TYPE, this.#rows, (row) => prefix + String(first + row).padStart(digits, "0"));
      }
      case "sparse": {
        const { rows = [], values = [] } = one;
        const known = new Map(rows.map((row, place) => [row, values[place] ?? null]));
        return column(UTF8_TYPE, this.#rows, (row) => known.get(row) ?? null);
      }
    }
  }

  /** Whole numbers from their planes of bytes. */
  #codes({ planes = 0, length = 0 }: Described): Float64Array | Int32Array {
    if (this.#at + planes * length > this.#bytes.length) throw new Error("The examples of this file were cut short.");
    const codes = planes <= 3 ? new Int32Array(length) : new Float64Array(length);
    let scale = 1;
    for (let plane = 0; plane < planes; plane++) {
      const bytes = this.#bytes.subarray(this.#at, this.#at + length);
      for (let place = 0; place < length; place++)
        codes[place] = (codes[place] as number) + scale * (bytes[place] as number);
      this.#at += length;
      scale *= 256;
    }
    return codes;
  }

  #bits(octets: ArrayLike<number>): Uint8Array {
    const bits = new Uint8Array(this.#rows);
    for (let row = 0; row < bits.length; row++) bits[row] = ((octets[row >> 3] as number) >> (7 - (row & 7))) & 1;
    return bits;
  }

  #whole(one: Described, columns: ReadonlyMap<string, ColumnLike>): ColumnLike {
    const codes = this.#codes(one);
    const shift = (one.least ?? 0) - 1;
    const values = codes instanceof Int32Array ? new Int32Array(this.#rows) : new Float64Array(this.#rows);
    const missing = codes instanceof Int32Array ? -1 : Number.NaN;
    const value = (code: number) => (code === 0 ? missing : code + shift);
    if (!one.otherwise) for (let row = 0; row < values.length; row++) values[row] = value(codes[row] as number);
    else {
      const follows = one.otherwise === "target" ? columns.get("target")?.data[0]?.values : null;
      let next = 0;
      for (let row = 0; row < values.length; row++)
        values[row] =
          this.#odd[row] === 1
            ? value(codes[next++] as number)
            : follows
              ? ((follows as Int32Array)[row] as number)
              : 0;
    }
    return numbers(INT_TYPE, values, missing);
  }

  #fraction(one: Described): ColumnLike {
    const codes = this.#codes(one);
    const { least = 0, digits = 23 } = one;
    const values = new Float32Array(this.#rows);
    const bits = new Uint32Array(values.buffer);
    const step = 2 ** (23 - digits);
    const pattern = (code: number) => (code === 0 ? NAN : (code + least - 1) * step);
    if (!one.otherwise) for (let row = 0; row < bits.length; row++) bits[row] = pattern(codes[row] as number);
    else
      this.#waiting.push((columns) => {
        const losses = columns.get("loss")?.data[0]?.values as Float32Array | undefined;
        let next = 0;
        for (let row = 0; row < bits.length; row++)
          if (this.#odd[row] === 1) bits[row] = pattern(codes[next++] as number);
          else values[row] = Math.exp(-(losses?.[row] ?? Number.NaN));
      });
    return numbers(FLOAT_TYPE, values, Number.NaN);
  }

  #texts(one: Described): ColumnLike {
    const lengths = this.#codes(one);
    const bytes = this.#bytes.subarray(this.#at, this.#at + (one.bytes ?? 0));
    this.#at += bytes.length;
    const starts = new Uint32Array(this.#rows + 1);
    for (let row = 0; row < this.#rows; row++)
      starts[row + 1] = (starts[row] as number) + Math.max(0, (lengths[row] as number) - 1);
    const decoder = new TextDecoder();
    return column(UTF8_TYPE, this.#rows, (row) =>
      lengths[row] === 0 ? null : decoder.decode(bytes.subarray(starts[row], starts[row + 1])),
    );
  }
}

/** The bits of NaN. */
const NAN = 0x7fc00000;

function among(codes: ArrayLike<number>, values: readonly (string | boolean)[]): ColumnLike {
  const texts = column(UTF8_TYPE, codes.length, (row) => values[(codes[row] as number) - 1] ?? null);
  return { ...texts, among: { codes, values } };
}

function numbers(typeId: number, values: Int32Array | Float32Array | Float64Array, missing: number): ColumnLike {
  const at = (row: number) => {
    const value = values[row] as number;
    return value === missing || Number.isNaN(value) ? null : value;
  };
  return { ...column(typeId, values.length, at), data: [{ length: values.length, nullCount: 0, values, at }] };
}

function column(typeId: number, length: number, at: (row: number) => unknown): ColumnLike {
  return { length, type: { typeId }, data: [{ length, nullCount: 0, values: null, at }], at };
}
