/** The layout of a whole graph: every open frame by itself, the inner ones first, each then a box in the one around it. */
import { type Lists, listed } from "./columns";
import { FrameContents, inputOf } from "./content";
import type { FrameLayout } from "./frame";
import { FrameCache } from "./framecache";
import { layFrame } from "./layered";
import { HEADER, type Placed, type Visible } from "./types";

/** Frames between two places where a layout that is known already can be stopped. */
const STEP = 256;

/** Yields wherever it can be stopped. Frames that the cache knows are not laid out again. */
export function* layOut(visible: Visible, cache = new FrameCache()): Generator<undefined, Placed> {
  const count = visible.ids.length;
  const width = visible.width.slice();
  const height = visible.height.slice();
  // The top is kept under `count`.
  const children = listed(
    visible.frame.map((frame) => (frame < 0 ? count : frame)),
    count + 1,
  );
  const within = listed(drawnIn(visible), count + 1);
  const portX = new Float32Array(portsOf(visible)).fill(Number.NaN);
  const contents = new FrameContents(visible, { width, height, portX });
  const layouts: (FrameLayout | undefined)[] = new Array(count + 1);
  let since = 0;
  for (let frame = count; frame >= 0; frame--) {
    // The top last of all.
    const one = frame === 0 ? count : frame - 1;
    if (one < count && !visible.open[one]) continue;
    const content = contents.write(one, itemsOf(children, one), itemsOf(within, one));
    let layout = cache.get(content);
    if (!layout) {
      const own = content.slice() as Int32Array<ArrayBuffer>;
      layout = yield* layFrame(inputOf(own));
      cache.put(own, layout);
      yield;
    } else if (++since % STEP === 0) yield;
    const { ports } = contents;
    for (let at = 0; at < ports.length; at++) portX[ports[at] as number] = layout.portX[at] as number;
    layouts[one] = layout;
    if (one < count) {
      width[one] = layout.width;
      height[one] = layout.height + HEADER;
    }
  }
  return yield* gathered(visible, { layouts, children, within, width, height });
}

/** What stands in each frame, moved to where the frame stands. */
function* gathered(
  visible: Visible,
  {
    layouts,
    children,
    within,
    width,
    height,
  }: {
    layouts: readonly (FrameLayout | undefined)[];
    children: Lists;
    within: Lists;
    width: Float32Array;
    height: Float32Array;
  },
): Generator<undefined, Placed> {
  const count = visible.ids.length;
  const arrows = visible.source.length;
  const x = new Float32Array(count);
  const y = new Float32Array(count);
  const rank = new Int32Array(count);
  const route = new Uint8Array(arrows);
  const start = new Uint32Array(arrows + 1);
  // A frame comes before what it holds: where it stands is known when its inside is moved there.
  for (let turn = 0; turn <= count; turn++) {
    const frame = turn === 0 ? count : turn - 1;
    const layout = layouts[frame];
    if (!layout) continue;
    const [left, top] = frame === count ? [0, 0] : [x[frame] as number, (y[frame] as number) + HEADER];
    const [first, end] = [children.start[frame] as number, children.start[frame + 1] as number];
    for (let at = first; at < end; at++) {
      const box = children.items[at] as number;
      x[box] = left + (layout.x[at - first] as number);
      y[box] = top + (layout.y[at - first] as number);
      rank[box] = layout.rank[at - first] as number;
    }
    const own = within.start[frame] as number;
    for (let at = own; at < (within.start[frame + 1] as number); at++) {
      const arrow = within.items[at] as number;
      route[arrow] = layout.route[at - own] as number;
      start[arrow + 1] = (layout.start[at - own + 1] as number) - (layout.start[at - own] as number);
    }
  }
  yield;
  for (let arrow = 0; arrow < arrows; arrow++)
    start[arrow + 1] = (start[arrow + 1] as number) + (start[arrow] as number);
  const points = new Float32Array(2 * (start[arrows] as number));
  for (let frame = 0; frame <= count; frame++) {
    const layout = layouts[frame];
    if (!layout) continue;
    const [left, top] = frame === count ? [0, 0] : [x[frame] as number, (y[frame] as number) + HEADER];
    const own = within.start[frame] as number;
    for (let at = own; at < (within.start[frame + 1] as number); at++) {
      const from = 2 * (layout.start[at - own] as number);
      const length = 2 * (layout.start[at - own + 1] as number) - from;
      const to = 2 * (start[within.items[at] as number] as number);
      for (let item = 0; item < length; item += 2) {
        points[to + item] = left + (layout.points[from + item] as number);
        points[to + item + 1] = top + (layout.points[from + item + 1] as number);
      }
    }
  }
  const whole = layouts[count];
  return { x, y, width, height, rank, route, start, points, right: whole?.width ?? 0, bottom: whole?.height ?? 0 };
}

function itemsOf(lists: Lists, at: number): Int32Array {
  return lists.items.subarray(lists.start[at] as number, lists.start[at + 1] as number);
}

/** By arrow: the frame in which it is drawn; the number of boxes for the top. */
function drawnIn({ source, target, frame, ids }: Visible): Int32Array {
  return source.map((from, arrow) => {
    const to = target[arrow] as number;
    const above = frame[to] === from ? from : frame[from] === to ? to : (frame[from] as number);
    return above < 0 ? ids.length : above;
  });
}

function portsOf({ sourcePort, targetPort }: Visible): number {
  let most = -1;
  for (let arrow = 0; arrow < sourcePort.length; arrow++)
    most = Math.max(most, sourcePort[arrow] as number, targetPort[arrow] as number);
  return most + 1;
}
