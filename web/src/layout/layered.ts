/** The layout of one frame. */
import { type FrameInput, type FrameLayout, nodesOf, SPACE } from "./frame";
import { gridOf } from "./grid";
import { layersOf } from "./layers";
import { linesOf } from "./lines";
import { orderOf } from "./order";
import { halfOf, middles } from "./place";
import { planOf } from "./plan";
import { ranksOf } from "./ranks";
import { slotsOf } from "./slots";

/** Yields wherever it can be stopped. */
export function* layFrame(input: FrameInput): Generator<undefined, FrameLayout> {
  const { boxes } = input;
  const x = new Float32Array(boxes);
  const y = new Float32Array(boxes);
  if (input.source.length === 0) {
    const rank = new Int32Array(boxes);
    const all = Int32Array.from({ length: boxes }, (_, box) => box);
    const grid = gridOf(all, input.width, input.height, SPACE.padding, SPACE.padding, { x, y, rank }, 0);
    return finished(input, {
      x,
      y,
      rank,
      width: grid.width + 2 * SPACE.padding,
      height: grid.height + 2 * SPACE.padding,
      portX: new Float32Array(input.entries + input.exits).fill(SPACE.padding),
      route: new Uint8Array(0),
      start: new Uint32Array(1),
      points: new Float32Array(0),
    });
  }
  const ranks = ranksOf(input);
  yield;
  const layers = layersOf(input, ranks);
  yield;
  const order = yield* orderOf(layers);
  const [leaves, arrives] = anchors(input, layers.arrow, layers.upper, layers.lower);
  const middle = yield* middles(input, ranks, layers, order, leaves, arrives);
  const plan = planOf(input, ranks, layers, order, middle);
  yield;
  const slots = slotsOf(input, layers, middle, plan);
  const lines = yield* linesOf({ input, ranks, layers, order, middle, plan, slots });
  yield;
  const move = SPACE.padding - plan.left;
  const alone: number[] = [];
  const rank = ranks.rank.slice(0, boxes);
  for (let box = 0; box < boxes; box++) {
    if ((rank[box] as number) < 0) alone.push(box);
    x[box] = (middle[box] as number) - halfOf(input, box) + move;
    y[box] = lines.y[box] as number;
  }
  for (let at = 0; at < lines.points.length; at += 2) lines.points[at] = (lines.points[at] as number) + move;
  let width = plan.right - plan.left + 2 * SPACE.padding;
  let height = lines.height;
  if (alone.length > 0) {
    // Beside what flows: below it would cut the way to the ports.
    const top = SPACE.padding;
    const grid = gridOf(Int32Array.from(alone), input.width, input.height, width, top, { x, y, rank }, 0);
    width += grid.width + SPACE.padding;
    height = Math.max(height, top + grid.height + SPACE.padding);
  }
  const portX = Float32Array.from(middle.subarray(boxes, nodesOf(input)), (at) => at + move);
  return finished(input, { x, y, rank, width, height, portX, route: plan.route, ...stretched(lines, input, height) });
}

/** How far from the middles of its nodes each part of an arrow begins and ends. */
function anchors(
  input: FrameInput,
  arrow: Int32Array,
  upper: Int32Array,
  lower: Int32Array,
): readonly [Float32Array, Float32Array] {
  const leaves = new Float32Array(arrow.length);
  const arrives = new Float32Array(arrow.length);
  for (let part = 0; part < arrow.length; part++) {
    const from = upper[part] as number;
    const to = lower[part] as number;
    const leave = input.leavesAt[arrow[part] as number] as number;
    const arrive = input.arrivesAt[arrow[part] as number] as number;
    if (from < input.boxes && !Number.isNaN(leave)) leaves[part] = leave - halfOf(input, from);
    if (to < input.boxes && !Number.isNaN(arrive)) arrives[part] = arrive - halfOf(input, to);
  }
  return [leaves, arrives];
}

/** Lines to the exits reach down to the frame's border, also where something beside them is higher. */
function stretched(
  lines: { readonly start: Uint32Array; readonly points: Float32Array; readonly height: number },
  input: FrameInput,
  height: number,
): { start: Uint32Array; points: Float32Array } {
  const { start, points } = lines;
  if (height > lines.height) {
    for (let arrow = 0; arrow < input.target.length; arrow++) {
      if ((input.target[arrow] as number) < input.boxes + input.entries) continue;
      const last = 2 * (start[arrow + 1] as number) - 1;
      points[last] = height;
    }
  }
  return { start, points };
}

/** In the middle of the least width that the frame's title needs. */
function finished(input: FrameInput, layout: FrameLayout): FrameLayout {
  const spare = input.leastWidth - layout.width;
  if (spare <= 0) return layout;
  const move = (value: number) => value + spare / 2;
  return {
    ...layout,
    width: input.leastWidth,
    x: layout.x.map(move),
    portX: layout.portX.map(move),
    points: layout.points.map((value, at) => (at % 2 === 0 ? move(value) : value)),
  };
}
