/** What is to be seen of a graph: some modules open, groups drawn once or spread, arrows lifted to what is seen. */
import type { GraphNode } from "../record/schema.gen";
import { labelled } from "./activations";
import { type Drawn, lift } from "./lift";
import type { GraphModel } from "./model";
import type { Columns, Visible } from "./types";

export interface FoldState {
  /** Ids of the modules whose inside is seen. */
  readonly open: ReadonlySet<number>;
  /** Groups whose members are seen one by one, by the id of their first call. */
  readonly spread: ReadonlySet<number>;
  /** Whether an activation between one source and one target is written on the arrow instead. */
  readonly activationsOnArrows?: boolean;
  /** Width and height of a box that is not open, in pixels; `boxSize` where none is given. */
  readonly size?: (node: GraphNode, times: number) => readonly [number, number];
}

/** The same by place and by group, as columns. */
export interface Folding {
  /** 1 where a call's inside is seen. */
  readonly opened: Uint8Array;
  /** 1 where the members of a group are drawn once. */
  readonly once: Uint8Array;
  readonly activationsOnArrows: boolean;
}

export interface FoldedColumns {
  readonly visible: Visible;
  /** By box, the place of its call. */
  readonly places: Int32Array;
  /** By place, the box that is the call, holds it or stands for it; -1 where it is written on an arrow. */
  readonly box: Int32Array;
}

export interface Folded {
  readonly visible: Visible;
  /** The box that is a call, holds it or stands for it; -1 where the call is not there or written on an arrow. */
  boxAt(id: number): number;
}

const CHARACTER = 6.6;
const HEIGHT = 28;

/** Size of a box that shows a call's name, and how often it is repeated. */
export function boxSize(node: GraphNode, times: number): readonly [number, number] {
  const label = node.name || node.operation;
  const letters =
    Math.max(label.length, Math.min(node.operation.length, 22)) + (times > 1 ? 3 + String(times).length : 0);
  return [Math.round(Math.min(208, Math.max(56, letters * CHARACTER + 24))), HEIGHT];
}

/** Costs one pass over the calls and one over the edges. */
export function fold(model: GraphModel, state: FoldState): Folded {
  const size = state.size ?? boxSize;
  const { visible, box } = foldColumns(model, foldingOf(model, state), (place, times) => size(model.at(place), times));
  return {
    visible,
    boxAt(id) {
      const place = model.place(id);
      return place < 0 ? -1 : (box[place] as number);
    },
  };
}

export function foldingOf(model: GraphModel, state: FoldState): Folding {
  return {
    opened: openedOf(model, state.open),
    once: onceOf(model, state.spread),
    activationsOnArrows: state.activationsOnArrows ?? false,
  };
}

export function openedOf(model: GraphModel, open: ReadonlySet<number>): Uint8Array<ArrayBuffer> {
  const opened = new Uint8Array(model.order.length);
  for (const id of open) {
    const place = model.place(id);
    if (place >= 0 && (model.end[place] as number) > place + 1) opened[place] = 1;
  }
  return opened;
}

export function onceOf(model: GraphModel, spread: ReadonlySet<number>): Uint8Array {
  return Uint8Array.from(model.groups, ({ first }) => Number(!spread.has(first)));
}

/** How many boxes are seen, activations as boxes: costs one pass over those alone. */
export function boxesSeen({ parent, end, group, member }: Columns, { opened, once }: Folding): number {
  let boxes = 0;
  for (let at = 0; at < parent.length; ) {
    const own = group[at] as number;
    const stands = own < 0 || !once[own] || member[at] === 0;
    boxes += Number(stands);
    at = stands && opened[at] ? at + 1 : (end[at] as number);
  }
  return boxes;
}

/** `size` gives width and height of a box, in pixels, from its call's place, how many blocks it stands for, and if it is open. */
export function foldColumns(
  model: Columns,
  state: Folding,
  size: (place: number, times: number, open: boolean) => readonly [number, number],
): FoldedColumns {
  const drawn = drawnCalls(model, state);
  const arrows = lift(model, drawn);
  const { places, frame, open } = drawn;
  const count = places.length;
  const width = new Float32Array(count);
  const height = new Float32Array(count);
  const times = new Int32Array(count);
  const group = new Int32Array(count);
  const ids = new Int32Array(count);
  for (let box = 0; box < count; box++) {
    const place = places[box] as number;
    const own = model.group[place] as number;
    ids[box] = model.ids[place] as number;
    group[box] = own;
    times[box] = own >= 0 && state.once[own] ? (model.times[own] as number) : 1;
    [width[box], height[box]] = size(place, times[box] as number, open[box] === 1) as [number, number];
  }
  const visible: Visible = { ids, frame, open, times, group, width, height, ...arrows };
  if (!state.activationsOnArrows) return { visible, places, box: drawn.box };
  const result = labelled(visible, (box) => model.activation[places[box] as number] === 1);
  return {
    visible: result.visible,
    places: places.filter((_, box) => (result.kept[box] as number) >= 0),
    box: drawn.box.map((box) => (box < 0 ? -1 : (result.kept[box] as number))),
  };
}

/** Which calls are boxes, which box each call lies in, and which call stands for it where its group is drawn once. */
function drawnCalls(model: Columns, { opened, once }: Folding): Drawn {
  const { parent, end, group, member, counterpart } = model;
  const count = parent.length;
  const stands = new Int32Array(count);
  const box = new Int32Array(count);
  const places = new Int32Array(count);
  const frame = new Int32Array(count);
  const open = new Uint8Array(count);
  let boxes = 0;
  for (let at = 0; at < count; at++) {
    const above = parent[at] as number;
    const there = above < 0 ? -1 : (stands[above] as number);
    const own = group[at] as number;
    if (there !== above) {
      // Inside what is drawn elsewhere: the same place there, where the two are built alike.
      const alike = (end[above] as number) - above === (end[there] as number) - there;
      stands[at] = alike ? (stands[there + at - above] as number) : there;
    } else if (own >= 0 && once[own] && (member[at] as number) > 0) {
      stands[at] = stands[counterpart[at] as number] as number;
    } else {
      stands[at] = at;
    }
    const standing = stands[at] as number;
    if (standing !== at) {
      box[at] = box[standing] as number;
    } else if (above < 0 || (opened[above] && places[box[above] as number] === above)) {
      box[at] = boxes;
      places[boxes] = at;
      frame[boxes] = above < 0 ? -1 : (box[above] as number);
      open[boxes] = opened[at] as number;
      boxes++;
    } else {
      box[at] = box[above] as number;
    }
  }
  return {
    stands,
    box,
    places: places.slice(0, boxes),
    frame: frame.slice(0, boxes),
    open: open.slice(0, boxes),
    once: (place) => once[group[place] as number] === 1,
  };
}
