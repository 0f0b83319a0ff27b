/** The loss of any selection, taken apart: its distribution, its classes, its concentration. */
import { inOrder, marksOf, remembered } from "./chosen";
import { type Bounds, meanInterval } from "./intervals";
import { orderOnce } from "./order";

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
  const counts = new Float64Array(classes);
  const sums = new Float64Array(classes);
  const squares = new Float64Array(classes);
  let total = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    const loss = losses[row] as number;
    if (target < 0 || target >= classes || !Number.isFinite(loss)) continue;
    counts[target] = (counts[target] as number) + 1;
    sums[target] = (sums[target] as number) + loss;
    squares[target] = (squares[target] as number) + loss * loss;
    total += loss;
  }
  return Array.from(counts, (count, index) => {
    const sum = sums[index] as number;
    return {
      index,
      count,
      mean: count > 0 ? sum / count : null,
      share: total > 0 ? sum / total : null,
      interval: meanInterval(sum, squares[index] as number, count),
    };
  });
}

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

let keptLosses = new Float64Array(0);

/** Both at once, reading the losses in their order: what a million examples need. */
export function worstOf(rows: Uint32Array, losses: Float64Array, share: number, most: number): Worst {
  if (rows.length <= losses.length * FEW) {
    const sorted = highest(rows, losses);
    return { rows: sorted.slice(0, most), part: madeByWorst(sorted, losses, share) };
  }
  const all = descending(losses);
  const marked = marksOf(rows, losses.length);
  if (keptLosses.length <= all.order.length) keptLosses = new Float64Array(all.order.length + 1);
  const kept = keptLosses;
  const first = new Uint32Array(most);
  let many = 0;
  for (let place = 0; place < all.order.length; place++) {
    const row = all.order[place] as number;
    if (many < most) first[many] = row;
    kept[many] = all.losses[place] as number;
    many += marked[row] as number;
  }
  const worst = Math.ceil(share * many);
  let [total, part] = [0, 0];
  for (let place = 0; place < many; place++) {
    total += kept[place] as number;
    if (place === worst - 1) part = total;
  }
  return { rows: first.slice(0, Math.min(most, many)), part: total > 0 ? part / total : null };
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
export function lossBins(losses: Float64Array, selected: Uint32Array, bins: number, floor = 1e-6): LossBin[] {
  const { of, counts, low, step } = binned(losses, bins, floor);
  const parts = new Float64Array(bins + 1);
  if (selected.length === losses.length) parts.set(counts);
  else
    for (let place = 0; place < selected.length; place++) {
      const bin = of[selected[place] as number] as number;
      parts[bin] = (parts[bin] as number) + 1;
    }
  return Array.from({ length: bins }, (_, index) => ({
    low: Math.exp(low + index * step),
    high: Math.exp(low + (index + 1) * step),
    count: counts[index] as number,
    part: parts[index] as number,
  }));
}

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
  const mass = new Float64Array(classes);
  let total = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    if (target < 0 || target >= classes || !Number.isFinite(losses[row])) continue;
    const label = soft?.(row) ?? null;
    if (label) for (let at = 0; at < classes; at++) mass[at] = (mass[at] as number) + (label[at] ?? 0);
    else mass[target] = (mass[target] as number) + 1;
    total += 1;
  }
  if (total === 0) return null;
  return mass.reduce((sum, one) => (one > 0 ? sum - (one / total) * Math.log(one / total) : sum), 0);
}
