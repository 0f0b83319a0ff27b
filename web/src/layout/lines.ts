/** The corners of every arrow's line, and where they leave room for boxes. */
import { Bands } from "./bands";
import { type FrameInput, nodesOf, SPACE } from "./frame";
import { heightsOf } from "./heights";
import type { Layers } from "./layers";
import type { Order } from "./order";
import { halfOf } from "./place";
import type { Plan } from "./plan";
import type { Ranks } from "./ranks";
import type { Slots } from "./slots";
import { Route } from "./types";

export interface Lines {
  /** Of each box, its upper side; NaN for those that no arrow joins. */
  readonly y: Float32Array;
  readonly height: number;
  readonly start: Uint32Array;
  readonly points: Float32Array;
}

/** Corner rows of stubs, from the bands' sides. */
const STUB = 10;

/** What stands where from left to right, from which lines are drawn. */
interface Across {
  readonly input: FrameInput;
  readonly ranks: Ranks;
  readonly layers: Layers;
  readonly order: Order;
  readonly middle: Float32Array;
  readonly plan: Plan;
  readonly slots: Slots;
}

export function* linesOf(across: Across): Generator<undefined, Lines> {
  const { input, ranks, layers, order, middle, plan } = across;
  const bands = new Bands(layers.upper.length);
  const stubs = ask(across, bands);
  bands.settle(ranks.count + 1, plainOf(input, ranks.count));
  yield;
  const { y, height } = yield* heightsOf(input, ranks, layers, order, middle, plan, bands);
  yield;
  const { start, points } = drawn(across, bands, stubs, y);
  const boxes = Float32Array.from({ length: input.boxes }, (_, box) =>
    (ranks.rank[box] as number) < 0 ? Number.NaN : (y[box] as number),
  );
  return { y: boxes, height, start, points };
}

/** Least heights of bands. Gap g lies above rank g. */
function plainOf(input: FrameInput, ranks: number): (gap: number) => number {
  const portsAbove = input.entries > 0;
  const portsBelow = input.exits > 0;
  return (gap) => {
    if (gap === 0) return portsAbove ? 0 : SPACE.padding;
    if (gap === ranks) return portsBelow ? 0 : SPACE.padding;
    return (portsAbove && gap === 1) || (portsBelow && gap === ranks - 1) ? SPACE.ports : SPACE.ranks;
  };
}

/** Where an arrow leaves its source and reaches its target: gaps, and who owns the rows there. */
function endsOf({ input, ranks }: Across, arrow: number) {
  const from = input.source[arrow] as number;
  const to = input.target[arrow] as number;
  return {
    from,
    to,
    below: (ranks.rank[from] as number) + 1,
    above: ranks.rank[to] as number,
    leaver: from,
    arriver: nodesOf(input) + to,
  };
}

/** Asks for room in the gaps for all lines; gives back, by arrow, the first of the two numbers of what stubs keep free. */
function ask(across: Across, bands: Bands): Int32Array {
  const { input, layers, plan, slots } = across;
  const stubs = new Int32Array(input.source.length).fill(-1);
  for (let arrow = 0; arrow < input.source.length; arrow++) {
    if (plan.route[arrow] === Route.flow) continue;
    const { below, above, leaver, arriver } = endsOf(across, arrow);
    const leaves = slots.leaves[arrow] as number;
    const arrives = slots.arrives[arrow] as number;
    const lane = plan.lane[arrow] as number;
    if (plan.route[arrow] === Route.stub) {
      stubs[arrow] = bands.keep(below, leaves, lane);
      bands.keep(above, lane, arrives);
      continue;
    }
    bands.level(below, leaver, leaves, laneFrom(across, arrow));
    if (plan.side[arrow] === 0) bands.level(above, arriver, lane, arrives);
  }
  for (let part = 0; part < layers.upper.length; part++) {
    const [from, to] = waysOf(across, part);
    const lower = layers.lower[part] as number;
    bands.cross(layers.rank[lower] as number, part, from, to, lower >= nodesOf(input));
  }
  return stubs;
}

/** From where to where a part of an arrow crosses its gap; those in lanes are led there by rows. */
function waysOf({ input, layers, middle, plan, slots }: Across, part: number): [number, number] {
  const arrow = layers.arrow[part] as number;
  const [upper, lower] = [layers.upper[part] as number, layers.lower[part] as number];
  const real = nodesOf(input);
  const flows = plan.route[arrow] === Route.flow;
  const own = (node: number, other: number, slot: Float32Array) => {
    if (node >= real) return middle[node] as number;
    return (flows ? slot[arrow] : middle[other]) as number;
  };
  return [own(upper, lower, slots.leaves), own(lower, upper, slots.arrives)];
}

function drawn(
  across: Across,
  bands: Bands,
  stubs: Int32Array,
  y: Float32Array,
): { start: Uint32Array; points: Float32Array } {
  const { input, layers, middle, plan, slots } = across;
  const arrows = input.source.length;
  const parts = firstParts(layers, arrows);
  const start = new Uint32Array(arrows + 1);
  const pen = new Pen(arrows * 8);
  for (let arrow = 0; arrow < arrows; arrow++) {
    start[arrow] = pen.corners;
    pen.begin();
    const { from, to, below, above, leaver, arriver } = endsOf(across, arrow);
    const leaves = slots.leaves[arrow] as number;
    const arrives = slots.arrives[arrow] as number;
    const lane = plan.lane[arrow] as number;
    const top = y[to] as number;
    pen.to(leaves, (y[from] as number) + (from < input.boxes ? (input.height[from] as number) : 0));
    const route = plan.route[arrow];
    if (route === Route.flow) {
      for (let part = parts[arrow] as number; part < (parts[arrow + 1] as number); part++) {
        passing(pen, across, bands, part);
      }
    } else if (route === Route.stub) {
      const first = bands.kept(stubs[arrow] as number)[0] + STUB;
      const last = bands.kept((stubs[arrow] as number) + 1)[1] - STUB;
      pen.to(leaves, first);
      pen.to(lane, first);
      pen.to(lane, last);
      pen.to(arrives, last);
    } else {
      const row = bands.rowY(below, leaver);
      pen.to(leaves, row);
      pen.to(laneFrom(across, arrow), row);
      for (let part = (parts[arrow] as number) + 1; part < (parts[arrow + 1] as number) - 1; part++) {
        passing(pen, across, bands, part);
      }
      if (plan.side[arrow] !== 0) {
        const height = input.height[to] as number;
        const side = top + height / 2 + beside(plan.below[arrow] as number, height);
        pen.to(lane, side);
        pen.to((middle[to] as number) + (plan.side[arrow] as number) * halfOf(input, to), side);
        continue;
      }
      pen.to(lane, bands.rowY(above, arriver));
      pen.to(arrives, bands.rowY(above, arriver));
    }
    pen.to(arrives, top);
  }
  start[arrows] = pen.corners;
  return { start, points: pen.taken() };
}

/** Parts of arrow a are those from the first of a up to the first of a + 1: they come in the order of arrows. */
function firstParts({ arrow }: Layers, arrows: number): Uint32Array {
  const first = new Uint32Array(arrows + 1);
  for (const one of arrow) first[one + 1] = (first[one + 1] as number) + 1;
  for (let at = 1; at <= arrows; at++) first[at] = (first[at] as number) + (first[at - 1] as number);
  return first;
}

/** How far below the middle of a box's side a line ends: a few apart, many as one. */
function beside(below: number, height: number): number {
  return below > 2 ? 0 : below * Math.min(SPACE.track, height / 6);
}

/** Where the lane of an arrow begins: lines that pass through ranks may bend on their way. */
function laneFrom({ layers, middle, plan }: Across, arrow: number): number {
  const first = layers.first[arrow] as number;
  return first >= 0 ? (middle[first] as number) : (plan.lane[arrow] as number);
}

/** Straight down to the band of a part, across in it, and straight on below. */
function passing(pen: Pen, across: Across, bands: Bands, part: number): void {
  const band = bands.ofPart[part] as number;
  const top = bands.top[band] as number;
  const [from, to] = waysOf(across, part);
  pen.to(from, top);
  pen.to(to, top + (bands.size[band] as number));
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
