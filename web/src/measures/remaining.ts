/**
 * Sums over most of the rows as those over all less those over the rest, which are fewer to read. A difference has the digits that the
 * larger of the two leave it: where too few would be left, sums are made row by row.
 */
import { everyRow, restOf } from "./chosen";

/** A sum of squares, of all and of what is left, is what the sums beside it are measured by. */
const LEAST = 1e-6;
/** No more than this part of a sum is rounding. */
const ROUNDING = 1e-12;

/** A sum over all less that over the rest; 0 where the difference may be rounding alone. */
export function left(all: number, rest: number): number {
  const found = all - rest;
  return Math.abs(found) <= ROUNDING * Math.abs(all) ? 0 : found;
}

/** Whether differences keep their digits (ten of a sum of squares, more of a sum), by the sum of squares that is left of all. */
export function keepsDigits(squares: number, all: number): boolean {
  return Number.isFinite(all) && squares >= LEAST * all;
}

/**
 * What is made of a selection: of most of the rows what is made of all less what is made of the rest, else of the rows themselves.
 *
 * `ofAll` remembers what it made of every row; `less` is null where the difference would cost digits.
 */
export function ofMost<Sums>(
  rows: Uint32Array,
  count: number,
  made: (rows: Uint32Array) => Sums,
  ofAll: (every: Uint32Array) => Sums,
  less: (all: Sums, rest: Sums) => Sums | null,
): Sums {
  const rest = restOf(rows, count);
  return (rest && less(ofAll(everyRow(count)), made(rest))) ?? made(rows);
}
