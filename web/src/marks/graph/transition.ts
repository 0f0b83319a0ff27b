/** Where every box and arrow of a new picture comes from, so that opening a module moves its surroundings and no more. */
import { PairTable } from "../../layout/pairs";
import type { Placed, Visible } from "../../layout/types";
import type { Camera } from "./camera";
import type { Picture } from "./picture";
import { lineOf, type OldLine } from "./strokes";

export interface Transition {
  /** x, y, width, height by box: where it was. */
  readonly from: Float32Array;
  /** 1 for boxes that were not to be seen. */
  readonly appears: Uint8Array;
  /** Where an arrow ran. */
  readonly line: OldLine;
}

/** The same in columns, as it comes from a worker: `was` is the arrow that ran between the same boxes, -1 where none did. */
export interface Moves extends Omit<Transition, "line"> {
  readonly was: Int32Array;
}

/** What is there of a picture to come from. */
export interface Stood {
  readonly visible: Pick<Visible, "ids" | "source" | "target">;
  readonly placed: Pick<Placed, "x" | "y" | "width" | "height" | "start" | "points">;
}

/** null where nothing moves and nothing is new. */
export function movesOf(old: Stood, now: Pick<Picture, "visible" | "placed">): Moves | null {
  const [before, after] = [old.placed, now.placed];
  const index = new Map<number, number>();
  old.visible.ids.forEach((id, box) => {
    index.set(id, box);
  });
  const count = now.visible.ids.length;
  const from = new Float32Array(4 * count);
  const appears = new Uint8Array(count);
  let moved = old.visible.ids.length !== count;
  for (let box = 0; box < count; box++) {
    const was = index.get(now.visible.ids[box] as number);
    const [x, y] = [after.x[box] as number, after.y[box] as number];
    const [width, height] = [after.width[box] as number, after.height[box] as number];
    if (was !== undefined) {
      const at = 4 * box;
      from[at] = before.x[was] as number;
      from[at + 1] = before.y[was] as number;
      from[at + 2] = before.width[was] as number;
      from[at + 3] = before.height[was] as number;
      moved ||= from[at] !== x || from[at + 1] !== y || from[at + 2] !== width || from[at + 3] !== height;
      continue;
    }
    appears[box] = 1;
    moved = true;
    // Inside what was just opened: from the same place within it when it was closed. A frame comes before what it holds.
    const frame = now.visible.frame[box] as number;
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
  return moved ? { from, appears, was: oldArrows(old.visible, now.visible) } : null;
}

function oldArrows(old: Stood["visible"], now: Stood["visible"]): Int32Array {
  const pairs = new PairTable(old.source.length);
  // Of several between the same two boxes the last.
  const last = new Int32Array(old.source.length);
  const pairOf = ({ ids, source, target }: Stood["visible"], arrow: number) =>
    [ids[source[arrow] as number] as number, ids[target[arrow] as number] as number] as const;
  for (let arrow = 0; arrow < old.source.length; arrow++) last[pairs.at(...pairOf(old, arrow))] = arrow;
  return now.source.map((_, arrow) => {
    const pair = pairs.get(...pairOf(now, arrow));
    return pair < 0 ? -1 : (last[pair] as number);
  });
}

/** Where arrows ran in what stood before. */
export function linesFrom(old: Stood["placed"], was: Int32Array): OldLine {
  return (arrow) => {
    const before = was[arrow] as number;
    return before < 0 ? null : lineOf(old, before);
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
