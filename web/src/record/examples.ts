/** The examples table: one row an example, as typed arrays that can be filtered a million at a time. */
import { tableFromIPC } from "@uwdata/flechette";
import { plain } from "../marks/format";
import { unpacked } from "./packed";
import { codesOfAmong, codesOfTexts, evenLists } from "./raw";
import type { ColumnLike, TableLike } from "./table";
import type { Top } from "./top";

export type Scalar = string | number | boolean | null;

const OWN = new Set([
  "row",
  "id",
  "target",
  "prediction",
  "loss",
  "confidence",
  "entropy",
  "margin",
  "rank",
  "top_classes",
  "top_probabilities",
  "media",
  "nonfinite",
]);

/** Columns of our own that stand in some records, and of what type they then are; one of another type came along. */
const SOME: Readonly<Record<string, "float" | "list">> = {
  brier: "float",
  log_loss: "float",
  soft_target: "list",
  targets: "list",
  called: "list",
};

/** A column that came along with the examples. */
export class Extra {
  readonly name: string;
  readonly numeric: boolean;
  readonly #column: ColumnLike;
  #codes: Int32Array | null = null;
  #numbers: Float64Array | null = null;
  #values: string[] = [];

  constructor(name: string, column: ColumnLike) {
    this.name = name;
    this.#column = column;
    this.numeric = typeof firstValue(column) === "number";
  }

  at(row: number): Scalar {
    return scalar(this.#column.at(row));
  }

  /** As the URL writes it; null is "". */
  textAt(row: number): string {
    return textOf(this.at(row));
  }

  /** Distinct values in order of first appearance, as text. */
  get values(): readonly string[] {
    this.#encode();
    return this.#values;
  }

  /** For every row the position of its value in `values`. */
  get codes(): Int32Array {
    return this.#encode();
  }

  /** As numbers, NaN where there is none. */
  get numbers(): Float64Array {
    this.#numbers ??= numbersOf(this.#column, this.#column.length, (count) => new Float64Array(count), Number.NaN);
    return this.#numbers;
  }

  #encode(): Int32Array {
    if (this.#codes) return this.#codes;
    const plain = codesOfAmong(this.#column) ?? codesOfTexts(this.#column);
    if (plain) {
      this.#values = plain.values;
      this.#codes = plain.codes;
      return plain.codes;
    }
    const known = new Map<string, number>();
    const codes = new Int32Array(this.#column.length);
    for (let row = 0; row < codes.length; row++) {
      const text = this.textAt(row);
      let code = known.get(text);
      if (code === undefined) {
        code = known.size;
        known.set(text, code);
      }
      codes[row] = code;
    }
    this.#values = [...known.keys()];
    this.#codes = codes;
    return codes;
  }
}

/**
 * Every example by its row. Missing numbers are NaN in floats and -1 in integers.
 *
 * `targets` holds class indices (-1 where unknown); where the task is a regression it is all -1 and `numbers` holds the
 * targets. Losses are in nats where the loss is a cross-entropy.
 */
export class Examples {
  readonly count: number;
  readonly targets: Int32Array;
  readonly numbers: Float64Array | null;
  readonly predictions: Int32Array;
  readonly losses: Float64Array;
  readonly confidences: Float32Array;
  readonly entropies: Float32Array;
  readonly margins: Float32Array;
  readonly ranks: Int32Array;
  readonly nonfinite: Uint8Array;
  /** Sum over classes of (p - y)²; NaN where not known. */
  readonly briers: Float64Array;
  /** Cross-entropy in nats where the loss is another one; null where the loss is it, or the task has none. */
  readonly logLosses: Float64Array | null;
  /** Whether labels are soft. */
  readonly isSoft: boolean;
  /** Whether an example may have several classes. */
  readonly hasSets: boolean;
  readonly columns: ReadonlyMap<string, Extra>;
  readonly #ids: ColumnLike | null;
  readonly #media: ColumnLike | null;
  readonly #topClasses: ColumnLike | null;
  readonly #topProbabilities: ColumnLike | null;
  readonly #soft: ColumnLike | null;
  readonly #sets: ColumnLike | null;
  readonly #called: ColumnLike | null;

  constructor(table: TableLike) {
    this.count = table.numRows;
    const child = (name: string): ColumnLike | null => table.getChild(name) ?? null;
    const number = child("row");
    const rows = numbersOf(number, this.count, (count) => new Float64Array(count), -1);
    for (let row = 0; number && row < this.count; row++) {
      if (rows[row] !== row) {
        throw new Error(`The examples table has row ${rows[row]} where row ${row} belongs; the record was altered.`);
      }
    }
    const target = child("target");
    const real = target !== null && isFloat(target);
    this.targets = numbersOf(real ? null : target, this.count, (count) => new Int32Array(count), -1);
    this.numbers = real ? numbersOf(target, this.count, (count) => new Float64Array(count), Number.NaN) : null;
    this.predictions = numbersOf(child("prediction"), this.count, (count) => new Int32Array(count), -1);
    this.losses = numbersOf(child("loss"), this.count, (count) => new Float64Array(count), Number.NaN);
    this.confidences = numbersOf(child("confidence"), this.count, (count) => new Float32Array(count), Number.NaN);
    this.entropies = numbersOf(child("entropy"), this.count, (count) => new Float32Array(count), Number.NaN);
    this.margins = numbersOf(child("margin"), this.count, (count) => new Float32Array(count), Number.NaN);
    this.ranks = numbersOf(child("rank"), this.count, (count) => new Int32Array(count), -1);
    this.nonfinite = numbersOf(child("nonfinite"), this.count, (count) => new Uint8Array(count), 0);
    this.#ids = child("id");
    this.#media = child("media");
    this.#topClasses = child("top_classes");
    this.#topProbabilities = child("top_probabilities");
    const some = (name: string) => (isOwn(name, child(name)) ? child(name) : null);
    this.briers = numbersOf(some("brier"), this.count, (count) => new Float64Array(count), Number.NaN);
    const logLoss = some("log_loss");
    this.logLosses = logLoss && numbersOf(logLoss, this.count, (count) => new Float64Array(count), Number.NaN);
    this.#soft = some("soft_target");
    this.isSoft = this.#soft !== null;
    this.#sets = some("targets");
    this.#called = some("called");
    this.hasSets = this.#sets !== null && this.#called !== null;
    const columns = new Map<string, Extra>();
    for (const name of table.names) {
      const column = child(name);
      if (!OWN.has(name) && !isOwn(name, column) && column) columns.set(name, new Extra(name, column));
    }
    this.columns = columns;
  }

  static parse(buffer: ArrayBuffer): Examples {
    return new Examples(tableFromIPC(new Uint8Array(buffer), { useBigInt: false }) as unknown as TableLike);
  }

  /** As an exported file holds many rows. */
  static unpack(buffer: ArrayBuffer): Examples {
    return new Examples(unpacked(buffer));
  }

  has(row: number): boolean {
    return Number.isInteger(row) && row >= 0 && row < this.count;
  }

  id(row: number): string {
    return this.has(row) ? plain(textOf(scalar(this.#ids?.at(row)))) : "";
  }

  /** Name of its picture, "<sha256>.<ext>", or null. */
  media(row: number): string | null {
    const name = this.has(row) ? this.#media?.at(row) : null;
    return typeof name === "string" ? name : null;
  }

  topClasses(row: number): number[] {
    return listOf(this.#topClasses?.at(row));
  }

  topProbabilities(row: number): number[] {
    return listOf(this.#topProbabilities?.at(row));
  }

  /** The most probable classes side by side as they came, where every example has as many; null where not. */
  plainTop(): Top | null {
    const classes = evenLists(this.#topClasses, Int32Array);
    const probabilities = evenLists(this.#topProbabilities, Float32Array);
    return classes && probabilities && classes.width === probabilities.width
      ? { width: classes.width, classes: classes.values, probabilities: probabilities.values }
      : null;
  }

  /** A soft label, one probability a class; null where there is none. */
  soft(row: number): ArrayLike<number> | null {
    const label = this.#soft?.at(row);
    return label === null || label === undefined ? null : (label as ArrayLike<number>);
  }

  /** Every class that is true, where several may be; null where that is not known. */
  classesOf(row: number): number[] | null {
    const classes = this.#sets?.at(row);
    return classes === null || classes === undefined ? null : listOf(classes);
  }

  /** Every class that the model calls, where several may be; null where that is not known. */
  calledOf(row: number): number[] | null {
    const classes = this.#called?.at(row);
    return classes === null || classes === undefined ? null : listOf(classes);
  }

  /** Whether the most probable class is the target; null where either is unknown. */
  right(row: number): boolean | null {
    const target = this.targets[row] ?? -1;
    const prediction = this.predictions[row] ?? -1;
    return target < 0 || prediction < 0 ? null : target === prediction;
  }
}

type Numbers = Int32Array | Float32Array | Float64Array | Uint8Array;

function numbersOf<Kind extends Numbers>(
  column: ColumnLike | null,
  count: number,
  make: (count: number) => Kind,
  missing: number,
): Kind {
  const values = make(count);
  if (!column) return values.fill(missing) as Kind;
  let offset = 0;
  for (const batch of column.data) {
    const raw: unknown = batch.values;
    if (batch.nullCount === 0 && isPlain(raw)) {
      values.set(raw.subarray(0, batch.length), offset);
    } else {
      for (let index = 0; index < batch.length; index++) {
        const value = batch.at(index);
        values[offset + index] = value === null || value === undefined ? missing : Number(value);
      }
    }
    offset += batch.length;
  }
  return values;
}

function isPlain(raw: unknown): raw is Int32Array | Float32Array | Float64Array {
  return raw instanceof Int32Array || raw instanceof Float32Array || raw instanceof Float64Array;
}

const FLOAT_TYPE = 3; // Arrow's type id of floating point

function isFloat(column: ColumnLike): boolean {
  return column.type.typeId === FLOAT_TYPE;
}

const LIST_TYPE = 12; // Arrow's type id of lists

function isOwn(name: string, column: ColumnLike | null): boolean {
  if (!column || !Object.hasOwn(SOME, name)) return false;
  return SOME[name] === "float" ? isFloat(column) : column.type.typeId === LIST_TYPE;
}

function firstValue(column: ColumnLike): unknown {
  for (let row = 0; row < Math.min(column.length, 1000); row++) {
    const value = column.at(row);
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

function scalar(value: unknown): Scalar {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return String(value);
}

function textOf(value: Scalar): string {
  return value === null ? "" : String(value);
}

function listOf(value: unknown): number[] {
  return value === null || value === undefined ? [] : Array.from(value as ArrayLike<number>, Number);
}
