/**
 * How high everything stands: each box as near below what it reads as the drawing allows. Ranks say only what is above
 * what where things share a stretch of the width, so a tall box pushes down what stands below it, and nothing beside it.
 */
import type { Bands } from "./bands";
import { type FrameInput, nodesOf, SPACE } from "./frame";
import type { Layers } from "./layers";
import type { Order } from "./order";
import { halfOf } from "./place";
import type { Plan } from "./plan";
import type { Ranks } from "./ranks";
import { Skyline } from "./skyline";

export interface Heights {
  /** Upper sides, of nodes and of the places of lines. */
  readonly y: Float32Array;
  readonly height: number;
}

/** Room kept beside a box and beside a line, from what stands in other ranks. */
const BESIDE_BOX = 5;
const BESIDE_LINE = 4;
/** Room kept below whatever there is. */
const BELOW = 14;
/** Boxes of a rank that are no further apart than this stand in a row, those that are not higher than `LOW` by their middles. */
const ROW = 24;
const LOW = 64;
/** Nodes between two points where the work can be stopped. */
const RUN = 2000;

interface Frame {
  readonly input: FrameInput;
  readonly layers: Layers;
  readonly order: Order;
  readonly plan: Plan;
  readonly bands: Bands;
  readonly low: Float32Array;
  readonly high: Float32Array;
  /** Room below what is above each node, and above what is below it: none where a line goes straight on. */
  readonly above: Float32Array;
  readonly below: Float32Array;
  heightOf(node: number): number;
}

/** Places the bands, too. */
export function* heightsOf(
  input: FrameInput,
  ranks: Ranks,
  layers: Layers,
  order: Order,
  middle: Float32Array,
  plan: Plan,
  bands: Bands,
): Generator<undefined, Heights> {
  const heightOf = (node: number) => (node < input.boxes ? (input.height[node] as number) : 0);
  const frame = {
    input,
    layers,
    order,
    plan,
    bands,
    heightOf,
    ...extentsOf(input, layers, middle, plan),
    ...roomOf(input, layers, bands),
  };
  const y = new Float32Array(layers.nodes);
  const height = yield* down(frame, y);
  // Places of lines may be anywhere on their way: lines keep below where they come from as long as they can.
  const pulled = new Uint8Array(layers.nodes).fill(1);
  pulled.set(ranks.pulled);
  yield* up(frame, y, pulled, height);
  return { y, height };
}

/** The stretch of the width that is each node's own: with the lines that end at its sides, and some room. */
function extentsOf(
  input: FrameInput,
  layers: Layers,
  middle: Float32Array,
  plan: Plan,
): { low: Float32Array; high: Float32Array } {
  const low = new Float32Array(layers.nodes);
  const high = new Float32Array(layers.nodes);
  for (let node = 0; node < layers.nodes; node++) {
    const reach = node < input.boxes ? halfOf(input, node) + BESIDE_BOX : BESIDE_LINE;
    low[node] = (middle[node] as number) - reach;
    high[node] = (middle[node] as number) + reach;
  }
  for (let arrow = 0; arrow < plan.side.length; arrow++) {
    if (plan.side[arrow] === 0) continue;
    const node = input.target[arrow] as number;
    low[node] = Math.min(low[node] as number, (plan.lane[arrow] as number) - BESIDE_LINE);
    high[node] = Math.max(high[node] as number, (plan.lane[arrow] as number) + BESIDE_LINE);
  }
  return { low, high };
}

function roomOf(input: FrameInput, layers: Layers, bands: Bands): { above: Float32Array; below: Float32Array } {
  const above = new Float32Array(layers.nodes).fill(BELOW);
  const below = new Float32Array(layers.nodes).fill(BELOW);
  const real = nodesOf(input);
  for (let part = 0; part < layers.upper.length; part++) {
    if ((bands.size[bands.ofPart[part] as number] as number) > 0) continue;
    const [upper, lower] = [layers.upper[part] as number, layers.lower[part] as number];
    if (lower >= real) above[lower] = 0;
    if (upper >= real) below[upper] = 0;
  }
  return { above, below };
}

/** From the first rank to the last: everything as high as what is above it lets it. */
function* down(frame: Frame, y: Float32Array): Generator<undefined, number> {
  const { input, layers, order, plan, bands, low, high, above: room, heightOf } = frame;
  const first = input.entries > 0 ? 0 : SPACE.padding;
  const sky = new Skyline(plan.left, plan.right, first - BELOW);
  let height = 0;
  let work = 0;
  for (let gap = 0; gap <= layers.ranks; gap++) {
    for (let band = bands.start[gap] as number; band < (bands.start[gap + 1] as number); band++) {
      const above = sky.highest((bands.low[band] as number) - BESIDE_LINE, (bands.high[band] as number) + BESIDE_LINE);
      bands.top[band] = gap === 0 ? 0 : Math.max(0, above);
    }
    for (let band = bands.start[gap] as number; band < (bands.start[gap + 1] as number); band++) {
      const bottom = (bands.top[band] as number) + (bands.size[band] as number);
      sky.raise((bands.low[band] as number) - BESIDE_LINE, (bands.high[band] as number) + BESIDE_LINE, bottom - BELOW);
      height = Math.max(height, bottom);
    }
    if (gap === layers.ranks) break;
    const nodes = order.nodes.subarray(order.start[gap], order.start[gap + 1]);
    for (const node of nodes) {
      y[node] = sky.highest(low[node] as number, high[node] as number) + (room[node] as number);
    }
    const exits = input.exits > 0 && gap === layers.ranks - 1;
    if (exits) for (const node of nodes) y[node] = height;
    else inRows(input, nodes, y);
    for (const node of nodes) {
      const bottom = (y[node] as number) + heightOf(node);
      sky.raise(low[node] as number, high[node] as number, bottom);
      if (node >= input.boxes + input.entries && node < nodesOf(input)) continue;
      height = Math.max(height, bottom + (input.exits > 0 ? SPACE.ports : SPACE.padding));
    }
    work += nodes.length;
    if (work > RUN) {
      work = 0;
      yield;
    }
  }
  return height;
}

/** Boxes of one rank that come to stand at nearly the same height are moved down to stand at the same. */
function inRows(input: FrameInput, nodes: Int32Array, y: Float32Array): void {
  if (nodes.length < 2) return;
  const boxes: number[] = [];
  for (const node of nodes) if (node < input.boxes) boxes.push(node);
  if (boxes.length < 2) return;
  boxes.sort((a, b) => (y[a] as number) - (y[b] as number));
  for (let from = 0; from < boxes.length; ) {
    const begin = y[boxes[from] as number] as number;
    let to = from;
    let tallest = 0;
    while (to < boxes.length && (y[boxes[to] as number] as number) <= begin + ROW) {
      const height = input.height[boxes[to++] as number] as number;
      if (height <= LOW) tallest = Math.max(tallest, height);
    }
    const row = y[boxes[to - 1] as number] as number;
    for (let at = from; at < to; at++) {
      const box = boxes[at] as number;
      y[box] = row + Math.max(0, tallest - (input.height[box] as number)) / 2;
    }
    from = to;
  }
}

/**
 * From the last rank to the first: bands, and nodes that are pulled, go down as far as what is below lets them. So lines
 * cross over just above what they lead to, and run straight down until then.
 */
function* up(
  { layers, order, plan, bands, low, high, below: room, heightOf }: Frame,
  y: Float32Array,
  pulled: Uint8Array,
  height: number,
): Generator<undefined, void> {
  // Heights are counted upwards here.
  const sky = new Skyline(plan.left, plan.right, -height);
  let work = 0;
  for (let gap = layers.ranks; gap >= 0; gap--) {
    const from = bands.start[gap] as number;
    const to = bands.start[gap + 1] as number;
    for (let band = from; band < to; band++) {
      const below = -sky.highest((bands.low[band] as number) - BESIDE_LINE, (bands.high[band] as number) + BESIDE_LINE);
      bands.top[band] = below - (bands.size[band] as number);
    }
    for (let band = from; band < to; band++) {
      sky.raise(
        (bands.low[band] as number) - BESIDE_LINE,
        (bands.high[band] as number) + BESIDE_LINE,
        -(bands.top[band] as number) - BELOW,
      );
    }
    if (gap === 0) break;
    const nodes = order.nodes.subarray(order.start[gap - 1], order.start[gap]);
    for (const node of nodes) {
      if (!pulled[node]) continue;
      const lowest = -sky.highest(low[node] as number, high[node] as number) - (room[node] as number) - heightOf(node);
      y[node] = Math.max(y[node] as number, lowest);
    }
    for (const node of nodes) sky.raise(low[node] as number, high[node] as number, -(y[node] as number));
    work += nodes.length;
    if (work > RUN) {
      work = 0;
      yield;
    }
  }
}
