/** Rows of boxes that nothing joins: about as wide as high, in order, read like text. */
import { SPACE } from "./frame";

const GAP = 10;
const SHAPE = 1.6;

export interface Grid {
  readonly width: number;
  readonly height: number;
}

/** Writes left upper corners and rows of `boxes` into `x`, `y` and `rank`, from (left, top) on. */
export function gridOf(
  boxes: Int32Array,
  width: Float32Array,
  height: Float32Array,
  left: number,
  top: number,
  placed: { readonly x: Float32Array; readonly y: Float32Array; readonly rank: Int32Array },
  firstRank: number,
): Grid {
  let area = 0;
  let widest = 0;
  for (const box of boxes) {
    area += ((width[box] as number) + GAP) * ((height[box] as number) + GAP);
    widest = Math.max(widest, width[box] as number);
  }
  const limit = Math.max(widest, Math.sqrt(area * SHAPE), boxes.length > 1 ? 8 * SPACE.boxes : 0);
  let [x, y, row, tall, right] = [0, 0, firstRank, 0, 0];
  for (const box of boxes) {
    if (x > 0 && x + (width[box] as number) > limit) {
      x = 0;
      y += tall + GAP;
      tall = 0;
      row++;
    }
    placed.x[box] = left + x;
    placed.y[box] = top + y;
    placed.rank[box] = row;
    x += (width[box] as number) + GAP;
    right = Math.max(right, x - GAP);
    tall = Math.max(tall, height[box] as number);
  }
  return { width: right, height: y + tall };
}
