/** Where nodes stand from left to right: four alignments, each packed, and their middle (Brandes & Koepf 2001). */
import { aligned, type Blocks, marked, partsOf } from "./align";
import { lengthOf } from "./columns";
import { type FrameInput, nodesOf, SPACE } from "./frame";
import type { Layers } from "./layers";
import type { Order } from "./order";
import type { Ranks } from "./ranks";

/** Middles of all nodes. `leaves` and `arrives`: how far from the middles of its nodes the ends of each part are. */
export function* middles(
  input: FrameInput,
  ranks: Ranks,
  layers: Layers,
  order: Order,
  leaves: Float32Array,
  arrives: Float32Array,
): Generator<undefined, Float32Array> {
  const parts = partsOf(layers, order);
  const reach = reachOf(input, ranks, layers, order);
  const mark = marked(layers, order, parts);
  yield;
  const ways: Float32Array[] = [];
  for (const down of [true, false]) {
    for (const fromLeft of [true, false]) {
      const blocks = aligned(layers, order, parts, mark, leaves, arrives, down, fromLeft);
      yield;
      ways.push(packed(reach, layers, order, blocks, fromLeft));
      yield;
    }
  }
  return balanced(layers, order, ways, (node) => halfOf(input, node));
}

export function halfOf(input: FrameInput, node: number): number {
  return node < input.boxes ? (input.width[node] as number) / 2 : 0;
}

/** How far nodes reach to both sides of their middles. */
interface Reach {
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly kind: Uint8Array;
}

const Kind = { line: 0, port: 1, box: 2 } as const;

/**
 * Boxes by their width. A tall box stands beside the ranks below its own, too: there the line that leads on from it is as wide
 * as the box, so that what stands in them keeps clear of it and need not go down until the box ends.
 */
function reachOf(input: FrameInput, ranks: Ranks, layers: Layers, order: Order): Reach {
  const left = new Float32Array(layers.nodes);
  const kind = new Uint8Array(layers.nodes).fill(Kind.port, input.boxes, nodesOf(input));
  for (let box = 0; box < input.boxes; box++) left[box] = halfOf(input, box);
  kind.fill(Kind.box, 0, input.boxes);
  const right = left.slice();
  const lowest = lowestOf(input, layers, order);
  for (let arrow = 0; arrow < input.source.length; arrow++) {
    const box = input.source[arrow] as number;
    const first = layers.first[arrow] as number;
    if (first < 0 || box >= input.boxes || layers.skips[arrow] || lengthOf(ranks.out, box) > 1) continue;
    const [width, height] = [input.width[box] as number, input.height[box] as number];
    const leaves = input.leavesAt[arrow] as number;
    const own = layers.rank[box] as number;
    const places = (ranks.rank[input.target[arrow] as number] as number) - own - 1;
    let down = lowest[own] as number;
    for (let at = 0; at < places && down + SPACE.ranks < height; at++) {
      left[first + at] = Number.isNaN(leaves) ? width / 2 : leaves;
      right[first + at] = width - (left[first + at] as number);
      kind[first + at] = Kind.box;
      down += SPACE.ranks + (lowest[own + 1 + at] as number);
    }
  }
  return { left, right, kind };
}

/** By rank, the height of the lowest box. */
function lowestOf(input: FrameInput, layers: Layers, order: Order): Float32Array {
  const lowest = new Float32Array(layers.ranks).fill(Number.POSITIVE_INFINITY);
  for (const node of order.nodes) {
    if (node >= input.boxes) continue;
    const rank = layers.rank[node] as number;
    lowest[rank] = Math.min(lowest[rank] as number, input.height[node] as number);
  }
  return lowest;
}

/** Room between the middles of two neighbours in a rank. */
function apart({ left, right, kind }: Reach, before: number, after: number): number {
  const [one, other] = [kind[before] as number, kind[after] as number];
  const lines = Number(one !== Kind.box) + Number(other !== Kind.box);
  const ports = lines === 2 && (one === Kind.port || other === Kind.port);
  const room = lines === 0 ? SPACE.boxes : lines === 1 || ports ? SPACE.line : SPACE.lines;
  return (right[before] as number) + (left[after] as number) + room;
}

/**
 * Blocks as far to one side as they go, then back as far as what lies on the other side of them lets them, so that
 * nothing is further apart than it must be.
 */
function packed(reach: Reach, layers: Layers, order: Order, blocks: Blocks, fromLeft: boolean): Float32Array {
  const { root, shift } = blocks;
  const { nodes, start } = order;
  const sign = fromLeft ? 1 : -1;
  const count = layers.nodes;
  // Constraints between blocks: `to` is at least `room` beyond `from`; as a list by `from` and its mirror by `to`.
  const from = new Int32Array(nodes.length);
  const to = new Int32Array(from.length);
  const room = new Float32Array(from.length);
  let length = 0;
  for (let rank = 0; rank < layers.ranks; rank++) {
    for (let at = start[rank] as number; at + 1 < (start[rank + 1] as number); at++) {
      const left = nodes[at] as number;
      const right = nodes[at + 1] as number;
      const [before, after] = fromLeft ? [left, right] : [right, left];
      from[length] = root[before] as number;
      to[length] = root[after] as number;
      room[length] = apart(reach, left, right) + sign * ((shift[before] as number) - (shift[after] as number));
      length++;
    }
  }
  const next = chained(from, length, count);
  const waiting = new Int32Array(count);
  for (let at = 0; at < length; at++) waiting[to[at] as number] = (waiting[to[at] as number] as number) + 1;
  const sequence = new Int32Array(count);
  let placed = 0;
  let known = 0;
  for (const node of nodes) if (root[node] === node && waiting[node] === 0) sequence[known++] = node;
  const x = new Float32Array(count);
  for (; placed < known; placed++) {
    const block = sequence[placed] as number;
    for (let at = next.first[block] as number; at >= 0; at = next.next[at] as number) {
      const after = to[at] as number;
      x[after] = Math.max(x[after] as number, (x[block] as number) + (room[at] as number));
      waiting[after] = (waiting[after] as number) - 1;
      if (waiting[after] === 0) sequence[known++] = after;
    }
  }
  for (let at = known - 1; at >= 0; at--) {
    const block = sequence[at] as number;
    let limit = Number.POSITIVE_INFINITY;
    for (let item = next.first[block] as number; item >= 0; item = next.next[item] as number) {
      limit = Math.min(limit, (x[to[item] as number] as number) - (room[item] as number));
    }
    if (limit > (x[block] as number) && limit < Number.POSITIVE_INFINITY) x[block] = limit;
  }
  const middle = new Float32Array(count);
  for (const node of nodes) middle[node] = sign * (x[root[node] as number] as number) + (shift[node] as number);
  return middle;
}

/** A list of the constraints that begin at each block. */
function chained(from: Int32Array, length: number, count: number): { first: Int32Array; next: Int32Array } {
  const first = new Int32Array(count).fill(-1);
  const next = new Int32Array(length);
  for (let at = length - 1; at >= 0; at--) {
    next[at] = first[from[at] as number] as number;
    first[from[at] as number] = at;
  }
  return { first, next };
}

/** The four ways moved onto the narrowest of them, and of each node's four places the mean of the middle two. */
function balanced(
  layers: Layers,
  order: Order,
  ways: readonly Float32Array[],
  half: (node: number) => number,
): Float32Array {
  const lows = ways.map((way) => extreme(order.nodes, (node) => (way[node] as number) - half(node), Math.min));
  const highs = ways.map((way) => extreme(order.nodes, (node) => (way[node] as number) + half(node), Math.max));
  const widths = ways.map((_, at) => (highs[at] as number) - (lows[at] as number));
  const narrowest = widths.indexOf(Math.min(...widths));
  const moved = ways.map((_, at) => {
    // Those packed to the left share their left edge, those packed to the right their right one.
    const leftOnes = at % 2 === 0;
    const edge = leftOnes ? lows : highs;
    return (edge[narrowest] as number) - (edge[at] as number);
  });
  const middle = new Float32Array(layers.nodes);
  for (const node of order.nodes) {
    const [a, b, c, d] = ways.map((way, at) => (way[node] as number) + (moved[at] as number)) as [
      number,
      number,
      number,
      number,
    ];
    middle[node] = (a + b + c + d - Math.min(a, b, c, d) - Math.max(a, b, c, d)) / 2;
  }
  return middle;
}

function extreme(nodes: Int32Array, value: (node: number) => number, better: (a: number, b: number) => number): number {
  let best = Number.NaN;
  for (const node of nodes) best = Number.isNaN(best) ? value(node) : better(best, value(node));
  return Number.isNaN(best) ? 0 : best;
}
