/** Cells that are smaller than a pixel: each pixel shows the strongest mistake beneath it, or else the strongest right answer. */
import { type Drawn, tone } from "./matrix";
import type { Window } from "./window";

export interface Bins {
  /** Bins along one side. */
  readonly side: number;
  /** Cells along one side of a bin; 1 where each has its own. */
  readonly across: number;
  /** First cell, down and across, of the first bin. */
  readonly y: number;
  readonly x: number;
  /** The cell that each bin shows, or -1. */
  readonly cells: Int32Array;
}

/** Bins of the cells in the window, `room` pixels wide: of a cell each, or of as many as a pixel covers. */
export function binned(drawn: Drawn, window: Window, room: number): Bins {
  const exact = window.scale >= 1;
  const across = exact ? 1 : 1 / window.scale;
  const x = exact ? Math.floor(window.x) : window.x;
  const y = exact ? Math.floor(window.y) : window.y;
  const side = exact
    ? Math.min(drawn.size, Math.ceil(window.y + room / window.scale) + 1) - Math.min(x, y)
    : Math.ceil(room);
  const cells = new Int32Array(side * side).fill(-1);
  const last = Math.min(drawn.size, Math.ceil(y + side * across));
  for (let row = Math.floor(y); row < last; row++) {
    const down = Math.floor((row - y) / across);
    if (down < 0 || down >= side) continue;
    for (let cell = drawn.starts[row] as number; cell < (drawn.starts[row + 1] as number); cell++) {
      const right = Math.floor(((drawn.xs[cell] as number) - x) / across);
      if (right < 0 || right >= side) continue;
      const bin = down * side + right;
      const before = cells[bin] as number;
      if (before < 0 || stronger(drawn, cell, before)) cells[bin] = cell;
    }
  }
  return { side, across, y, x, cells };
}

/** Mistakes before right answers, since they are what is looked for; of two alike the larger value. */
function stronger(drawn: Drawn, one: number, other: number): boolean {
  const wrong = drawn.xs[one] !== drawn.ys[one];
  if (wrong !== (drawn.xs[other] !== drawn.ys[other])) return wrong;
  return Math.abs(drawn.values[one] as number) > Math.abs(drawn.values[other] as number);
}

/** The bins as pixels, RGBA; a bin without a cell is left clear. */
export function pixelsOf(
  bins: Bins,
  drawn: Drawn,
  wrong: Uint8ClampedArray,
  right: Uint8ClampedArray,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * bins.cells.length);
  for (let bin = 0; bin < bins.cells.length; bin++) {
    const cell = bins.cells[bin] as number;
    if (cell < 0) continue;
    const table = drawn.xs[cell] === drawn.ys[cell] ? right : wrong;
    const place = 3 * Math.min(255, Math.round(255 * tone(drawn, cell)));
    pixels[4 * bin] = table[place] as number;
    pixels[4 * bin + 1] = table[place + 1] as number;
    pixels[4 * bin + 2] = table[place + 2] as number;
    pixels[4 * bin + 3] = 255;
  }
  return pixels;
}
