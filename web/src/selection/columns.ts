/** How a column that came along falls into groups: its values where they are few, else ranges of its numbers. */
import { number } from "../marks/format";
import { remembered } from "../measures/chosen";
import type { Extra } from "../record/examples";
import { type Range, rangeOf, writeRange } from "./selection";

/** A column of more values is grouped by ranges if it holds numbers, and else not at all. */
export const MOST_VALUES = 200;
/** Numbers that are not whole, of which there are more than this, are measured rather than counted. */
const MOST_FRACTIONS = 20;
const GROUPS = 5;

export interface Groups {
  readonly size: number;
  /** By row; -1 where the column holds no number that lies in a range. */
  readonly codes: Int32Array;
  /** Ranges of about equally many examples, closed at both ends, in order; null where each group is a value. */
  readonly ranges: readonly Range[] | null;
  /** For people; "" is a value that is missing. */
  nameOf(group: number): string;
  /** As a selection has it. */
  textOf(group: number): string;
}

/** Null where there are too many values that are no numbers. Made once for a column. */
export const columnGroups = remembered((column: Extra): Groups | null => {
  if (column.numeric && isMeasured(column.numbers)) return byRange(column.numbers);
  const { values } = column;
  if (values.length > MOST_VALUES) return null;
  const nameOf = (group: number) => values[group] ?? "";
  return { size: values.length, codes: column.codes, ranges: null, nameOf, textOf: nameOf };
});

/** Whether numbers are too many to be named one by one. */
function isMeasured(numbers: Float64Array): boolean {
  const distinct = new Set<number>();
  let whole = true;
  for (const value of numbers) {
    if (Number.isNaN(value)) continue;
    distinct.add(value);
    whole &&= Number.isInteger(value);
    if (distinct.size > (whole ? MOST_VALUES : MOST_FRACTIONS)) return true;
  }
  return false;
}

function byRange(numbers: Float64Array): Groups {
  const ranges = quantileRanges(numbers, GROUPS);
  const codes = Int32Array.from(numbers, (value) => ranges.findIndex(({ high }) => value <= high));
  // Of ends that look the same when they are rounded, all digits are said.
  const short = ranges.map(rangeName);
  const names = new Set(short).size === short.length ? short : ranges.map(writeRange);
  return {
    size: ranges.length,
    codes,
    ranges,
    nameOf: (group) => names[group] ?? "",
    textOf: (group) => writeRange(ranges[group] as Range),
  };
}

/**
 * Ranges of about equally many numbers: each ends at a quantile, and the next begins at the next larger number that there is.
 * Equal numbers are in one range, so that there may be fewer than `many`; NaN is in none.
 */
export function quantileRanges(numbers: Float64Array, many: number): Range[] {
  const ordered = numbers.filter((value) => !Number.isNaN(value)).sort();
  const ranges: Range[] = [];
  let from = 0;
  for (let group = 1; group <= many && from < ordered.length; group++) {
    const high = ordered[Math.ceil((group * ordered.length) / many) - 1] as number;
    if (ranges.length > 0 && high <= (ranges.at(-1) as Range).high) continue;
    ranges.push({ low: ordered[from] as number, high });
    from = firstAbove(ordered, high);
  }
  return ranges;
}

/** The place of the first number above this one. */
function firstAbove(ordered: Float64Array, value: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ordered[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function rangeName({ low, high }: Range): string {
  return low === high ? number(low) : `${number(low)} to ${number(high)}`;
}

/** A value of a column as people read it: a range with its ends, a missing one as such. */
export function valueName(text: string): string {
  const range = rangeOf(text);
  return range ? rangeName(range) : text === "" ? "(empty)" : text;
}
