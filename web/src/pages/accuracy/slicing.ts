/** Slices of the examples table: what each column's values, and the rules found, are called and how they are selected. */
import { number } from "../../marks/format";
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
import type { Examples, Extra } from "../../record/examples";
import { columnGroups, MOST_VALUES } from "../../selection/columns";
import type { Selection } from "../../selection/selection";

/** A tree over more examples than this would keep the hand waiting. */
const MOST_GROWN = 200_000;

export interface Judged {
  readonly rows: Uint32Array;
  /** 1 where right, by place in `rows`. */
  readonly right: Uint8Array;
}

/** The rows that have a target and a prediction. */
export function judgedOf(rows: Uint32Array, { targets, predictions }: Examples): Judged {
  const known = new Uint32Array(rows.length);
  const right = new Uint8Array(rows.length);
  let many = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [target, prediction] = [targets[row] as number, predictions[row] as number];
    if (target < 0 || prediction < 0) continue;
    known[many] = row;
    right[many++] = target === prediction ? 1 : 0;
  }
  return { rows: known.subarray(0, many), right: right.subarray(0, many) };
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

export function slicedBy({ rows, right }: Judged, columns: ReadonlyMap<string, Extra>): Sliced {
  const counted: Counted[] = [];
  const texts = new Map<string, string>();
  const leftOut: string[] = [];
  for (const [name, column] of columns) {
    const found = columnGroups(column);
    if (!found) {
      leftOut.push(name);
      continue;
    }
    const [counts, correct] = [new Float64Array(found.size), new Float64Array(found.size)];
    for (let at = 0; at < rows.length; at++) {
      const group = found.codes[rows[at] as number] as number;
      if (group < 0) continue;
      counts[group] = (counts[group] as number) + 1;
      correct[group] = (correct[group] as number) + (right[at] as number);
    }
    for (let group = 0; group < found.size; group++) {
      const value = found.nameOf(group);
      if (!counts[group] || value === "") continue;
      counted.push({ column: name, value, count: counts[group] as number, correct: correct[group] as number });
      texts.set(`${name}\n${value}`, found.textOf(group));
    }
  }
  const slices = slicesOf(counted).map((one) => ({
    ...one,
    selects: { columns: { [one.column]: texts.get(`${one.column}\n${one.value}`) ?? one.value } },
  }));
  return { slices, leftOut };
}

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

/** Rules over the columns and over directions in a layer's space, found on one half of the rows and judged on the other. */
export function rulesOf(judged: Judged, columns: ReadonlyMap<string, Extra>, directions: readonly Direction[]): Rule[] {
  const { rows, right } = thinned(judged);
  const read = (of: Int32Array | Float64Array) => {
    const values = new Float64Array(rows.length);
    for (let place = 0; place < rows.length; place++) values[place] = of[rows[place] as number] as number;
    return values;
  };
  const named: { feature: Feature; say: (code: number) => string }[] = [];
  for (const [name, column] of columns) {
    if (column.numeric)
      named.push({ feature: { name, values: read(column.numbers), categorical: false }, say: (cut) => number(cut) });
    else if (column.values.length <= MOST_VALUES)
      named.push({
        feature: { name, values: read(column.codes), categorical: true },
        say: (code) => column.values[code] || "missing",
      });
  }
  for (const { name, values } of directions)
    named.push({ feature: { name, values: read(values), categorical: false }, say: (cut) => number(cut) });
  const features = named.map((one) => one.feature);
  if (features.length === 0) return [];
  const grown = Uint8Array.from(rows, (row) => mixed(row) & 1);
  return foundSlices(features, right, grown).map((one) => ({
    ...one,
    words: tightest(one.rule)
      .map(({ feature, kind, cut }) => `${features[feature]?.name} ${SAID[kind]} ${named[feature]?.say(cut)}`)
      .join(" and "),
    rows:
      rows.length === judged.rows.length
        ? () => rows.filter((_, at) => one.rule.every((condition) => holds(condition, features, at)))
        : null,
  }));
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

function thinned(judged: Judged): Judged {
  if (judged.rows.length <= MOST_GROWN) return judged;
  const stride = Math.ceil(judged.rows.length / MOST_GROWN);
  const many = Math.ceil(judged.rows.length / stride);
  const [rows, right] = [new Uint32Array(many), new Uint8Array(many)];
  for (let place = 0; place < many; place++) {
    rows[place] = judged.rows[place * stride] as number;
    right[place] = judged.right[place * stride] as number;
  }
  return { rows, right };
}

/** A row's number with its bits mixed, so that halves are halves whatever order the rows came in. Source: murmur3's finaliser. */
function mixed(row: number): number {
  let bits = row ^ 0x9e3779b9;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
