/** Receptive fields as the record keeps them, and what pooling lets through: twins of pellucid.mapping. */

export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Whole numbers of a tensor, row-major. */
export interface Whole {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** The box of the input that a flattened position of a layer can depend on; null where it sees nothing of it. */
export function boxOf(
  position: number,
  grid: readonly number[],
  tables: { rows: Whole | null; columns: Whole | null; boxes: Whole | null },
): Box | null {
  const { rows, columns, boxes } = tables;
  const whole = (table: Whole, at: number) => Number(table.values[at] ?? 0);
  let box: Box | null = null;
  if (boxes) {
    const at = 4 * position;
    box = {
      top: whole(boxes, at),
      left: whole(boxes, at + 1),
      bottom: whole(boxes, at + 2),
      right: whole(boxes, at + 3),
    };
  } else if (rows && columns) {
    const width = grid[1] ?? 1;
    const row = 2 * Math.floor(position / width);
    const column = 2 * (position % width);
    box = {
      top: whole(rows, row),
      bottom: whole(rows, row + 1),
      left: whole(columns, column),
      right: whole(columns, column + 1),
    };
  }
  return box && box.bottom > box.top && box.right > box.left ? box : null;
}

export interface Windows {
  readonly kind: "max" | "average";
  /** int[place window], -1 is padding. */
  readonly rows: Whole;
  readonly columns: Whole;
  /** float[row column], what an average divides by; null for the number of input positions in the window. */
  readonly divisor: Whole | null;
}

export interface Pooled {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
  /** Flattened input position that won each window; -1 for an average. */
  readonly switches: Int32Array;
  /** Of the input's size: maxima where they stood, averages spread over their windows. */
  readonly unpooled: Float32Array;
  /** Shares of the absolute values and of the squares that survive; null where the input is 0. */
  readonly l1: number | null;
  readonly l2: number | null;
}

/** Pools one map of `width` columns; see pellucid.mapping.pooled. */
export function pooled(map: ArrayLike<number>, width: number, windows: Windows, kind = windows.kind): Pooled {
  const [height = 0, tall = 0] = windows.rows.shape;
  const [across = 0, wide = 0] = windows.columns.shape;
  const values = new Float32Array(height * across);
  const switches = new Int32Array(height * across).fill(-1);
  const unpooled = new Float32Array(map.length);
  const times = new Uint16Array(map.length);
  const own = kind === windows.kind;
  let [left1, left2, whole1, whole2] = [0, 0, 0, 0];
  for (let place = 0; place < values.length; place++) {
    const [row, column] = [Math.floor(place / across), place % across];
    let [best, at, sum, number] = [Number.NEGATIVE_INFINITY, -1, 0, 0];
    const seen: number[] = [];
    for (let down = 0; down < tall; down++) {
      const y = Number(windows.rows.values[row * tall + down]);
      if (y < 0) continue;
      for (let along = 0; along < wide; along++) {
        const x = Number(windows.columns.values[column * wide + along]);
        if (x < 0) continue;
        const position = y * width + x;
        const value = map[position] as number;
        seen.push(position);
        sum += value;
        number += 1;
        if (kind === "average") {
          whole1 += Math.abs(value);
          whole2 += value * value;
        }
        if (value > best || at < 0) [best, at] = [value, position];
      }
    }
    if (kind === "max") {
      values[place] = best;
      switches[place] = at;
      if (at >= 0) unpooled[at] = best;
      continue;
    }
    const mean = sum / Math.max(1, number);
    values[place] = own && windows.divisor ? sum / Number(windows.divisor.values[place]) : mean;
    left1 += number * Math.abs(mean);
    left2 += number * mean * mean;
    for (const position of seen) {
      unpooled[position] = (unpooled[position] as number) + (values[place] as number);
      times[position] = (times[position] as number) + 1;
    }
  }
  if (kind === "max") {
    for (let position = 0; position < map.length; position++) {
      const [value, kept] = [map[position] as number, unpooled[position] as number];
      whole1 += Math.abs(value);
      whole2 += value * value;
      left1 += Math.abs(kept);
      left2 += kept * kept;
    }
  } else {
    for (let position = 0; position < map.length; position++) {
      unpooled[position] = (unpooled[position] as number) / Math.max(1, times[position] as number);
    }
  }
  const share = (left: number, whole: number) => (whole > 0 && Number.isFinite(whole) ? left / whole : null);
  return { height, width: across, values, switches, unpooled, l1: share(left1, whole1), l2: share(left2, whole2) };
}
