/** Where every box and arrow of a new picture comes from, so that opening a module moves its surroundings and no more. */
import type { Camera } from "./camera";
import type { Picture } from "./picture";
import { lineOf, type OldLine } from "./strokes";

export interface Transition {
  /** x, y, width, height by box: where it was. */
  readonly from: Float32Array;
  /** 1 for boxes that were not to be seen. */
  readonly appears: Uint8Array;
  /** Where an arrow ran; null instead where there are too many to move. */
  readonly line: OldLine | null;
}

/** Up to so many arrows move; above, they stand where they end at once. */
const MOST_MOVED = 30_000;

export function transition(old: Picture, now: Picture): Transition {
  const [before, after] = [old.placed, now.placed];
  const index = new Map<number, number>();
  old.visible.ids.forEach((id, box) => {
    index.set(id, box);
  });
  const count = now.visible.ids.length;
  const from = new Float32Array(4 * count);
  const appears = new Uint8Array(count);
  for (let box = 0; box < count; box++) {
    const was = index.get(now.visible.ids[box] as number);
    if (was !== undefined) {
      from.set([before.x[was], before.y[was], before.width[was], before.height[was]] as number[], 4 * box);
      continue;
    }
    appears[box] = 1;
    // Inside what was just opened: from the same place within it when it was closed. A frame comes before what it holds.
    const frame = now.visible.frame[box] as number;
    const [x, y] = [after.x[box] as number, after.y[box] as number];
    const [width, height] = [after.width[box] as number, after.height[box] as number];
    if (frame < 0) {
      from.set([x, y, width, height], 4 * box);
      continue;
    }
    const across = (from[4 * frame + 2] as number) / Math.max(1, after.width[frame] as number);
    const down = (from[4 * frame + 3] as number) / Math.max(1, after.height[frame] as number);
    from.set(
      [
        (from[4 * frame] as number) + (x - (after.x[frame] as number)) * across,
        (from[4 * frame + 1] as number) + (y - (after.y[frame] as number)) * down,
        width * across,
        height * down,
      ],
      4 * box,
    );
  }
  return { from, appears, line: oldLines(old, now) };
}

function oldLines(old: Picture, now: Picture): OldLine | null {
  if (Math.max(old.visible.source.length, now.visible.source.length) > MOST_MOVED) return null;
  const key = (picture: Picture, arrow: number) =>
    `${picture.visible.ids[picture.visible.source[arrow] as number]} ${picture.visible.ids[picture.visible.target[arrow] as number]}`;
  const arrows = new Map<string, number>();
  for (let arrow = 0; arrow < old.visible.source.length; arrow++) arrows.set(key(old, arrow), arrow);
  return (arrow) => {
    const was = arrows.get(key(now, arrow));
    return was === undefined ? null : lineOf(old.placed, was);
  };
}

/** The camera that leaves a box's middle of its upper edge where it is on screen. */
export function keeping(camera: Camera, old: Picture, now: Picture, id: number): Camera {
  const was = old.visible.ids.indexOf(id);
  const is = now.visible.ids.indexOf(id);
  if (was < 0 || is < 0) return camera;
  const middle = ({ placed }: Picture, box: number) => (placed.x[box] as number) + (placed.width[box] as number) / 2;
  return {
    ...camera,
    x: camera.x + middle(now, is) - middle(old, was),
    y: camera.y + (now.placed.y[is] as number) - (old.placed.y[was] as number),
  };
}

/** Quick at first, then at rest. */
export function eased(share: number): number {
  const rest = 1 - Math.min(1, Math.max(0, share));
  return 1 - rest * rest * rest;
}
