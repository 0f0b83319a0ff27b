/** Where the arrow keys lead from a box: along its arrows, and among the boxes beside it. */
import type { Placed, Visible } from "../../layout/types";

export type Direction = "up" | "down" | "left" | "right";

export const DIRECTIONS: Readonly<Record<string, Direction>> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};

/** The box to go to; -1 where there is none. Of several readers or sources the nearest. */
export function step(visible: Visible, placed: Placed, from: number, direction: Direction): number {
  if (from < 0) return first(visible, placed);
  const middle = (box: number) => (placed.x[box] as number) + (placed.width[box] as number) / 2;
  if (direction === "down" || direction === "up") {
    const candidates: number[] = [];
    for (let arrow = 0; arrow < visible.source.length; arrow++) {
      if (visible.back[arrow]) continue;
      const [source, target] = [visible.source[arrow] as number, visible.target[arrow] as number];
      if (direction === "down" && source === from) candidates.push(target);
      if (direction === "up" && target === from) candidates.push(source);
    }
    return nearest(
      candidates,
      (box) =>
        Math.abs(middle(box) - middle(from)) + 0.01 * Math.abs((placed.y[box] as number) - (placed.y[from] as number)),
    );
  }
  const way = direction === "right" ? 1 : -1;
  const beside: number[] = [];
  for (let box = 0; box < visible.ids.length; box++) {
    if (box !== from && visible.frame[box] === visible.frame[from] && way * (middle(box) - middle(from)) > 1)
      beside.push(box);
  }
  // Those of the same height first: what stands beside, not what stands far above.
  return nearest(
    beside,
    (box) =>
      4 * Math.abs((placed.y[box] as number) - (placed.y[from] as number)) + Math.abs(middle(box) - middle(from)),
  );
}

function first(visible: Visible, placed: Placed): number {
  const all = Array.from(visible.ids.keys()).filter((box) => !visible.open[box]);
  return nearest(all, (box) => placed.y[box] as number);
}

function nearest(boxes: readonly number[], distance: (box: number) => number): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const box of boxes) {
    const here = distance(box);
    if (here < least) [best, least] = [box, here];
  }
  return best;
}
