/** Which boxes are where: a grid over the closed boxes, a plain list of the frames. */
import type { Placed, Visible } from "../../layout/types";
import type { Rect } from "./camera";

const LEAST_CELL = 96;

export class Places {
  readonly #placed: Placed;
  readonly #frames: Int32Array;
  readonly #cell: number;
  readonly #columns: number;
  readonly #rows: number;
  /** Boxes of cell c are #boxes[#start[c]] up to #start[c + 1]. */
  readonly #start: Uint32Array;
  readonly #boxes: Uint32Array;
  readonly #seen: Uint32Array;
  #turn = 0;

  constructor(visible: Visible, placed: Placed) {
    this.#placed = placed;
    const count = visible.ids.length;
    this.#frames = Int32Array.from(visible.open.keys()).filter((box) => visible.open[box] === 1);
    const area = Math.max(1, placed.right) * Math.max(1, placed.bottom);
    this.#cell = Math.max(LEAST_CELL, Math.sqrt(area / Math.max(1, count)));
    this.#columns = Math.max(1, Math.ceil(placed.right / this.#cell));
    this.#rows = Math.max(1, Math.ceil(placed.bottom / this.#cell));
    const start = new Uint32Array(this.#columns * this.#rows + 1);
    const each = (visit: (cell: number, box: number) => void) => {
      for (let box = 0; box < count; box++) {
        if (visible.open[box]) continue;
        const [left, top, right, bottom] = this.#cells(
          placed.x[box] ?? 0,
          placed.y[box] ?? 0,
          placed.width[box] ?? 0,
          placed.height[box] ?? 0,
        );
        for (let row = top; row <= bottom; row++)
          for (let column = left; column <= right; column++) visit(row * this.#columns + column, box);
      }
    };
    each((cell) => {
      start[cell + 1] = (start[cell + 1] as number) + 1;
    });
    for (let cell = 1; cell < start.length; cell++) start[cell] = (start[cell] as number) + (start[cell - 1] as number);
    const next = start.slice();
    const boxes = new Uint32Array(start[start.length - 1] as number);
    each((cell, box) => {
      boxes[next[cell] as number] = box;
      next[cell] = (next[cell] as number) + 1;
    });
    this.#start = start;
    this.#boxes = boxes;
    this.#seen = new Uint32Array(count);
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
    const [column, row] = this.#cells(x, y, 0, 0);
    const cell = row * this.#columns + column;
    for (let index = this.#start[cell] as number; index < (this.#start[cell + 1] as number); index++) {
      const box = this.#boxes[index] as number;
      if (holds(box)) return box;
    }
    // A frame comes before what it holds, so the last that fits is the innermost.
    for (let index = this.#frames.length - 1; index >= 0; index--) {
      const box = this.#frames[index] as number;
      if (holds(box)) return box;
    }
    return -1;
  }

  /** Calls back with every box that a rectangle touches, frames first, until it is told to stop by `false`. */
  within(rect: Rect, visit: (box: number) => boolean | undefined): void {
    const placed = this.#placed;
    const touches = (box: number) =>
      (placed.x[box] as number) <= rect.x + rect.width &&
      (placed.x[box] as number) + (placed.width[box] as number) >= rect.x &&
      (placed.y[box] as number) <= rect.y + rect.height &&
      (placed.y[box] as number) + (placed.height[box] as number) >= rect.y;
    for (const box of this.#frames) if (touches(box) && visit(box) === false) return;
    const [left, top, right, bottom] = this.#cells(rect.x, rect.y, rect.width, rect.height);
    this.#turn += 1;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const cell = row * this.#columns + column;
        for (let index = this.#start[cell] as number; index < (this.#start[cell + 1] as number); index++) {
          const box = this.#boxes[index] as number;
          if (this.#seen[box] === this.#turn) continue;
          this.#seen[box] = this.#turn;
          if (touches(box) && visit(box) === false) return;
        }
      }
    }
  }

  #cells(x: number, y: number, width: number, height: number): [number, number, number, number] {
    const place = (value: number, most: number) => Math.min(most - 1, Math.max(0, Math.floor(value / this.#cell)));
    return [
      place(x, this.#columns),
      place(y, this.#rows),
      place(x + width, this.#columns),
      place(y + height, this.#rows),
    ];
  }
}
