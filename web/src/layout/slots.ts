/** Where on its boxes each arrow begins and ends. */
import { listed } from "./columns";
import type { FrameInput } from "./frame";
import type { Layers } from "./layers";
import { halfOf } from "./place";
import type { Plan } from "./plan";
import { Route } from "./types";

export interface Slots {
  /** By arrow, from left to right: where it leaves the lower side of its source, and meets the upper side of its target. */
  readonly leaves: Float32Array;
  readonly arrives: Float32Array;
}

const CORNER = 8;
const STEP = 11;

export function slotsOf(input: FrameInput, layers: Layers, middle: Float32Array, plan: Plan): Slots {
  const { source, target, boxes } = input;
  const arrows = source.length;
  const leaves = new Float32Array(arrows);
  const arrives = new Float32Array(arrows);
  const approach = new Float32Array(arrows);
  const free = new Int32Array(arrows).fill(-1);
  for (let arrow = 0; arrow < arrows; arrow++) {
    const from = source[arrow] as number;
    const to = target[arrow] as number;
    const reach = Math.max(0, halfOf(input, from) - CORNER);
    const anchored = input.leavesAt[arrow] as number;
    leaves[arrow] = middle[from] as number;
    if (from < boxes && !Number.isNaN(anchored)) {
      leaves[arrow] = (middle[from] as number) - halfOf(input, from) + anchored;
    } else if (from < boxes && plan.route[arrow] === Route.stub) {
      leaves[arrow] = (middle[from] as number) + reach;
    }
    const arrival = input.arrivesAt[arrow] as number;
    arrives[arrow] = middle[to] as number;
    if (to < boxes && !Number.isNaN(arrival)) arrives[arrow] = (middle[to] as number) - halfOf(input, to) + arrival;
    else if (to < boxes && plan.side[arrow] === 0) free[arrow] = to;
    const first = layers.first[arrow] as number;
    if (plan.route[arrow] !== Route.flow) approach[arrow] = plan.lane[arrow] as number;
    else if (first < 0) approach[arrow] = leaves[arrow] as number;
    else approach[arrow] = middle[first + (layers.rank[to] as number) - (layers.rank[from] as number) - 2] as number;
  }
  const byTarget = listed(free, boxes);
  for (let box = 0; box < boxes; box++) {
    const from = byTarget.start[box] as number;
    const to = byTarget.start[box + 1] as number;
    if (to - from < 2 && (to === from || plan.route[byTarget.items[from] as number] === Route.flow)) continue;
    const into = byTarget.items
      .slice(from, to)
      .sort((a, b) => (approach[a] as number) - (approach[b] as number) || a - b);
    spread(into, approach, middle[box] as number, Math.max(0, halfOf(input, box) - CORNER), arrives);
  }
  return { leaves, arrives };
}

/** The line that comes from straight above keeps to the middle; those left and right of it meet the box beside it. */
function spread(into: Int32Array, approach: Float32Array, middle: number, reach: number, arrives: Float32Array): void {
  let centre = -1;
  for (let at = 0; at < into.length; at++) {
    if (Math.abs((approach[into[at] as number] as number) - middle) < 0.75) centre = at;
  }
  const step = Math.min(STEP, reach / Math.max(1, into.length - 1));
  const zero = centre >= 0 ? centre : (into.length - 1) / 2;
  for (let at = 0; at < into.length; at++) {
    const arrow = into[at] as number;
    const wished = (approach[arrow] as number) - middle;
    const least = (at - zero) * step;
    // As near to where it comes from as the order of the lines and the box allow, so that it is as straight as can be.
    const furthest = Math.max(-reach, Math.min(reach, 2 * least));
    arrives[arrow] =
      middle + (least < 0 ? Math.max(furthest, Math.min(least, wished)) : Math.min(furthest, Math.max(least, wished)));
  }
}
