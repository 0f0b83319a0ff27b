/** Where every box and arrow of a new picture comes from, so that opening a module moves its surroundings and no more. */
import { PairTable } from "../../layout/pairs";
import type { Placed, Visible } from "../../layout/types";
import type { Camera, Size } from "./camera";
import type { Picture } from "./picture";
import { runBoundsOf } from "./runs";
import { lineOf, type OldLine } from "./strokes";

export interface Transition {
  /** x, y, width, height by box: where it was. */
  readonly from: Float32Array;
  /** 1 for boxes that were not to be seen. */
  readonly appears: Uint8Array;
  /** Where an arrow ran. */
  readonly line: OldLine;
  /** Bounds of runs of arrows all the way from where they were. */
  readonly runs: Float32Array;
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
  const boxOf = boxesById(old.visible.ids);
  const count = now.visible.ids.length;
  const from = new Float32Array(4 * count);
  const appears = new Uint8Array(count);
  let moved = old.visible.ids.length !== count;
  for (let box = 0; box < count; box++) {
    const was = boxOf(now.visible.ids[box] as number);
    const [x, y] = [after.x[box] as number, after.y[box] as number];
    const [width, height] = [after.width[box] as number, after.height[box] as number];
    if (was >= 0) {
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
  if (!moved) return null;
  const was = oldArrows(old.visible, now.visible);
  return { from, appears, was, runs: runBoundsOf(after, linesFrom(before, was)) };
}

/** The box of a node; -1 where it has none. Ids mostly count from 0, but a record may hold any. */
function boxesById(ids: Int32Array): (id: number) => number {
  let most = 0;
  for (let box = 0; box < ids.length; box++) most = Math.max(most, ids[box] as number);
  if (most > 1_000_000 + 16 * ids.length) {
    const index = new Map(Array.from(ids, (id, box) => [id, box]));
    return (id) => index.get(id) ?? -1;
  }
  const index = new Int32Array(most + 1).fill(-1);
  for (let box = 0; box < ids.length; box++) index[ids[box] as number] = box;
  return (id) => index[id] ?? -1;
}

function oldArrows(old: Stood["visible"], now: Stood["visible"]): Int32Array {
  const pairs = new PairTable(old.source.length);
  // Of several between the same two boxes the last.
  const last = new Int32Array(old.source.length);
  for (let arrow = 0; arrow < old.source.length; arrow++)
    last[pairs.at(old.ids[old.source[arrow] as number] as number, old.ids[old.target[arrow] as number] as number)] =
      arrow;
  const was = new Int32Array(now.source.length);
  for (let arrow = 0; arrow < was.length; arrow++) {
    const source = now.ids[now.source[arrow] as number] as number;
    const pair = pairs.get(source, now.ids[now.target[arrow] as number] as number);
    was[arrow] = pair < 0 ? -1 : (last[pair] as number);
  }
  return was;
}

/** Where arrows ran in what stood before. */
export function linesFrom(old: Stood["placed"], was: Int32Array): OldLine {
  return (arrow) => {
    const before = was[arrow] as number;
    return before < 0 ? null : lineOf(old, before);
  };
}

/** The id of the box in both pictures whose upper edge is, of all in view, nearest to the middle; null where none is. */
export function midmost(camera: Camera, view: Size, { visible, placed }: Picture, now: Picture): number | null {
  const there = boxesById(now.visible.ids);
  const [wide, high] = [view.width / camera.scale / 2, view.height / camera.scale / 2];
  let [least, found] = [Number.POSITIVE_INFINITY, -1];
  for (let box = 0; box < visible.ids.length; box++) {
    const across = Math.abs((placed.x[box] as number) + (placed.width[box] as number) / 2 - camera.x - wide);
    const down = Math.abs((placed.y[box] as number) - camera.y - high);
    if (across > wide || down > high || across + down >= least || there(visible.ids[box] as number) < 0) continue;
    [least, found] = [across + down, box];
  }
  return found < 0 ? null : (visible.ids[found] as number);
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
