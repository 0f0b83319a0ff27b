/** Heights of the ranks, and the corners of every arrow's line. */
import { type FrameInput, nodesOf, SPACE } from "./frame";
import type { Layers } from "./layers";
import { halfOf } from "./place";
import type { Plan } from "./plan";
import type { Ranks } from "./ranks";
import type { Slots } from "./slots";
import { Tracks } from "./tracks";
import { Route } from "./types";

export interface Lines {
  /** Of each box, its upper side; NaN for those that no arrow joins. */
  readonly y: Float32Array;
  readonly height: number;
  readonly start: Uint32Array;
  readonly points: Float32Array;
}

/** Corner rows of stubs, from the ranks that they leave and reach. */
const STUB = 10;

export function linesOf(
  input: FrameInput,
  ranks: Ranks,
  layers: Layers,
  middle: Float32Array,
  plan: Plan,
  slots: Slots,
): Lines {
  const { source, target } = input;
  const { rank } = ranks;
  const real = nodesOf(input);
  const tracks = new Tracks();
  // Gap g lies above rank g. A row is owned by the source where a line leaves, by the target where it arrives.
  const gapBelow = (arrow: number) => (rank[source[arrow] as number] as number) + 1;
  const gapAbove = (arrow: number) => rank[target[arrow] as number] as number;
  const leaver = (arrow: number) => source[arrow] as number;
  const arriver = (arrow: number) => real + (target[arrow] as number);
  for (let arrow = 0; arrow < source.length; arrow++) {
    const route = plan.route[arrow];
    if (route !== Route.lane && route !== Route.back) continue;
    const lane = laneFrom(arrow, layers, middle, plan);
    tracks.ask(gapBelow(arrow), leaver(arrow), slots.leaves[arrow] as number, lane);
    if (plan.side[arrow] === 0) {
      tracks.ask(gapAbove(arrow), arriver(arrow), plan.lane[arrow] as number, slots.arrives[arrow] as number);
    }
  }
  const widest = wanderings(layers, middle, ranks.count);
  const rows = rowsOf(input, ranks, (gap) => tracks.settle(gap, SPACE.track), widest);

  const start = new Uint32Array(source.length + 1);
  const pen = new Pen(source.length * 8);
  for (let arrow = 0; arrow < source.length; arrow++) {
    start[arrow] = pen.corners;
    pen.begin();
    const from = source[arrow] as number;
    const to = target[arrow] as number;
    const leaves = slots.leaves[arrow] as number;
    const arrives = slots.arrives[arrow] as number;
    const bottom = rows.bottomOf(from);
    const top = rows.topOf(to);
    const rowBelow = rows.trackY(gapBelow(arrow), tracks.row(gapBelow(arrow), leaver(arrow)));
    const rowAbove = rows.trackY(gapAbove(arrow), tracks.row(gapAbove(arrow), arriver(arrow)));
    const lane = plan.lane[arrow] as number;
    pen.to(leaves, bottom);
    if (plan.route[arrow] === Route.flow) {
      pen.to(leaves, rows.bottom[rank[from] as number] as number);
      passing(pen, layers, middle, rows, arrow, rank[from] as number, rank[to] as number);
      pen.to(arrives, rows.top[rank[to] as number] as number);
    } else if (plan.route[arrow] === Route.stub) {
      const below = (rows.bottom[rank[from] as number] as number) + STUB;
      const above = (rows.top[rank[to] as number] as number) - STUB;
      pen.to(leaves, below);
      pen.to(lane, below);
      pen.to(lane, above);
      pen.to(arrives, above);
    } else {
      const first = laneFrom(arrow, layers, middle, plan);
      pen.to(leaves, rowBelow);
      pen.to(first, rowBelow);
      if ((layers.first[arrow] as number) >= 0) {
        passing(pen, layers, middle, rows, arrow, rank[from] as number, rank[to] as number);
      }
      if (plan.side[arrow] !== 0) {
        const height = input.height[to] as number;
        const y = top + height / 2 + beside(plan.below[arrow] as number, height);
        pen.to(lane, y);
        pen.to((middle[to] as number) + (plan.side[arrow] as number) * halfOf(input, to), y);
        continue;
      }
      pen.to(lane, rowAbove);
      pen.to(arrives, rowAbove);
    }
    pen.to(arrives, top);
  }
  start[source.length] = pen.corners;
  const y = Float32Array.from({ length: input.boxes }, (_, box) =>
    (rank[box] as number) < 0 ? Number.NaN : rows.topOf(box),
  );
  return { y, height: rows.height, start, points: pen.taken() };
}

/** How far below the middle of a box's side a line ends: a few apart, many as one. */
function beside(below: number, height: number): number {
  return below > 2 ? 0 : below * Math.min(SPACE.track, height / 6);
}

/** Where the lane of an arrow begins: lines that pass through ranks may bend on their way. */
function laneFrom(arrow: number, layers: Layers, middle: Float32Array, plan: Plan): number {
  const first = layers.first[arrow] as number;
  return first >= 0 ? (middle[first] as number) : (plan.lane[arrow] as number);
}

/** Straight down past every rank between. */
function passing(
  pen: Pen,
  layers: Layers,
  middle: Float32Array,
  rows: Rows,
  arrow: number,
  from: number,
  to: number,
): void {
  const first = layers.first[arrow] as number;
  if (first < 0) return;
  for (let at = from + 1; at < to; at++) {
    const x = middle[first + at - from - 1] as number;
    pen.to(x, rows.top[at] as number);
    pen.to(x, rows.bottom[at] as number);
  }
}

/** By gap: how far sideways the lines go that lead from one rank to the next. */
function wanderings(layers: Layers, middle: Float32Array, ranks: number): Float32Array {
  const widest = new Float32Array(ranks + 1);
  for (let part = 0; part < layers.upper.length; part++) {
    const lower = layers.lower[part] as number;
    const across = Math.abs((middle[layers.upper[part] as number] as number) - (middle[lower] as number));
    const gap = layers.rank[lower] as number;
    widest[gap] = Math.max(widest[gap] as number, across);
  }
  return widest;
}

interface Rows {
  readonly top: Float32Array;
  readonly bottom: Float32Array;
  readonly height: number;
  topOf(node: number): number;
  bottomOf(node: number): number;
  trackY(gap: number, row: number): number;
}

function rowsOf(input: FrameInput, ranks: Ranks, tracksIn: (gap: number) => number, widest: Float32Array): Rows {
  const { rank, count } = ranks;
  const tall = new Float32Array(count);
  for (let box = 0; box < input.boxes; box++) {
    const at = rank[box] as number;
    if (at >= 0) tall[at] = Math.max(tall[at] as number, input.height[box] as number);
  }
  const top = new Float32Array(count);
  const bottom = new Float32Array(count);
  const firstTrack = new Float32Array(count + 1);
  const portsAbove = input.entries > 0;
  const portsBelow = input.exits > 0;
  let y = 0;
  for (let gap = 0; gap <= count; gap++) {
    const tracks = tracksIn(gap);
    const outermost = gap === 0 ? portsAbove : gap === count ? portsBelow : false;
    const besidePorts = (portsAbove && gap === 1) || (portsBelow && gap === count - 1);
    const plain =
      gap === 0 || gap === count ? (outermost ? 0 : SPACE.padding) : besidePorts ? SPACE.ports : SPACE.ranks;
    // Lines that go far sideways get room, or they would lie flat on the boxes.
    const room = gap > 0 && gap < count ? Math.min(28, ((widest[gap] as number) / 240) * 14) : 0;
    const size = plain + room + tracks * SPACE.track;
    firstTrack[gap] = y + (size - Math.max(0, tracks - 1) * SPACE.track) / 2;
    y += size;
    if (gap === count) break;
    top[gap] = y;
    y += tall[gap] as number;
    bottom[gap] = y;
  }
  const topOf = (node: number) => {
    const at = rank[node] as number;
    const height = node < input.boxes ? (input.height[node] as number) : 0;
    return (top[at] as number) + ((tall[at] as number) - height) / 2;
  };
  return {
    top,
    bottom,
    height: y,
    topOf,
    bottomOf: (node) => topOf(node) + (node < input.boxes ? (input.height[node] as number) : 0),
    trackY: (gap, row) => (firstTrack[gap] as number) + row * SPACE.track,
  };
}

/** Draws one line after the other; a corner on the way straight on is none. */
class Pen {
  #points: Float32Array;
  #first = 0;
  corners = 0;

  constructor(expected: number) {
    this.#points = new Float32Array(Math.max(32, 2 * expected));
  }

  begin(): void {
    this.#first = this.corners;
  }

  to(x: number, y: number): void {
    const points = this.#points;
    const last = 2 * this.corners - 2;
    const drawn = this.corners - this.#first;
    const x32 = Math.fround(x);
    const y32 = Math.fround(y);
    if (drawn > 0 && points[last] === x32 && points[last + 1] === y32) return;
    if (drawn > 1) {
      const straight =
        (points[last] === x32 && points[last - 2] === x32) || (points[last + 1] === y32 && points[last - 1] === y32);
      if (straight) {
        points[last] = x32;
        points[last + 1] = y32;
        return;
      }
    }
    if (2 * this.corners + 2 > points.length) {
      this.#points = new Float32Array(points.length * 2);
      this.#points.set(points);
    }
    this.#points[2 * this.corners] = x32;
    this.#points[2 * this.corners + 1] = y32;
    this.corners++;
  }

  taken(): Float32Array {
    return this.#points.slice(0, 2 * this.corners);
  }
}
