/** Which boxes are where: a grid over the closed boxes, a plain list of the frames. */
import type { Placed, Visible } from "../../layout/types";
import type { Rect } from "./camera";

const LEAST_CELL = 96;

/** Boxes of cell c are boxes[start[c]] up to start[c + 1]; frames are in none. */
export interface Grid {
  readonly frames: Int32Array;
  /** By frame, in their order, the first that is not inside it. */
  readonly after: Int32Array;
  readonly cell: number;
  readonly columns: number;
  readonly rows: number;
  readonly start: Uint32Array;
  readonly boxes: Uint32Array;
}

export function gridOf(visible: Visible, placed: Placed): Grid {
  const count = visible.ids.length;
  const frames = Int32Array.from(visible.open.keys()).filter((box) => visible.open[box] === 1);
  const area = Math.max(1, placed.right) * Math.max(1, placed.bottom);
  const cell = Math.max(LEAST_CELL, Math.sqrt(area / Math.max(1, count)));
  const columns = Math.max(1, Math.ceil(placed.right / cell));
  const rows = Math.max(1, Math.ceil(placed.bottom / cell));
  const start = new Uint32Array(columns * rows + 1);
  // Left column, upper row, right column, lower row of each box: asked for twice.
  const reach = new Int32Array(4 * count);
  const last = [columns - 1, rows - 1] as const;
  for (let box = 0; box < count; box++) {
    if (visible.open[box]) continue;
    const [x, y] = [placed.x[box] as number, placed.y[box] as number];
    const left = within(x / cell, last[0]);
    const right = within((x + (placed.width[box] as number)) / cell, last[0]);
    const top = within(y / cell, last[1]);
    const bottom = within((y + (placed.height[box] as number)) / cell, last[1]);
    reach.set([left, top, right, bottom], 4 * box);
    for (let row = top; row <= bottom; row++)
      for (let at = row * columns + left; at <= row * columns + right; at++)
        start[at + 1] = (start[at + 1] as number) + 1;
  }
  for (let at = 1; at < start.length; at++) start[at] = (start[at] as number) + (start[at - 1] as number);
  const next = start.slice();
  const boxes = new Uint32Array(start[start.length - 1] as number);
  for (let box = 0; box < count; box++) {
    if (visible.open[box]) continue;
    const [left, right] = [reach[4 * box] as number, reach[4 * box + 2] as number];
    for (let row = reach[4 * box + 1] as number; row <= (reach[4 * box + 3] as number); row++) {
      for (let at = row * columns + left; at <= row * columns + right; at++) {
        boxes[next[at] as number] = box;
        next[at] = (next[at] as number) + 1;
      }
    }
  }
  return { frames, after: afterOf(visible, frames), cell, columns, rows, start, boxes };
}

/** A frame comes before what it holds, and all that it holds before what comes next. */
function afterOf({ frame, ids }: Visible, frames: Int32Array): Int32Array {
  const index = new Int32Array(ids.length).fill(-1);
  for (let at = 0; at < frames.length; at++) index[frames[at] as number] = at;
  const after = Int32Array.from(frames, (_, at) => at + 1);
  for (let at = frames.length - 1; at >= 0; at--) {
    const holder = index[frame[frames[at] as number] ?? -1] ?? -1;
    if (holder >= 0) after[holder] = Math.max(after[holder] as number, after[at] as number);
  }
  return after;
}

export class Places {
  readonly #placed: Placed;
  readonly #grid: Grid;
  readonly #seen: Uint32Array;
  #turn = 0;

  constructor(placed: Placed, grid: Grid) {
    this.#placed = placed;
    this.#grid = grid;
    this.#seen = new Uint32Array(placed.x.length);
  }

  /** The innermost box at a point; -1 where there is none. */
  at(x: number, y: number): number {
    const placed = this.#placed;
    const holds = (box: number) => {
      const [left, top] = [placed.x[box] as number, placed.y[box] as number];
      return (
        x >= left && y >= top && x <= left + (placed.width[box] as number) && y <= top + (placed.height[box] as number)
      );
    };
    const { frames, after, columns, start, boxes } = this.#grid;
    const [column, row] = cellsOf(this.#grid, x, y, 0, 0);
    const cell = row * columns + column;
    for (let index = start[cell] as number; index < (start[cell + 1] as number); index++) {
      const box = boxes[index] as number;
      if (holds(box)) return box;
    }
    // What is not in a frame is in none of those inside it; the last that fits is the innermost.
    let found = -1;
    for (let index = 0; index < frames.length; ) {
      const box = frames[index] as number;
      const inside = holds(box);
      if (inside) found = box;
      index = inside ? index + 1 : (after[index] as number);
    }
    return found;
  }

  /** Calls back with every box that a rectangle touches, frames first, until it is told to stop by `false`. */
  within(rect: Rect, visit: (box: number) => boolean | undefined): void {
    const placed = this.#placed;
    const touches = (box: number) =>
      (placed.x[box] as number) <= rect.x + rect.width &&
      (placed.x[box] as number) + (placed.width[box] as number) >= rect.x &&
      (placed.y[box] as number) <= rect.y + rect.height &&
      (placed.y[box] as number) + (placed.height[box] as number) >= rect.y;
    const { frames, after, columns, start, boxes } = this.#grid;
    for (let index = 0; index < frames.length; ) {
      const box = frames[index] as number;
      const inside = touches(box);
      if (inside && visit(box) === false) return;
      index = inside ? index + 1 : (after[index] as number);
    }
    const [left, top, right, bottom] = cellsOf(this.#grid, rect.x, rect.y, rect.width, rect.height);
    this.#turn += 1;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const cell = row * columns + column;
        for (let index = start[cell] as number; index < (start[cell + 1] as number); index++) {
          const box = boxes[index] as number;
          if (this.#seen[box] === this.#turn) continue;
          this.#seen[box] = this.#turn;
          if (touches(box) && visit(box) === false) return;
        }
      }
    }
  }
}

function cellsOf(
  { cell, columns, rows }: Pick<Grid, "cell" | "columns" | "rows">,
  x: number,
  y: number,
  width: number,
  height: number,
): [number, number, number, number] {
  const [right, bottom] = [columns - 1, rows - 1];
  return [
    within(x / cell, right),
    within(y / cell, bottom),
    within((x + width) / cell, right),
    within((y + height) / cell, bottom),
  ];
}

/** The cell of a place, from 0 to the last. */
function within(place: number, last: number): number {
  return Math.min(last, Math.max(0, Math.floor(place)));
}
