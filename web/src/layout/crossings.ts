/** Counts of crossings between neighbouring ranks. */
import type { Layers } from "./layers";
import type { Neighbours, Order } from "./order";

/** Crossings of all lines; a tree of partial sums makes it n log n (Barth, Juenger & Mutzel 2002). */
export function crossingsOf(layers: Layers, { below }: Neighbours, { nodes, start, position }: Order): number {
  let crossings = 0;
  let widest = 0;
  for (let rank = 0; rank < layers.ranks; rank++) {
    widest = Math.max(widest, (start[rank + 1] as number) - (start[rank] as number));
  }
  const sums = new Int32Array(widest + 1);
  for (let rank = 0; rank + 1 < layers.ranks; rank++) {
    const size = (start[rank + 2] as number) - (start[rank + 1] as number);
    if (size < 2 || (start[rank + 1] as number) - (start[rank] as number) < 2) continue;
    sums.fill(0, 0, size + 1);
    let seen = 0;
    for (let at = start[rank] as number; at < (start[rank + 1] as number); at++) {
      const node = nodes[at] as number;
      const from = below.start[node] as number;
      const to = below.start[node + 1] as number;
      // Lines from one node do not cross one another: all are counted before any is added.
      for (let item = from; item < to; item++) {
        let notRight = 0;
        for (let sum = (position[below.items[item] as number] as number) + 1; sum > 0; sum &= sum - 1) {
          notRight += sums[sum] as number;
        }
        crossings += seen - notRight;
      }
      for (let item = from; item < to; item++) {
        for (let sum = (position[below.items[item] as number] as number) + 1; sum <= size; sum += sum & -sum) {
          sums[sum] = (sums[sum] as number) + 1;
        }
      }
      seen += to - from;
    }
  }
  return crossings;
}

/** Crossings between the lines of two neighbours in a rank, with `left` left of `right`; 0 where there are very many lines. */
export function crossingsOfPair(
  { above, below }: Neighbours,
  position: Int32Array,
  left: number,
  right: number,
): number {
  let crossings = 0;
  for (const lists of [above, below]) {
    const from = lists.start[left] as number;
    const to = lists.start[left + 1] as number;
    const otherFrom = lists.start[right] as number;
    const otherTo = lists.start[right + 1] as number;
    if ((to - from) * (otherTo - otherFrom) > 4096) return 0;
    for (let item = from; item < to; item++) {
      const one = position[lists.items[item] as number] as number;
      for (let other = otherFrom; other < otherTo; other++) {
        if (one > (position[lists.items[other] as number] as number)) crossings++;
      }
    }
  }
  return crossings;
}
