/** How each arrow of a frame goes: straight on, past boxes, beside everything, back, or as two stubs. */
import { type Lists, listed } from "./columns";
import { type FrameInput, SPACE } from "./frame";
import type { Layers } from "./layers";
import type { Order } from "./order";
import { halfOf } from "./place";
import type { Ranks } from "./ranks";
import { Route } from "./types";

export interface Plan {
  readonly route: Uint8Array;
  /** By arrow: where it runs down or up beside boxes; NaN for those that flow. */
  readonly lane: Float32Array;
  /** By arrow: 1 where it ends at the right side of its target, -1 at its left side, 0 from above. */
  readonly side: Int8Array;
  /** By arrow: how many other lines end at the same side of its target above it. */
  readonly below: Int32Array;
  readonly left: number;
  readonly right: number;
}

/** A hub's line past more ranks than this is drawn as stubs, and so are those past more lines than this side by side. */
const FAR = 64;
const SIDE_BY_SIDE = 48;

export function planOf(input: FrameInput, ranks: Ranks, layers: Layers, order: Order, middle: Float32Array): Plan {
  const { source, target, boxes } = input;
  const { rank } = ranks;
  const arrows = source.length;
  const route = new Uint8Array(arrows);
  const lane = new Float32Array(arrows).fill(Number.NaN);
  const side = new Int8Array(arrows);
  const right = new Float32Array(ranks.count).fill(Number.NEGATIVE_INFINITY);
  const left = new Float32Array(ranks.count).fill(Number.POSITIVE_INFINITY);
  const rightmost = new Int32Array(ranks.count).fill(-1);
  for (const node of order.nodes) {
    const at = layers.rank[node] as number;
    const half = halfOf(input, node);
    right[at] = Math.max(right[at] as number, (middle[node] as number) + half);
    left[at] = Math.min(left[at] as number, (middle[node] as number) - half);
    if (node < boxes) rightmost[at] = node;
  }
  const trunks: number[] = [];
  for (let arrow = 0; arrow < arrows; arrow++) {
    if (ranks.back[arrow]) route[arrow] = Route.back;
    else if (layers.aside[arrow]) trunks.push(arrow);
    else if (layers.skips[arrow] && (layers.first[arrow] as number) >= 0) {
      route[arrow] = Route.lane;
      const span = (rank[target[arrow] as number] as number) - (rank[source[arrow] as number] as number);
      const last = (layers.first[arrow] as number) + span - 2;
      lane[arrow] = middle[last] as number;
      side[arrow] = sideOf(input, layers, order, middle, target[arrow] as number, lane[arrow] as number, arrow);
    }
  }

  // One lane for all far readers of a source, the shortest next to the boxes.
  const bySource = listed(
    Int32Array.from({ length: arrows }, (_, arrow) => (isTrunk(arrow) ? (source[arrow] as number) : -1)),
    rank.length,
  );
  function isTrunk(arrow: number): boolean {
    return layers.aside[arrow] === 1 && !ranks.back[arrow];
  }
  const reach = (node: number) => furthest(bySource, node, (arrow) => rank[target[arrow] as number] as number);
  const hubs = [...new Set(trunks.map((arrow) => source[arrow] as number))].sort(
    (a, b) =>
      reach(a) - (rank[a] as number) - reach(b) + (rank[b] as number) || (rank[b] as number) - (rank[a] as number),
  );
  const used = new Int32Array(ranks.count);
  for (const hub of hubs) {
    const first = (rank[hub] as number) + 1;
    const last = reach(hub);
    let crowded = last - first > FAR;
    let x = Number.NEGATIVE_INFINITY;
    for (let at = first; at <= last && !crowded; at++) {
      x = Math.max(x, right[at] as number);
      if ((used[at] as number) >= SIDE_BY_SIDE) crowded = true;
    }
    x += SPACE.lines;
    if (!crowded) {
      for (let at = first; at <= last; at++) {
        if ((used[at] as number) === 0) x = Math.max(x, (right[at] as number) + SPACE.line);
        used[at] = (used[at] as number) + 1;
      }
      for (let at = first; at <= last; at++) right[at] = x;
    }
    for (let item = bySource.start[hub] as number; item < (bySource.start[hub + 1] as number); item++) {
      const arrow = bySource.items[item] as number;
      const to = target[arrow] as number;
      route[arrow] = crowded ? Route.stub : Route.lane;
      if (crowded) continue;
      lane[arrow] = x;
      if (to < boxes && rightmost[rank[to] as number] === to && Number.isNaN(input.arrivesAt[arrow])) side[arrow] = 1;
    }
  }

  // What is fed back goes up on the left, next to the boxes that it passes, the shortest innermost.
  const height = (arrow: number) =>
    Math.abs((rank[source[arrow] as number] as number) - (rank[target[arrow] as number] as number));
  const returns = Array.from(route.keys()).filter((arrow) => route[arrow] === Route.back);
  for (const arrow of returns.sort((one, other) => height(one) - height(other))) {
    const first = rank[target[arrow] as number] as number;
    const last = rank[source[arrow] as number] as number;
    let x = Number.POSITIVE_INFINITY;
    for (let at = Math.min(first, last); at <= Math.max(first, last); at++) x = Math.min(x, left[at] as number);
    x -= SPACE.line;
    for (let at = Math.min(first, last); at <= Math.max(first, last); at++) left[at] = x;
    lane[arrow] = x;
  }
  const bounds = [Math.min(...extremes(left)), Math.max(...extremes(right))] as const;
  let stubs = 0;
  let hub = -1;
  for (let arrow = 0; arrow < arrows; arrow++) {
    if (route[arrow] !== Route.stub) continue;
    // Hidden as long as nothing is in hand: a few lanes are enough for all of them.
    if (source[arrow] !== hub) stubs++;
    hub = source[arrow] as number;
    lane[arrow] = bounds[0] - SPACE.line - SPACE.lines * (stubs % 4);
  }
  return {
    route,
    lane,
    side,
    below: stacked(target, side, lane),
    left: stubs > 0 ? bounds[0] - SPACE.line - SPACE.lines * Math.min(stubs, 3) : bounds[0],
    right: bounds[1],
  };
}

/** Side at which a line in a lane can reach its target with no box between; 0 where it has to come from above. */
function sideOf(
  input: FrameInput,
  layers: Layers,
  order: Order,
  middle: Float32Array,
  node: number,
  lane: number,
  arrow: number,
): number {
  if (node >= input.boxes || !Number.isNaN(input.arrivesAt[arrow])) return 0;
  const rank = layers.rank[node] as number;
  const step = lane > (middle[node] as number) ? 1 : -1;
  if ((lane - (middle[node] as number)) * step < halfOf(input, node) + SPACE.lines) return 0;
  const first = order.start[rank] as number;
  const last = order.start[rank + 1] as number;
  for (let at = first + (order.position[node] as number) + step; at >= first && at < last; at += step) {
    const other = order.nodes[at] as number;
    if (other >= input.boxes) continue;
    const edge = (middle[other] as number) - step * halfOf(input, other);
    return (edge - lane) * step > SPACE.lines / 2 ? step : 0;
  }
  return step;
}

/** Lines at the same side of a box end below one another, the nearest on top, so that they do not cross. */
function stacked(target: Int32Array, side: Int8Array, lane: Float32Array): Int32Array {
  const below = new Int32Array(target.length);
  const sides = new Map<number, number[]>();
  for (let arrow = 0; arrow < target.length; arrow++) {
    if (side[arrow] === 0) continue;
    const key = 2 * (target[arrow] as number) + (side[arrow] === 1 ? 1 : 0);
    const held = sides.get(key);
    if (held) held.push(arrow);
    else sides.set(key, [arrow]);
  }
  for (const held of sides.values()) {
    held.sort((a, b) => (side[a] as number) * ((lane[a] as number) - (lane[b] as number)));
    held.forEach((arrow, at) => {
      below[arrow] = at;
    });
  }
  return below;
}

function furthest(lists: Lists, key: number, value: (item: number) => number): number {
  let most = -1;
  for (let at = lists.start[key] as number; at < (lists.start[key + 1] as number); at++) {
    most = Math.max(most, value(lists.items[at] as number));
  }
  return most;
}

/** Smallest and largest of what is finite; 0 where nothing is. */
function extremes(values: Float32Array): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 0];
}
