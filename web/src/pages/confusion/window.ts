/** The part of the matrix that is on screen: how near, and where. */

export interface Window {
  /** Pixels of a cell's side. */
  readonly scale: number;
  /** Of the top left corner, in cells. */
  readonly x: number;
  readonly y: number;
}

/** No cell is drawn larger. */
export const LARGEST = 44;

export const fitted = (size: number, room: number): number => Math.min(LARGEST, room / Math.max(1, size));

/** Kept on the matrix, and neither nearer nor farther than makes sense. */
export function kept({ scale, x, y }: Window, size: number, room: number): Window {
  const near = Math.min(Math.max(scale, fitted(size, room)), Math.max(LARGEST, fitted(size, room)));
  const most = Math.max(0, size - room / near);
  return { scale: near, x: Math.min(most, Math.max(0, x)), y: Math.min(most, Math.max(0, y)) };
}

/** Nearer or farther around a point of the screen, in pixels from the corner. */
export function zoomed(window: Window, factor: number, atX: number, atY: number, size: number, room: number): Window {
  const { scale } = kept({ ...window, scale: window.scale * factor }, size, room);
  const x = window.x + atX / window.scale - atX / scale;
  const y = window.y + atY / window.scale - atY / scale;
  return kept({ scale, x, y }, size, room);
}

/** The nearest look that holds all of a block, a little of its surroundings with it. */
export function around(
  rows: readonly [number, number],
  columns: readonly [number, number],
  size: number,
  room: number,
): Window {
  const most = Math.max(rows[1] - rows[0], columns[1] - columns[0]) + 1;
  const scale = Math.min(LARGEST, room / (1.1 * most));
  const middle = (span: readonly [number, number]) => (span[0] + span[1] + 1) / 2 - room / scale / 2;
  return kept({ scale, x: middle(columns), y: middle(rows) }, size, room);
}

/** Moved no farther than it takes to see a cell. */
export function showing(window: Window, y: number, x: number, size: number, room: number): Window {
  const seen = room / window.scale;
  const along = (from: number, place: number) => Math.min(place, Math.max(from, place + 1 - seen));
  return kept({ ...window, x: along(window.x, x), y: along(window.y, y) }, size, room);
}
