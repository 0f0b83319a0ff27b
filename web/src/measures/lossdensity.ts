/** Counts of examples on a grid: across by confidence or margin, up by the logarithm of the loss. */
import { remembered } from "./chosen";
import { lossFloor } from "./loss";
import { tally } from "./tally";

export interface Density {
  readonly columns: number;
  readonly lines: number;
  /** Counts, line after line from the bottom; of all rows that were given. */
  readonly counts: Uint32Array;
  readonly most: number;
  readonly count: number;
  /** Ends of the axes: the loss of the lowest and the highest line, of which the lowest holds all that is smaller. */
  readonly low: number;
  readonly high: number;
}

export function densityOf(
  rows: Uint32Array,
  across: ArrayLike<number>,
  losses: Float64Array,
  columns: number,
  lines: number,
): Density {
  const { of, low, high } = placed(across, losses, columns, lines);
  const counts = tally(rows, of, columns * lines + 1);
  const count = rows.length - (counts[columns * lines] as number);
  const cells = counts.subarray(0, columns * lines);
  const most = cells.reduce((larger, one) => Math.max(larger, one), 0);
  return { columns, lines, counts: cells, most, count, low, high };
}

/** The cell of each row, made once; the one behind the last cell for rows that have none. */
const placed = remembered((across: ArrayLike<number>, losses: Float64Array, columns: number, lines: number) => {
  const low = lossFloor(losses);
  let high = low * 10;
  for (let row = 0; row < losses.length; row++) {
    const loss = losses[row] as number;
    if (Number.isFinite(loss) && loss > high) high = loss;
  }
  high *= 1.0001;
  const step = (Math.log(high) - Math.log(low)) / lines;
  const of = new Uint16Array(losses.length);
  for (let row = 0; row < losses.length; row++) {
    const [x, loss] = [across[row] as number, losses[row] as number];
    if (!Number.isFinite(x) || !Number.isFinite(loss)) {
      of[row] = columns * lines;
      continue;
    }
    const column = Math.min(columns - 1, Math.max(0, Math.floor(x * columns)));
    const raised = (Math.log(Math.max(loss, low)) - Math.log(low)) / step;
    of[row] = Math.min(lines - 1, Math.max(0, Math.floor(raised))) * columns + column;
  }
  return { of, low, high };
});

/** Bounds of a line's losses; the lowest begins at 0. */
export function lineBounds({ lines, low, high }: Density, line: number): { low: number; high: number } {
  const step = (Math.log(high) - Math.log(low)) / lines;
  return {
    low: line <= 0 ? 0 : Math.exp(Math.log(low) + line * step),
    high: Math.exp(Math.log(low) + (line + 1) * step),
  };
}

/** Rows whose place lies within bounds, both included. */
export function within(
  rows: Uint32Array,
  across: ArrayLike<number>,
  losses: Float64Array,
  x: { low: number; high: number },
  y: { low: number; high: number },
): Uint32Array {
  return rows.filter((row) => {
    const [at, loss] = [across[row] as number, losses[row] as number];
    return at >= x.low && at <= x.high && loss >= y.low && loss <= y.high;
  });
}
