/** The order of nodes within each rank, with few crossings: barycenter sweeps, then swaps of neighbours. */
import { type Lists, listed } from "./columns";
import { crossingsOf, crossingsOfPair } from "./crossings";
import type { Layers } from "./layers";
import { Straight } from "./layers";

export interface Order {
  /** Nodes by rank, in order; rank `r` is `nodes[start[r]]` up to `start[r + 1]`. */
  readonly nodes: Int32Array;
  readonly start: Int32Array;
  /** Of each node, where it stands in its rank; -1 where it is in none. */
  readonly position: Int32Array;
}

/** Neighbours of each node in the rank above and in the one below. */
export interface Neighbours {
  readonly above: Lists;
  readonly below: Lists;
}

/** Sizes up to which more is tried. */
const SMALL = 3000;
const LARGE = 60_000;
const NARROW = 48;

export function* orderOf(layers: Layers): Generator<undefined, Order> {
  const neighbours = neighboursOf(layers);
  const starts = layers.nodes < SMALL ? [walked(layers, false), walked(layers, true)] : [walked(layers, false)];
  const sweeps = layers.nodes < SMALL ? 12 : layers.nodes < LARGE ? 6 : 4;
  let best: Order | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const order of starts) {
    const sort = new Sorter(layers, neighbours, order);
    let idle = 0;
    for (let sweep = 0; sweep <= sweeps && idle < 3 && fewest > 0; sweep++) {
      if (sweep > 0) {
        yield* sort.sweep(sweep % 2 === 1);
      }
      yield* sort.swap();
      const crossings = crossingsOf(layers, neighbours, order);
      yield;
      idle++;
      if (crossings < fewest) {
        fewest = crossings;
        best = { nodes: order.nodes.slice(), start: order.start, position: order.position.slice() };
        idle = 0;
      }
    }
  }
  return best ?? (starts[0] as Order);
}

export function neighboursOf(layers: Layers): Neighbours {
  return neighboursIn(layers.nodes, layers.upper, layers.lower);
}

function neighboursIn(nodes: number, upper: Int32Array, lower: Int32Array): Neighbours {
  const above = listed(lower, nodes);
  const below = listed(upper, nodes);
  return {
    above: { start: above.start, items: above.items.map((part) => upper[part] as number) },
    below: { start: below.start, items: below.items.map((part) => lower[part] as number) },
  };
}

/**
 * As a walk down from the first ranks meets them: what hangs together stands together, the spine first and lines that
 * skip something to its right, the longest outermost. `mirrored` walks into the last reader first.
 */
function walked(layers: Layers, mirrored: boolean): Order {
  const { rank, ranks, nodes: count } = layers;
  const parts = listed(layers.upper, count);
  const byRank = listed(rank, ranks);
  const nodes = new Int32Array(byRank.items.length);
  const position = new Int32Array(count).fill(-1);
  const filled = byRank.start.slice();
  const stack: number[] = [];
  const weight = (part: number) => {
    const straight = layers.straight[part] as number;
    return straight === Straight.no ? 2 : straight === Straight.spine ? 0 : 1;
  };
  for (let at = 0; at < byRank.items.length; at++) {
    stack.push(byRank.items[at] as number);
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if ((position[node] as number) >= 0) continue;
      const level = rank[node] as number;
      position[node] = (filled[level] as number) - (byRank.start[level] as number);
      nodes[filled[level] as number] = node;
      filled[level] = (filled[level] as number) + 1;
      const below = parts.items.slice(parts.start[node], parts.start[node + 1]);
      // The stack gives back the last first.
      if (below.length > 1) below.sort((a, b) => weight(b) - weight(a) || (mirrored ? a - b : b - a));
      for (const part of below) stack.push(layers.lower[part] as number);
    }
  }
  return { nodes, start: byRank.start, position };
}

class Sorter {
  readonly #centre: Float64Array;
  readonly #sorted: Int32Array;
  readonly #spare: Int32Array;

  constructor(
    private readonly layers: Layers,
    private readonly neighbours: Neighbours,
    private readonly order: Order,
  ) {
    this.#centre = new Float64Array(layers.nodes);
    this.#sorted = new Int32Array(order.nodes.length);
    this.#spare = new Int32Array(order.nodes.length);
  }

  /** Sorts every rank by the middle of each node's neighbours in the rank before it. */
  *sweep(down: boolean): Generator<undefined, void> {
    const lists = down ? this.neighbours.above : this.neighbours.below;
    const { ranks } = this.layers;
    let work = 0;
    for (let step = 1; step < ranks; step++) {
      const rank = down ? step : ranks - 1 - step;
      work += this.#sort(rank, lists);
      if (work > 20_000) {
        work = 0;
        yield;
      }
    }
  }

  #sort(rank: number, lists: Lists): number {
    const { nodes, start, position } = this.order;
    const first = start[rank] as number;
    const last = start[rank + 1] as number;
    if (last - first < 2) return 1;
    let sorting = 0;
    for (let at = first; at < last; at++) {
      const node = nodes[at] as number;
      const from = lists.start[node] as number;
      const to = lists.start[node + 1] as number;
      // What has no neighbour there stays where it is.
      if (from === to) continue;
      let sum = 0;
      for (let item = from; item < to; item++) sum += position[lists.items[item] as number] as number;
      this.#centre[node] = sum / (to - from);
      this.#sorted[sorting++] = node;
    }
    stableSort(this.#sorted, sorting, this.#centre, this.#spare);
    let next = 0;
    for (let at = first; at < last; at++) {
      const node = nodes[at] as number;
      if (lists.start[node] !== lists.start[node + 1]) nodes[at] = this.#sorted[next++] as number;
    }
    for (let at = first; at < last; at++) position[nodes[at] as number] = at - first;
    return last - first + 8;
  }

  /** Swaps neighbours in narrow ranks as long as crossings vanish. */
  *swap(): Generator<undefined, void> {
    const { nodes, start, position } = this.order;
    let work = 0;
    for (let round = 0; round < 4; round++) {
      let better = false;
      for (let rank = 0; rank < this.layers.ranks; rank++) {
        const first = start[rank] as number;
        const last = start[rank + 1] as number;
        if (last - first > NARROW) continue;
        for (let at = first; at + 1 < last; at++) {
          const left = nodes[at] as number;
          const right = nodes[at + 1] as number;
          const now = crossingsOfPair(this.neighbours, position, left, right);
          if (now === 0 || now <= crossingsOfPair(this.neighbours, position, right, left)) continue;
          nodes[at] = right;
          nodes[at + 1] = left;
          position[right] = at - first;
          position[left] = at + 1 - first;
          better = true;
        }
        work += 8 * (last - first);
        if (work > 20_000) {
          work = 0;
          yield;
        }
      }
      if (!better) return;
    }
  }
}

/** Sorts the first `count` of `items` by their key; equal ones keep their order. */
function stableSort(items: Int32Array, count: number, key: Float64Array, spare: Int32Array): void {
  const run = 12;
  for (let low = 0; low < count; low += run) {
    const high = Math.min(low + run, count);
    for (let at = low + 1; at < high; at++) {
      const item = items[at] as number;
      const value = key[item] as number;
      let to = at;
      for (; to > low && (key[items[to - 1] as number] as number) > value; to--) items[to] = items[to - 1] as number;
      items[to] = item;
    }
  }
  for (let width = run; width < count; width *= 2) {
    for (let low = 0; low + width < count; low += 2 * width) {
      const middle = low + width;
      const high = Math.min(low + 2 * width, count);
      spare.set(items.subarray(low, middle), low);
      let left = low;
      let right = middle;
      for (let at = low; left < middle; at++) {
        const takesRight =
          right < high && (key[items[right] as number] as number) < (key[spare[left] as number] as number);
        items[at] = (takesRight ? items[right++] : spare[left++]) as number;
      }
    }
  }
}
