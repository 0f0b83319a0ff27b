/** The layout of a whole graph: every open frame by itself, the inner ones first, each then a box in the one around it. */
import { listed } from "./columns";
import type { FrameInput, FrameLayout } from "./frame";
import { FrameCache } from "./framecache";
import { layFrame } from "./layered";
import { HEADER, type Placed, type Visible } from "./types";

/** Arrows of one frame, and which of the graph's ports its nodes are. */
interface Framed {
  readonly children: Int32Array;
  readonly arrows: Int32Array;
  readonly ports: readonly number[];
  readonly layout: FrameLayout;
}

/** Yields wherever it can be stopped. Frames that the cache knows are not laid out again. */
export function* layOut(visible: Visible, cache = new FrameCache()): Generator<undefined, Placed> {
  const count = visible.ids.length;
  const arrows = visible.source.length;
  const width = visible.width.slice();
  const height = visible.height.slice();
  // The top is kept under `count`.
  const children = listed(
    visible.frame.map((frame) => (frame < 0 ? count : frame)),
    count + 1,
  );
  const within = listed(drawnIn(visible), count + 1);
  const portX = new Float32Array(portsOf(visible)).fill(Number.NaN);
  const local = new Int32Array(count).fill(-1);
  const frames: (Framed | undefined)[] = new Array(count + 1);
  const inside = function* (frame: number): Generator<undefined, void> {
    const held = children.items.subarray(children.start[frame], children.start[frame + 1]);
    const drawn = within.items.subarray(within.start[frame], within.start[frame + 1]);
    held.forEach((box, at) => {
      local[box] = at;
    });
    const { input, ports } = inputOf(visible, frame, held, drawn, { width, height, portX, local });
    const known = cache.get(input);
    const layout = known ?? (yield* layFrame(input));
    if (!known) cache.put(input, layout);
    ports.forEach((port, at) => {
      portX[port] = layout.portX[at] as number;
    });
    frames[frame] = { children: held, arrows: drawn, ports, layout };
    if (frame < count) {
      width[frame] = layout.width;
      height[frame] = layout.height + HEADER;
    }
  };
  for (let frame = count - 1; frame >= 0; frame--) {
    if (!visible.open[frame]) continue;
    yield* inside(frame);
    yield;
  }
  yield* inside(count);

  const x = new Float32Array(count);
  const y = new Float32Array(count);
  const rank = new Int32Array(count);
  const route = new Uint8Array(arrows);
  const start = new Uint32Array(arrows + 1);
  // A frame comes before what it holds: where it stands is known when its inside is moved there.
  const sequence = [count, ...frames.keys()].slice(0, count + 1);
  for (const frame of sequence) {
    const framed = frames[frame];
    if (!framed) continue;
    const [left, top] = frame === count ? [0, 0] : [x[frame] as number, (y[frame] as number) + HEADER];
    framed.children.forEach((box, at) => {
      x[box] = left + (framed.layout.x[at] as number);
      y[box] = top + (framed.layout.y[at] as number);
      rank[box] = framed.layout.rank[at] as number;
    });
    framed.arrows.forEach((arrow, at) => {
      route[arrow] = framed.layout.route[at] as number;
      start[arrow + 1] = (framed.layout.start[at + 1] as number) - (framed.layout.start[at] as number);
    });
  }
  yield;
  for (let arrow = 0; arrow < arrows; arrow++)
    start[arrow + 1] = (start[arrow + 1] as number) + (start[arrow] as number);
  const points = new Float32Array(2 * (start[arrows] as number));
  for (const frame of sequence) {
    const framed = frames[frame];
    if (!framed) continue;
    const [left, top] = frame === count ? [0, 0] : [x[frame] as number, (y[frame] as number) + HEADER];
    framed.arrows.forEach((arrow, at) => {
      const from = 2 * (framed.layout.start[at] as number);
      const length = 2 * (framed.layout.start[at + 1] as number) - from;
      const to = 2 * (start[arrow] as number);
      for (let item = 0; item < length; item += 2) {
        points[to + item] = left + (framed.layout.points[from + item] as number);
        points[to + item + 1] = top + (framed.layout.points[from + item + 1] as number);
      }
    });
  }
  const whole = frames[count]?.layout;
  return { x, y, width, height, rank, route, start, points, right: whole?.width ?? 0, bottom: whole?.height ?? 0 };
}

/** By arrow: the frame in which it is drawn; the number of boxes for the top. */
function drawnIn({ source, target, frame, ids }: Visible): Int32Array {
  return source.map((from, arrow) => {
    const to = target[arrow] as number;
    const above = frame[to] === from ? from : frame[from] === to ? to : (frame[from] as number);
    return above < 0 ? ids.length : above;
  });
}

function portsOf({ sourcePort, targetPort }: Visible): number {
  let most = -1;
  for (const port of sourcePort) most = Math.max(most, port);
  for (const port of targetPort) most = Math.max(most, port);
  return most + 1;
}

function inputOf(
  visible: Visible,
  frame: number,
  held: Int32Array,
  drawn: Int32Array,
  known: { width: Float32Array; height: Float32Array; portX: Float32Array; local: Int32Array },
): { input: FrameInput; ports: readonly number[] } {
  const entries = new Map<number, number>();
  const exits = new Map<number, number>();
  for (const arrow of drawn) {
    const into = visible.sourcePort[arrow] as number;
    const outOf = visible.targetPort[arrow] as number;
    if (visible.source[arrow] === frame && !entries.has(into)) entries.set(into, entries.size);
    if (visible.target[arrow] === frame && !exits.has(outOf)) exits.set(outOf, exits.size);
  }
  const boxes = held.length;
  const count = drawn.length;
  const source = new Int32Array(count);
  const target = new Int32Array(count);
  const leavesAt = new Float32Array(count).fill(Number.NaN);
  const arrivesAt = new Float32Array(count).fill(Number.NaN);
  const at = (port: number) => (port < 0 ? Number.NaN : (known.portX[port] as number));
  drawn.forEach((arrow, index) => {
    const from = visible.source[arrow] as number;
    const to = visible.target[arrow] as number;
    const fromPort = visible.sourcePort[arrow] as number;
    const toPort = visible.targetPort[arrow] as number;
    source[index] = from === frame ? boxes + (entries.get(fromPort) as number) : (known.local[from] as number);
    target[index] = to === frame ? boxes + entries.size + (exits.get(toPort) as number) : (known.local[to] as number);
    if (from !== frame) leavesAt[index] = at(fromPort);
    if (to !== frame) arrivesAt[index] = at(toPort);
  });
  const input = {
    boxes,
    entries: entries.size,
    exits: exits.size,
    leastWidth: frame < visible.ids.length ? (visible.width[frame] as number) : 0,
    width: Float32Array.from(held, (box) => known.width[box] as number),
    height: Float32Array.from(held, (box) => known.height[box] as number),
    source,
    target,
    leavesAt,
    arrivesAt,
    back: Uint8Array.from(drawn, (arrow) => visible.back[arrow] as number),
  };
  return { input, ports: [...entries.keys(), ...exits.keys()] };
}
