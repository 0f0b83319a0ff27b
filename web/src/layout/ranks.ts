/** Ranks from top to bottom: the longest way down to each node, then sources pulled towards what reads them. */
import { type Lists, lengthOf, listed } from "./columns";
import { type FrameInput, nodesOf } from "./frame";

export interface Ranks {
  /** By node; -1 for boxes that no arrow joins to another. */
  readonly rank: Int32Array;
  readonly count: number;
  /** By arrow: 1 where it goes against the flow, or would close a ring. */
  readonly back: Uint8Array;
  /** Arrows that go with the flow, by their source and by their target. */
  readonly out: Lists;
  readonly into: Lists;
  /** 1 for nodes that stand better by what reads them than by what they read: they have less of it, or none. */
  readonly pulled: Uint8Array;
}

export function ranksOf(input: FrameInput): Ranks {
  const count = nodesOf(input);
  const { source, target, boxes, entries } = input;
  const back = input.back.slice();
  for (let arrow = 0; arrow < back.length; arrow++) if (source[arrow] === target[arrow]) back[arrow] = 1;
  const order = topological(input, back, count);
  const out = listed(ends(source, back), count);
  const into = listed(ends(target, back), count);
  const rank = new Int32Array(count);
  const top = entries > 0 ? 1 : 0;
  let last = top;
  for (const node of order) {
    let deepest = node < boxes ? top : 0;
    for (let at = into.start[node] as number; at < (into.start[node + 1] as number); at++) {
      deepest = Math.max(deepest, (rank[source[into.items[at] as number] as number] as number) + 1);
    }
    rank[node] = deepest;
    if (node < boxes) last = Math.max(last, deepest);
  }
  const pulled = pull(input, order, rank, out, into);
  for (let node = boxes; node < boxes + entries; node++) rank[node] = 0;
  for (let node = boxes + entries; node < count; node++) rank[node] = last + 1;
  const joined = new Uint8Array(count);
  for (let arrow = 0; arrow < source.length; arrow++)
    joined[source[arrow] as number] = joined[target[arrow] as number] = 1;
  for (let box = 0; box < boxes; box++) if (!joined[box]) rank[box] = -1;
  return { rank, count: last + (input.exits > 0 ? 2 : 1), back, out, into, pulled };
}

/** The ends of the arrows that go with the flow; -1 for the others. */
function ends(column: Int32Array, back: Uint8Array): Int32Array {
  return column.map((node, arrow) => (back[arrow] ? -1 : node));
}

/** Nodes so that arrows lead onward. Where they form a ring, the first box of it begins and what leads to it goes back. */
function topological(input: FrameInput, back: Uint8Array, count: number): Int32Array {
  const { source, target } = input;
  const out = listed(ends(source, back), count);
  const into = listed(ends(target, back), count);
  const waiting = Int32Array.from({ length: count }, (_, node) => lengthOf(into, node));
  const order = new Int32Array(count);
  const placed = new Uint8Array(count);
  let length = 0;
  const place = (node: number) => {
    placed[node] = 1;
    order[length++] = node;
  };
  for (let node = 0; node < count; node++) if (waiting[node] === 0) place(node);
  let next = 0;
  for (let at = 0; at < count; at++) {
    if (at === length) {
      while (placed[next]) next++;
      for (let item = into.start[next] as number; item < (into.start[next + 1] as number); item++) {
        const arrow = into.items[item] as number;
        if (!placed[source[arrow] as number]) back[arrow] = 1;
      }
      place(next);
    }
    const node = order[at] as number;
    for (let item = out.start[node] as number; item < (out.start[node + 1] as number); item++) {
      const arrow = out.items[item] as number;
      if (back[arrow]) continue;
      const reader = target[arrow] as number;
      waiting[reader] = (waiting[reader] as number) - 1;
      if (waiting[reader] === 0 && !placed[reader]) place(reader);
    }
  }
  return order;
}

/**
 * Moves down what gets nearer to its readers by it: sources, what they alone feed, and what has more readers than sources.
 */
function pull(input: FrameInput, order: Int32Array, rank: Int32Array, out: Lists, into: Lists): Uint8Array {
  const { source, target, boxes } = input;
  // What hangs on nothing but sources of its own, constants for example, can move as a whole.
  const floats = new Uint8Array(order.length);
  for (const node of order) {
    if (node >= boxes) continue;
    floats[node] = 1;
    for (let at = into.start[node] as number; at < (into.start[node + 1] as number); at++) {
      const from = source[into.items[at] as number] as number;
      if (!floats[from] || lengthOf(out, from) > 1) floats[node] = 0;
    }
  }
  const pulled = new Uint8Array(order.length);
  for (let at = order.length - 1; at >= 0; at--) {
    const node = order[at] as number;
    const readers = lengthOf(out, node);
    if (node >= boxes || readers === 0) continue;
    if (!floats[node] && readers <= lengthOf(into, node)) continue;
    pulled[node] = 1;
    let nearest = Number.POSITIVE_INFINITY;
    for (let item = out.start[node] as number; item < (out.start[node + 1] as number); item++) {
      const reader = target[out.items[item] as number] as number;
      // Exits stand below everything: nothing is pulled down to them.
      nearest = Math.min(nearest, reader < boxes ? (rank[reader] as number) : (rank[node] as number) + 1);
    }
    rank[node] = Math.max(rank[node] as number, nearest - 1);
  }
  return pulled;
}
