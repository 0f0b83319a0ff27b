/** The loss of any selection, taken apart: its distribution, its classes, its concentration. */
import { lossInterval, lossSums } from "./accuracy";
import { inOrder, marksOf, ofSelection, remembered } from "./chosen";
import type { Bounds } from "./intervals";
import { orderOnce } from "./order";
import { keepsDigits, left, ofMost } from "./remaining";
import { type Codes, packed, tally } from "./tally";

export interface ClassLoss {
  readonly index: number;
  readonly count: number;
  readonly mean: number | null;
  /** Part of the selection's total loss. */
  readonly share: number | null;
  readonly interval: Bounds | null;
}

/** Mean loss and share of the total by true class, in order of index; losses that are not defined do not count. */
export function lossByClass(
  rows: Uint32Array,
  losses: Float64Array,
  targets: Int32Array,
  classes: number,
): ClassLoss[] {
  const { sums, total } = lossesByCode(rows, targets, losses, classes);
  return Array.from({ length: classes }, (_, index) => {
    const [count, sum, squares] = [sums[3 * index], sums[3 * index + 1], sums[3 * index + 2]] as [
      number,
      number,
      number,
    ];
    return {
      index,
      count,
      mean: count > 0 ? sum / count : null,
      share: total > 0 ? sum / total : null,
      interval: lossInterval(losses, sum, squares, count),
    };
  });
}

/** How many losses each code has, their sum and that of their squares, side by side, and the sum over all codes. */
const lossesByCode = ofSelection((rows, codes: Int32Array, losses: Float64Array, size: number): ByCode => {
  const sums = ofMost(
    rows,
    codes.length,
    (some) => rowByRow(some, codes, losses, size),
    (every) => lossesByCode(every, codes, losses, size).sums,
    (all, rest) => lessRest(all, rest, size),
  );
  let total = 0;
  for (let code = 0; code < size; code++) total += sums[3 * code + 1] as number;
  return { sums, total };
});

interface ByCode {
  readonly sums: Float64Array;
  readonly total: number;
}

function rowByRow(rows: Uint32Array, codes: Int32Array, losses: Float64Array, size: number): Float64Array {
  const counted = countedCodes(codes, losses, size);
  // What does not count is summed behind the last code, rather than asked about each time.
  const sums = new Float64Array(3 * (size + 1));
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const at = 3 * (counted[row] as number);
    const loss = losses[row] as number;
    sums[at] = (sums[at] as number) + 1;
    sums[at + 1] = (sums[at + 1] as number) + loss;
    sums[at + 2] = (sums[at + 2] as number) + loss * loss;
  }
  return sums;
}

/** Null where the difference would cost any code's digits. */
function lessRest(all: Float64Array, rest: Float64Array, size: number): Float64Array | null {
  const sums = all.map((sum, at) => left(sum, rest[at] as number));
  for (let code = 0; code < size; code++) {
    const at = 3 * code;
    if (sums[at] === 0) sums.fill(0, at, at + 3);
    else if (!keepsDigits(sums[at + 2] as number, all[at + 2] as number)) return null;
  }
  return sums;
}

/** The code of each row; `size` where it has none from 0 up to below that, or its loss is not defined. Made once for a column. */
const countedCodes = remembered((codes: Int32Array, losses: Float64Array, size: number): Codes => {
  const counted = codes.map((code, row) => (code >= 0 && code < size && Number.isFinite(losses[row]) ? code : size));
  return packed(counted, size + 1);
});

/** Fewer rows than this part of all are sorted by themselves; more are picked out of the order of all. */
const FEW = 1 / 64;

/** Losses of all rows in order, highest first, and whose they are; what is not defined is left out. */
const descending = remembered((losses: Float64Array) => {
  const order = orderOnce(losses, true).filter((row) => Number.isFinite(losses[row]));
  return { order, losses: Float64Array.from(order, (row) => losses[row] as number) };
});

/** Rows by loss, highest first; losses that are not defined are left out. */
export function highest(rows: Uint32Array, losses: Float64Array): Uint32Array {
  if (rows.length > losses.length * FEW) return inOrder(descending(losses).order, rows, losses.length);
  return rows
    .filter((row) => Number.isFinite(losses[row]))
    .sort((a, b) => (losses[b] as number) - (losses[a] as number) || a - b);
}

/** Part of the total loss that the worst `share` of the examples makes; null where there is no loss. `sorted` as `highest` gives. */
export function madeByWorst(sorted: Uint32Array, losses: Float64Array, share: number): number | null {
  const worst = Math.ceil(share * sorted.length);
  let total = 0;
  let part = 0;
  for (let place = 0; place < sorted.length; place++) {
    total += losses[sorted[place] as number] as number;
    if (place === worst - 1) part = total;
  }
  return total > 0 ? part / total : null;
}

export interface Worst {
  /** The `most` rows with the highest losses. */
  readonly rows: Uint32Array;
  /** As `madeByWorst` has it. */
  readonly part: number | null;
}

/** Both at once, looking at the order of all only as far as the worst go: what a million examples need. */
export function worstOf(rows: Uint32Array, losses: Float64Array, share: number, most: number): Worst {
  if (rows.length <= losses.length * FEW) {
    const sorted = highest(rows, losses);
    return { rows: sorted.slice(0, most), part: madeByWorst(sorted, losses, share) };
  }
  const all = descending(losses);
  const marked = marksOf(rows, losses.length);
  const { sum: total, count } = lossSums(rows, losses);
  const worst = Math.ceil(share * count);
  const first = new Uint32Array(Math.min(most, count));
  let [many, part] = [0, 0];
  for (let place = 0; many < worst || many < first.length; place++) {
    const row = all.order[place] as number;
    if (marked[row] === 0) continue;
    if (many < first.length) first[many] = row;
    if (many < worst) part += all.losses[place] as number;
    many += 1;
  }
  return { rows: first, part: total > 0 ? part / total : null };
}

export interface LossBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly part: number;
}

/**
 * Counts of losses on bins of equal ratio from `floor` up; smaller ones, zeros among them, stand in the first bin.
 * `part` counts the selected ones.
 */
export function lossBins(losses: Float64Array, selected: Uint32Array, bins: number, floor = FLOOR): LossBin[] {
  const { of, counts, low, step } = binned(losses, bins, floor);
  const parts = tally(selected, of, bins + 1);
  return Array.from({ length: bins }, (_, index) => ({
    low: Math.exp(low + index * step),
    high: Math.exp(low + (index + 1) * step),
    count: counts[index] as number,
    part: parts[index] as number,
  }));
}

/** The least loss that may have a place of its own. */
export const FLOOR = 1e-6;

/** The power of ten at or below every loss: where an axis of them begins. FLOOR where one is smaller still, or 0. */
export const lossFloor = remembered((losses: Float64Array): number => {
  let least = Number.POSITIVE_INFINITY;
  for (let row = 0; row < losses.length; row++) {
    const loss = losses[row] as number;
    if (Number.isFinite(loss) && loss < least) least = loss;
  }
  if (!Number.isFinite(least) || least < 10 * FLOOR) return FLOOR;
  return 10 ** Math.floor(Math.log10(least) + 1e-9);
});

/** The bin of each row, and how many rows each holds; the last entry is for losses that are not defined. */
const binned = remembered((losses: Float64Array, bins: number, floor: number) => {
  let most = floor;
  for (let row = 0; row < losses.length; row++) {
    const loss = losses[row] as number;
    if (Number.isFinite(loss) && loss > most) most = loss;
  }
  const low = Math.log(floor);
  const step = (Math.log(most * 1.0001) - low) / bins || 1;
  const of = new Uint16Array(losses.length);
  const counts = new Float64Array(bins + 1);
  for (let row = 0; row < losses.length; row++) {
    const loss = losses[row] as number;
    const bin = Number.isFinite(loss)
      ? Math.min(bins - 1, Math.max(0, Math.floor((Math.log(Math.max(loss, floor)) - low) / step)))
      : bins;
    of[row] = bin;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { of, counts, low, step };
});

export interface GroupLoss {
  readonly value: string;
  readonly count: number;
  readonly mean: number | null;
  readonly share: number | null;
  readonly interval: Bounds | null;
}

/** Mean loss and share of the total by the value of a column, largest share first; losses that are not defined do not count. */
export function lossByValue(
  rows: Uint32Array,
  losses: Float64Array,
  codes: Int32Array,
  values: readonly string[],
): GroupLoss[] {
  const found = lossByClass(rows, losses, codes, values.length);
  return found
    .filter((one) => one.count > 0)
    .map(({ index, ...rest }) => ({ value: values[index] as string, ...rest }))
    .sort((one, other) => (other.share ?? 0) - (one.share ?? 0));
}

/** What always answering with the shares of the labels of these rows costs: their entropy, nats; null without labels. */
export function classPrior(
  rows: Uint32Array,
  losses: Float64Array,
  targets: Int32Array,
  soft: ((row: number) => ArrayLike<number> | null) | null,
  classes: number,
): number | null {
  if (!soft) {
    const counts = Float64Array.from(lossByClass(rows, losses, targets, classes), (one) => one.count);
    return entropyOfMass(
      counts,
      counts.reduce((sum, one) => sum + one, 0),
    );
  }
  const mass = new Float64Array(classes);
  let total = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    if (target < 0 || target >= classes || !Number.isFinite(losses[row])) continue;
    const label = soft(row);
    if (label) for (let at = 0; at < classes; at++) mass[at] = (mass[at] as number) + (label[at] ?? 0);
    else mass[target] = (mass[target] as number) + 1;
    total += 1;
  }
  return entropyOfMass(mass, total);
}

/** Nats; null of nothing. */
function entropyOfMass(mass: Float64Array, total: number): number | null {
  if (total === 0) return null;
  return mass.reduce((sum, one) => (one > 0 ? sum - (one / total) * Math.log(one / total) : sum), 0);
}
