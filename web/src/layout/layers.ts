/** Ranks with a place for every line that passes through them, so that arrows only lead from one rank to the next. */
import { lengthOf } from "./columns";
import { type FrameInput, nodesOf } from "./frame";
import { Integers } from "./pairs";
import type { Ranks } from "./ranks";

/** How straight the line between two neighbouring ranks has to be. */
export const Straight = { no: 0, flow: 1, spine: 2, line: 3 } as const;

export interface Layers {
  /** Nodes of the frame first, then a place for each line at each rank that it passes. */
  readonly nodes: number;
  readonly rank: Int32Array;
  readonly ranks: number;
  /** Parts of arrows from one rank to the next. */
  readonly upper: Int32Array;
  readonly lower: Int32Array;
  readonly straight: Uint8Array;
  readonly arrow: Int32Array;
  /** By arrow: the first of its places, -1 where it has none. */
  readonly first: Int32Array;
  /** By arrow: 1 where it passes all ranks beside them. */
  readonly aside: Uint8Array;
  /** By arrow: 1 where another way leads from its source to its target. */
  readonly skips: Uint8Array;
}

/** A box with more far readers, or with more far sources, than this has its lines to or from them beside the ranks. */
const MANY = 8;
/** So has one whose reader has more far sources than this, while it has more far readers: all read all, as in a DenseNet. */
const DENSE = 2;
/** How many nodes are looked at to find another way; where there are more there is one, as good as always. */
const SEARCHED = 240;

export function layersOf(input: FrameInput, ranks: Ranks): Layers {
  const { source, target } = input;
  const { rank, back } = ranks;
  const arrows = source.length;
  const real = nodesOf(input);
  const span = (arrow: number) => (rank[target[arrow] as number] as number) - (rank[source[arrow] as number] as number);
  const farOut = new Int32Array(real);
  const farInto = new Int32Array(real);
  const long: number[] = [];
  for (let arrow = 0; arrow < arrows; arrow++) {
    if (back[arrow] || span(arrow) < 2) continue;
    long.push(arrow);
    const [from, to] = [source[arrow] as number, target[arrow] as number];
    farOut[from] = (farOut[from] as number) + 1;
    // Exits take no side entry, and often lie far below: they do not make a hub.
    if (to < input.boxes) farInto[to] = (farInto[to] as number) + 1;
  }
  const dense = new Uint8Array(real);
  for (const arrow of long) {
    const [from, to] = [source[arrow] as number, target[arrow] as number];
    if ((farOut[from] as number) > DENSE && (farInto[to] as number) > DENSE) dense[from] = 1;
  }
  const aside = back.slice();
  const skips = new Uint8Array(arrows);
  const other = new OtherWay(input, ranks);
  // The shortest have the first claim on a place inside; all places together stay linear in the size of the graph.
  long.sort((a, b) => span(a) - span(b));
  let budget = 2 * real + 2000;
  for (const arrow of long) {
    skips[arrow] = other.exists(arrow) ? 1 : 0;
    const [from, to] = [source[arrow] as number, target[arrow] as number];
    const many = dense[from] || (farOut[from] as number) > MANY || (farInto[to] as number) > MANY;
    if (!many) budget -= span(arrow) - 1;
    if (many || budget < 0) aside[arrow] = 1;
  }

  const rankOf = new Integers(real * 2);
  for (let node = 0; node < real; node++) rankOf.push(rank[node] as number);
  const [upper, lower] = [new Integers(arrows * 2), new Integers(arrows * 2)];
  const [straight, of] = [new Integers(arrows * 2), new Integers(arrows * 2)];
  const first = new Int32Array(arrows).fill(-1);
  const join = (above: number, below: number, how: number, arrow: number) => {
    upper.push(above);
    lower.push(below);
    straight.push(how);
    of.push(arrow);
  };
  const spine = spineOf(input, ranks, skips);
  for (let arrow = 0; arrow < arrows; arrow++) {
    if (aside[arrow]) continue;
    const from = source[arrow] as number;
    const to = target[arrow] as number;
    const length = span(arrow);
    if (length === 1) {
      join(from, to, spine[arrow] ? Straight.spine : Straight.flow, arrow);
      continue;
    }
    first[arrow] = rankOf.length;
    let above = from;
    for (let step = 1; step < length; step++) {
      const place = rankOf.push((rank[from] as number) + step);
      join(above, place, step > 1 ? Straight.line : skips[arrow] ? Straight.no : Straight.flow, arrow);
      above = place;
    }
    join(above, to, skips[arrow] ? Straight.no : Straight.flow, arrow);
  }
  return {
    nodes: rankOf.length,
    rank: rankOf.taken(),
    ranks: ranks.count,
    upper: upper.taken(),
    lower: lower.taken(),
    straight: Uint8Array.from(straight.taken()),
    arrow: of.taken(),
    first,
    aside,
    skips,
  };
}

/** Whether something leads from the source of an arrow to its target beside the arrow itself. */
class OtherWay {
  readonly #seen: Int32Array;
  #round = 0;

  constructor(
    private readonly input: FrameInput,
    private readonly ranks: Ranks,
  ) {
    this.#seen = new Int32Array(nodesOf(input)).fill(-1);
  }

  exists(arrow: number): boolean {
    const { source, target } = this.input;
    const { into, out, rank } = this.ranks;
    const from = source[arrow] as number;
    const to = target[arrow] as number;
    if (lengthOf(out, from) < 2 || lengthOf(into, to) < 2) return false;
    const round = this.#round++;
    const stack = [to];
    let looked = 0;
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (let at = into.start[node] as number; at < (into.start[node + 1] as number); at++) {
        const one = into.items[at] as number;
        const above = source[one] as number;
        if (above === from && node !== to) return true;
        if (one === arrow || (rank[above] as number) <= (rank[from] as number) || this.#seen[above] === round) continue;
        if (looked++ > SEARCHED) return true;
        this.#seen[above] = round;
        stack.push(above);
      }
    }
    return false;
  }
}

/**
 * Arrows along which the drawing is to be a straight line: where a node has one reader at the next rank, or several of
 * which only one leads on without a detour. Branches of equal length have no spine: their source stands over their middle.
 */
function spineOf(input: FrameInput, ranks: Ranks, skips: Uint8Array): Uint8Array {
  const { source, target } = input;
  const { rank, out, into } = ranks;
  const spine = new Uint8Array(source.length);
  const isNext = (arrow: number) =>
    (rank[target[arrow] as number] as number) === (rank[source[arrow] as number] as number) + 1;
  /** Whether an only child follows an only child without a gap until others join in. */
  const tight = (arrow: number): boolean => {
    for (let at = arrow, steps = 0; steps < 64; steps++) {
      if (!isNext(at)) return false;
      const node = target[at] as number;
      if (lengthOf(into, node) !== 1 || lengthOf(out, node) !== 1)
        return lengthOf(out, node) > 0 || lengthOf(into, node) > 1;
      at = out.items[out.start[node] as number] as number;
    }
    return true;
  };
  const choose = (lists: typeof out, node: number): number => {
    let chosen = -1;
    let candidates = 0;
    let tights = 0;
    let tightest = -1;
    for (let at = lists.start[node] as number; at < (lists.start[node + 1] as number); at++) {
      const arrow = lists.items[at] as number;
      if (skips[arrow]) continue;
      candidates++;
      if (isNext(arrow)) chosen = arrow;
      if (lists === out ? tight(arrow) : isNext(arrow)) {
        tights++;
        tightest = arrow;
      }
    }
    return candidates === 1 ? chosen : tights === 1 ? tightest : -1;
  };
  const count = nodesOf(input);
  const down = Int32Array.from({ length: count }, (_, node) => choose(out, node));
  for (let node = 0; node < count; node++) {
    const arrow = choose(into, node);
    if (arrow >= 0 && down[source[arrow] as number] === arrow) spine[arrow] = 1;
  }
  return spine;
}
