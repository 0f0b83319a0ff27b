/** Where the eye is: the point of the drawing at the view's left upper corner, and how many pixels one of its units takes. */

export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

export const MOST_SCALE = 2.5;
/** A whole drawing is never shown smaller than this; fitting may go below it. */
const LEAST_SCALE = 0.002;
const MARGIN = 24;

/** The whole of it in the middle, never larger than life. */
export function fitted(whole: Rect, view: Size): Camera {
  const room = { width: Math.max(1, view.width - 2 * MARGIN), height: Math.max(1, view.height - 2 * MARGIN) };
  const scale = Math.max(
    LEAST_SCALE,
    Math.min(1, room.width / Math.max(1, whole.width), room.height / Math.max(1, whole.height)),
  );
  return centred({ x: whole.x + whole.width / 2, y: whole.y + whole.height / 2 }, scale, view);
}

/** As wide as the view allows, from the top: how a tall graph is first met. */
export function fitWidth(whole: Rect, view: Size, least: number): Camera {
  const all = fitted(whole, view);
  if (all.scale >= least) return all;
  const wide = Math.min(1, Math.max(1, view.width - 2 * MARGIN) / Math.max(1, whole.width));
  const scale = Math.max(LEAST_SCALE, least, wide);
  return { x: whole.x + whole.width / 2 - view.width / scale / 2, y: whole.y - MARGIN / scale, scale };
}

export function centred(point: { x: number; y: number }, scale: number, view: Size): Camera {
  return { x: point.x - view.width / scale / 2, y: point.y - view.height / scale / 2, scale };
}

/** Nearer or further by a factor, with the point under (`x`, `y`) of the view where it is. */
export function zoom(camera: Camera, factor: number, x: number, y: number): Camera {
  const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, camera.scale * factor));
  return { x: camera.x + x / camera.scale - x / scale, y: camera.y + y / camera.scale - y / scale, scale };
}

/** Moved by pixels of the view, as the hand moves the paper. */
export function pan(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale };
}

/** The eye held so that some of the drawing stays in view. */
export function held(camera: Camera, whole: Rect, view: Size): Camera {
  const [wide, high] = [view.width / camera.scale, view.height / camera.scale];
  const clamp = (value: number, low: number, high: number) =>
    Math.max(Math.min(low, high), Math.min(low > high ? low : high, value));
  return {
    x: clamp(camera.x, whole.x - 0.75 * wide, whole.x + whole.width - 0.25 * wide),
    y: clamp(camera.y, whole.y - 0.75 * high, whole.y + whole.height - 0.25 * high),
    scale: camera.scale,
  };
}

export function toDrawing(camera: Camera, x: number, y: number): { x: number; y: number } {
  return { x: camera.x + x / camera.scale, y: camera.y + y / camera.scale };
}

export function toView(camera: Camera, x: number, y: number): { x: number; y: number } {
  return { x: (x - camera.x) * camera.scale, y: (y - camera.y) * camera.scale };
}

/** What of the drawing is in view. */
export function seen(camera: Camera, view: Size): Rect {
  return { x: camera.x, y: camera.y, width: view.width / camera.scale, height: view.height / camera.scale };
}

/** Whether a window holds a view and, around it, a share of its size. */
export function covers(window: Rect, view: Rect, share: number): boolean {
  const [across, down] = [share * view.width, share * view.height];
  return (
    view.x - across >= window.x &&
    view.y - down >= window.y &&
    view.x + view.width + across <= window.x + window.width &&
    view.y + view.height + down <= window.y + window.height
  );
}

/** The least move that brings a rectangle into view; the same camera where it is there already. */
export function reveal(camera: Camera, rect: Rect, view: Size): Camera {
  const now = seen(camera, view);
  const margin = Math.min(MARGIN / camera.scale, now.width / 8, now.height / 8);
  const shift = (start: number, extent: number, from: number, length: number) => {
    if (length + 2 * margin > extent) return from - margin - start;
    if (from - margin < start) return from - margin - start;
    if (from + length + margin > start + extent) return from + length + margin - start - extent;
    return 0;
  };
  const dx = shift(now.x, now.width, rect.x, rect.width);
  const dy = shift(now.y, now.height, rect.y, rect.height);
  return dx === 0 && dy === 0 ? camera : { x: camera.x + dx, y: camera.y + dy, scale: camera.scale };
}

export function between(from: Camera, to: Camera, share: number): Camera {
  // The scale goes by factors, so that a zoom looks even; at one scale the rest is a straight line.
  const scale = from.scale === to.scale ? to.scale : from.scale * (to.scale / from.scale) ** share;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share, scale };
}
