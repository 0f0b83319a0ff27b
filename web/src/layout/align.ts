/** Which nodes stand exactly above one another: chains and passing lines first, then medians (Brandes & Koepf 2001). */
import { type Lists, listed } from "./columns";
import { type Layers, Straight } from "./layers";
import type { Order } from "./order";

/** Parts of arrows by their upper and by their lower node, from left to right. */
export interface Parts {
  readonly below: Lists;
  readonly above: Lists;
}

export interface Blocks {
  /** First node of the block of each node. */
  readonly root: Int32Array;
  /** How far to the right of the root's middle the middle of a node stands. */
  readonly shift: Float32Array;
}

export function partsOf(layers: Layers, order: Order): Parts {
  const { upper, lower, nodes } = layers;
  return { below: inOrder(upper, lower, nodes, order), above: inOrder(lower, upper, nodes, order) };
}

/** Parts by their node in `own`, those of one node by where their other end stands. */
function inOrder(own: Int32Array, other: Int32Array, nodes: number, order: Order): Lists {
  const byOther = listed(other, nodes);
  const { start } = listed(own, nodes);
  const items = new Int32Array(own.length);
  const next = start.slice(0, nodes);
  for (const node of order.nodes) {
    for (let at = byOther.start[node] as number; at < (byOther.start[node + 1] as number); at++) {
      const part = byOther.items[at] as number;
      const from = own[part] as number;
      items[next[from] as number] = part;
      next[from] = (next[from] as number) + 1;
    }
  }
  return { start, items };
}

/** 1 for parts that are kept straight, 2 for those that would cross one of them, else 0. */
export function marked(layers: Layers, order: Order, { below }: Parts): Uint8Array {
  const { lower, straight } = layers;
  const { nodes, start, position } = order;
  const mark = new Uint8Array(lower.length);
  let widest = 1;
  for (let rank = 0; rank < layers.ranks; rank++) {
    widest = Math.max(widest, (start[rank + 1] as number) - (start[rank] as number));
  }
  // For each node of the upper rank: the kept parts' furthest lower end at or left of it, and nearest at or right of it.
  const left = new Int32Array(widest + 1);
  const right = new Int32Array(widest + 1);
  for (let rank = 0; rank + 1 < layers.ranks; rank++) {
    const first = start[rank] as number;
    const size = (start[rank + 1] as number) - first;
    const each = (visit: (part: number, at: number) => void) => {
      for (let at = 0; at < size; at++) {
        const node = nodes[first + at] as number;
        for (let item = below.start[node] as number; item < (below.start[node + 1] as number); item++) {
          visit(below.items[item] as number, at);
        }
      }
    };
    const bound = () => {
      left.fill(-1, 0, size + 1);
      right.fill(0x7fffffff, 0, size + 1);
      each((part, at) => {
        if (mark[part] !== 1) return;
        const to = position[lower[part] as number] as number;
        left[at + 1] = Math.max(left[at + 1] as number, to);
        right[at] = Math.min(right[at] as number, to);
      });
      for (let at = 1; at <= size; at++) left[at] = Math.max(left[at] as number, left[at - 1] as number);
      for (let at = size - 1; at >= 0; at--) right[at] = Math.min(right[at] as number, right[at + 1] as number);
    };
    for (const kind of [Straight.spine, Straight.line]) {
      bound();
      let last = -1;
      each((part, at) => {
        if (straight[part] !== kind) return;
        const to = position[lower[part] as number] as number;
        if (to <= last || to <= (left[at] as number) || to >= (right[at + 1] as number)) return;
        mark[part] = 1;
        last = to;
      });
    }
    bound();
    each((part, at) => {
      const to = position[lower[part] as number] as number;
      if (mark[part] === 0 && (to < (left[at] as number) || to > (right[at + 1] as number))) mark[part] = 2;
    });
  }
  return mark;
}

/**
 * One of the four ways to align: looking up or down, the left or the right median first.
 *
 * `leaves` and `arrives` say, for each part, how far from the middle of its nodes its ends are.
 */
export function aligned(
  layers: Layers,
  order: Order,
  parts: Parts,
  mark: Uint8Array,
  leaves: Float32Array,
  arrives: Float32Array,
  down: boolean,
  fromLeft: boolean,
): Blocks {
  const { ranks, upper, lower, straight } = layers;
  const { nodes, start, position } = order;
  const root = Int32Array.from({ length: layers.nodes }, (_, node) => node);
  const shift = new Float32Array(layers.nodes);
  const lists = down ? parts.above : parts.below;
  const other = down ? upper : lower;
  const keptBy = new Int32Array(layers.nodes).fill(-1);
  const keeps = new Int32Array(layers.nodes).fill(-1);
  for (let part = 0; part < mark.length; part++) {
    if (mark[part] !== 1) continue;
    keptBy[(down ? lower : upper)[part] as number] = part;
    keeps[other[part] as number] = part;
  }
  const candidates = new Int32Array(Math.max(1, mark.length));
  for (let step = 1; step < ranks; step++) {
    const rank = down ? step : ranks - 1 - step;
    const size = (start[rank + 1] as number) - (start[rank] as number);
    let reached = fromLeft ? -1 : 0x7fffffff;
    for (let index = 0; index < size; index++) {
      const node = nodes[(start[rank] as number) + (fromLeft ? index : size - 1 - index)] as number;
      let count = 0;
      const kept = keptBy[node] as number;
      if (kept >= 0) {
        candidates[count++] = kept;
      } else {
        for (let at = lists.start[node] as number; at < (lists.start[node + 1] as number); at++) {
          const part = lists.items[at] as number;
          if (straight[part] !== Straight.no) candidates[count++] = part;
        }
      }
      if (count === 0) continue;
      const low = (count - 1) >> 1;
      const high = count >> 1;
      for (const middle of fromLeft ? [low, high] : [high, low]) {
        const part = candidates[middle] as number;
        const to = other[part] as number;
        const at = position[to] as number;
        if (mark[part] === 2 || (keeps[to] as number) >= 0 !== kept >= 0) continue;
        if (fromLeft ? at <= reached : at >= reached) continue;
        root[node] = root[to] as number;
        const bend = (leaves[part] as number) - (arrives[part] as number);
        shift[node] = (shift[to] as number) + (down ? bend : -bend);
        reached = at;
        break;
      }
    }
  }
  return { root, shift };
}
