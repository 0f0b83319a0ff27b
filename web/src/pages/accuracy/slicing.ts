/** Slices of the examples table: what each column's values, and the rules found, are called and how they are selected. */
import { number } from "../../marks/format";
import { outcomesOf, RIGHT, UNKNOWN, WRONG } from "../../measures/accuracy";
import { remembered } from "../../measures/chosen";
import {
  type Condition,
  type Counted,
  type Feature,
  type FoundSlice,
  foundSlices,
  holds,
  type Slice,
  slicesOf,
} from "../../measures/slices";
import { packed, tally } from "../../measures/tally";
import type { Examples, Extra } from "../../record/examples";
import { columnGroups, MOST_VALUES } from "../../selection/columns";
import type { Selection } from "../../selection/selection";

/** A tree over more examples than this, each looked at by itself, would keep the hand waiting. */
const MOST_GROWN = 200_000;
/** Where columns have no more combinations of values than this, those that are alike are counted together. */
const MOST_ALIKE = 4096;

/** A selection and the outcome of every row of the record. */
export interface Judged {
  readonly rows: Uint32Array;
  readonly outcomes: Uint8Array;
}

export function judgedOf(rows: Uint32Array, { targets, predictions }: Examples): Judged {
  return { rows, outcomes: outcomesOf(predictions, targets) };
}

export interface NamedSlice extends Slice {
  /** What selects it: a value, or a range of numbers. */
  readonly selects: Pick<Selection, "columns">;
}

export interface Sliced {
  readonly slices: readonly NamedSlice[];
  /** Columns with too many values that are no numbers. */
  readonly leftOut: readonly string[];
}

export function slicedBy({ rows, outcomes }: Judged, columns: ReadonlyMap<string, Extra>): Sliced {
  const counted: Counted[] = [];
  const texts = new Map<string, string>();
  const leftOut: string[] = [];
  for (const [name, column] of columns) {
    const found = columnGroups(column);
    if (!found) {
      leftOut.push(name);
      continue;
    }
    const tallied = tally(rows, answeredGroups(found.codes, outcomes, found.size), 2 * found.size + 1);
    for (let group = 0; group < found.size; group++) {
      const value = found.nameOf(group);
      const [wrong, correct] = [tallied[2 * group + WRONG] as number, tallied[2 * group + RIGHT] as number];
      if (wrong + correct === 0 || value === "") continue;
      counted.push({ column: name, value, count: wrong + correct, correct });
      texts.set(`${name}\n${value}`, found.textOf(group));
    }
  }
  const slices = slicesOf(counted).map((one) => ({
    ...one,
    selects: { columns: { [one.column]: texts.get(`${one.column}\n${one.value}`) ?? one.value } },
  }));
  return { slices, leftOut };
}

/** Twice the group of each row, and one more where it is right; 2 * size where either is not known. */
const answeredGroups = remembered((groups: Int32Array, outcomes: Uint8Array, size: number) =>
  packed(
    groups.map((group, row) =>
      group < 0 || outcomes[row] === UNKNOWN ? 2 * size : 2 * group + (outcomes[row] as number),
    ),
    2 * size + 1,
  ),
);

export interface Rule extends FoundSlice {
  readonly words: string;
  /** All rows that it holds for; null where only a sample was looked at. */
  readonly rows: (() => Uint32Array) | null;
}

export interface Direction {
  readonly name: string;
  /** By row; NaN where the record does not hold it. */
  readonly values: Float64Array;
}

/** What rules may speak of, with a value for every row of the record. */
interface Told {
  readonly name: string;
  readonly values: Int32Array | Float64Array;
  readonly categorical: boolean;
  /** Distinct values, where it is categorical. */
  readonly size: number;
  say(value: number): string;
}

function toldBy(columns: ReadonlyMap<string, Extra>, directions: readonly Direction[]): Told[] {
  const numbers = (name: string, values: Float64Array): Told => {
    return { name, values, categorical: false, size: 0, say: (cut) => number(cut) };
  };
  const told: Told[] = [];
  for (const [name, column] of columns) {
    const { values } = column;
    if (column.numeric) told.push(numbers(name, column.numbers));
    else if (values.length <= MOST_VALUES) {
      const say = (code: number) => values[code] || "missing";
      told.push({ name, values: column.codes, categorical: true, size: values.length, say });
    }
  }
  return [...told, ...directions.map(({ name, values }) => numbers(name, values))];
}

/** Rules over the columns and over directions in a layer's space, found on one half of the rows and judged on the other. */
export function rulesOf(judged: Judged, columns: ReadonlyMap<string, Extra>, directions: readonly Direction[]): Rule[] {
  const told = toldBy(columns, directions);
  if (told.length === 0) return [];
  const alike =
    told.every((one) => one.categorical) && told.reduce((product, one) => product * one.size, 1) <= MOST_ALIKE;
  const { values, right, grown, many, whole } = alike ? alikeIn(judged, told) : oneByOne(judged, told);
  const features = told.map((one, at): Feature => ({ ...one, values: values[at] as Float64Array }));
  return foundSlices(features, right, grown, 3, many).map((one) => ({
    ...one,
    words: tightest(one.rule)
      .map(({ feature, kind, cut }) => `${told[feature]?.name} ${SAID[kind]} ${told[feature]?.say(cut)}`)
      .join(" and "),
    rows: whole
      ? () =>
          judged.rows.filter(
            (row) => judged.outcomes[row] !== UNKNOWN && one.rule.every((condition) => holds(condition, told, row)),
          )
      : null,
  }));
}

/** The examples that rules are found on, one or several alike at a place. */
interface Examined {
  readonly values: readonly Float64Array[];
  readonly right: Uint8Array;
  readonly grown: Uint8Array;
  readonly many: Uint32Array;
  /** Whether every example is there. */
  readonly whole: boolean;
}

/** Examples that are alike in every column, counted: a million of them are a few cells, of which a tree is grown at once. */
function alikeIn({ rows, outcomes }: Judged, told: readonly Told[]): Examined {
  const { of, size } = kindsOf(
    outcomes,
    ...told.map((one) => one.values as Int32Array),
    ...told.map((one) => one.size),
  );
  const counts = tally(rows, of, size + 1);
  const kinds = Uint32Array.from(counts.subarray(0, size).keys()).filter((kind) => counts[kind] !== 0);
  let step = KINDS;
  const values = told.map((one) => {
    const before = step;
    step *= one.size;
    return Float64Array.from(kinds, (kind) => Math.floor(kind / before) % one.size);
  });
  return {
    values,
    right: Uint8Array.from(kinds, (kind) => kind & 1),
    grown: Uint8Array.from(kinds, (kind) => (kind >> 1) & 1),
    many: kinds.map((kind) => counts[kind] as number),
    whole: true,
  };
}

/** Right or wrong, of the half that grows or of the one that judges. */
const KINDS = 4;

/** What each row is alike in: its outcome, its half, and its values in mixed radix; `size` where it is not judged. Made once. */
const kindsOf = remembered((outcomes: Uint8Array, ...columns: readonly (Int32Array | number)[]) => {
  const codes = columns.filter((one) => typeof one !== "number");
  const sizes = columns.filter((one) => typeof one === "number");
  const size = sizes.reduce((product, one) => product * one, KINDS);
  const of = new Int32Array(outcomes.length);
  for (let row = 0; row < of.length; row++) {
    let [kind, step] = [(outcomes[row] as number) + 2 * (mixed(row) & 1), KINDS];
    for (let at = 0; at < codes.length; at++) {
      kind += step * ((codes[at] as Int32Array)[row] as number);
      step *= sizes[at] as number;
    }
    of[row] = outcomes[row] === UNKNOWN ? size : kind;
  }
  return { of: packed(of, size + 1), size };
});

/** Each example by itself; of very many a sample. */
function oneByOne(judged: Judged, told: readonly Told[]): Examined {
  const known = judged.rows.filter((row) => judged.outcomes[row] !== UNKNOWN);
  const stride = Math.max(1, Math.ceil(known.length / MOST_GROWN));
  const rows = stride === 1 ? known : known.filter((_, place) => place % stride === 0);
  return {
    values: told.map((one) => Float64Array.from(rows, (row) => one.values[row] as number)),
    right: Uint8Array.from(rows, (row) => judged.outcomes[row] as number),
    grown: Uint8Array.from(rows, (row) => mixed(row) & 1),
    many: new Uint32Array(rows.length).fill(1),
    whole: stride === 1,
  };
}

/** Of two bounds of a number on one side the later one, which lies within the first. */
function tightest(rule: readonly Condition[]): readonly Condition[] {
  const bounds = (one: Condition) => one.kind === "<=" || one.kind === ">";
  return rule.filter(
    (one, place) =>
      !bounds(one) || !rule.slice(place + 1).some((later) => later.feature === one.feature && later.kind === one.kind),
  );
}

const SAID = { "<=": "at most", ">": "above", is: "is", "is not": "is not" };

/** A row's number with its bits mixed, so that halves are halves whatever order the rows came in. Source: murmur3's finaliser. */
function mixed(row: number): number {
  let bits = row ^ 0x9e3779b9;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
