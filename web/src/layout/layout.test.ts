import { describe, expect, it } from "vitest";
import { dag, flat, network, node, random } from "../../tests/support/graphs";
import { fold } from "./fold";
import { FrameCache } from "./framecache";
import { layOut } from "./layout";
import { GraphModel } from "./model";
import { HEADER, type Placed, Route, type Visible } from "./types";

function placed(visible: Visible, cache = new FrameCache()): Placed {
  const work = layOut(visible, cache);
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

type Corner = readonly [number, number];

function corners(result: Placed, arrow: number): Corner[] {
  const line: Corner[] = [];
  for (let at = result.start[arrow] as number; at < (result.start[arrow + 1] as number); at++) {
    line.push([result.points[2 * at] as number, result.points[2 * at + 1] as number]);
  }
  return line;
}

/** Whether a straight part of a line goes through the inside of a box, a little of its border left out. */
function cuts([x0, y0]: Corner, [x1, y1]: Corner, left: number, top: number, right: number, bottom: number): boolean {
  let from = 0;
  let to = 1;
  for (const [start, step, low, high] of [
    [x0, x1 - x0, left, right],
    [y0, y1 - y0, top, bottom],
  ] as const) {
    if (Math.abs(step) < 1e-9) {
      if (start <= low || start >= high) return false;
      continue;
    }
    const [near, far] = [(low - start) / step, (high - start) / step];
    from = Math.max(from, Math.min(near, far));
    to = Math.min(to, Math.max(near, far));
  }
  return from < to;
}

/** What must hold of every layout. */
function check(visible: Visible, result: Placed, told: string): void {
  const wrong: string[] = [];
  const must = (holds: boolean, what: string) => {
    if (!holds) wrong.push(what);
  };
  const count = visible.ids.length;
  const { x, y, width, height } = result;
  const boxes = Array.from({ length: count }, (_, at) => {
    const [left, top] = [x[at] as number, y[at] as number];
    return [left, top, left + (width[at] as number), top + (height[at] as number)] as const;
  });
  const box = (at: number) => boxes[at] as readonly [number, number, number, number];
  for (let one = 0; one < count; one++) {
    const [left, top, right, bottom] = box(one);
    const frame = visible.frame[one] as number;
    const [l, t, r, b] = frame < 0 ? [0, -HEADER, result.right, result.bottom] : box(frame);
    must(
      left > l - 0.1 && top > t + HEADER - 0.1 && right < r + 0.1 && bottom < b + 0.1,
      `box ${one} leaves its frame`,
    );
    for (let other = 0; other < one; other++) {
      if (visible.frame[other] !== frame) continue;
      const [a, c, d, e] = box(other);
      must(!(left < d - 0.1 && a < right - 0.1 && top < e - 0.1 && c < bottom - 0.1), `boxes ${one}, ${other} overlap`);
    }
  }
  for (let arrow = 0; arrow < visible.source.length; arrow++) {
    const [from, to] = [visible.source[arrow] as number, visible.target[arrow] as number];
    const line = corners(result, arrow);
    const enters = visible.frame[to] === from;
    const leaves = visible.frame[from] === to;
    const [first, last] = [line[0] ?? [0, 0], line.at(-1) ?? [0, 0]];
    const [fl, ft, fr, fb] = box(from);
    const [tl, tt, tr, tb] = box(to);
    const starts = Math.abs(first[1] - (enters ? ft + HEADER : fb)) < 0.1 && first[0] > fl - 0.1 && first[0] < fr + 0.1;
    must(line.length > 1 && starts, `arrow ${arrow} does not begin at its source`);
    const above = last[0] > tl - 0.1 && last[0] < tr + 0.1 && Math.abs(last[1] - (leaves ? tb : tt)) < 0.1;
    const beside = last[1] > tt && last[1] < tb && Math.min(Math.abs(last[0] - tl), Math.abs(last[0] - tr)) < 0.1;
    must(above || beside, `arrow ${arrow} does not end at its target's border`);
    const frame = enters ? from : leaves ? to : visible.frame[from];
    for (let other = 0; other < count; other++) {
      if (visible.frame[other] !== frame) continue;
      const [l, t, r, b] = box(other);
      for (let at = 1; at < line.length; at++) {
        const through = cuts(line[at - 1] as Corner, line[at] as Corner, l + 0.1, t + 0.1, r - 0.1, b - 0.1);
        must(!through, `arrow ${arrow} of route ${result.route[arrow]} goes through box ${other}`);
      }
    }
    const down = (result.rank[to] as number) > (result.rank[from] as number);
    must(enters || leaves || result.route[arrow] === Route.back || down, `arrow ${arrow} does not lead down`);
  }
  expect(wrong, told).toEqual([]);
}

describe("a layout", () => {
  it("has no overlaps, no line through a box and every line at its boxes' borders, for random graphs", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const chance = random(seed);
      const count = 2 + Math.floor(chance() * 45);
      const visible = flat(count, dag(count, 1 + (seed % 4), seed));
      for (let box = 0; box < count; box++) {
        visible.width[box] = 30 + Math.floor(chance() * 150);
        // Some are as tall as an open module.
        visible.height[box] = 18 + Math.floor(chance() * (chance() < 0.15 ? 900 : 60));
      }
      check(visible, placed(visible), `seed ${seed}`);
    }
  });

  it("holds for hubs, residual blocks and long lines", () => {
    for (const seed of [1, 2, 3]) {
      const visible = flat(400, network(400, seed));
      const result = placed(visible);
      check(visible, result, `network ${seed}`);
      expect(new Set(result.route)).toEqual(new Set([Route.flow, Route.lane, Route.stub]));
    }
  });

  it("holds for open modules in open modules, whatever is open", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const chance = random(seed);
      const nodes = Array.from({ length: 40 }, (_, id) => node(id, `n${id}`));
      const leaves: number[] = [];
      nodes.forEach((one, id) => {
        one.parent =
          id === 0 ? null : chance() < 0.6 ? (nodes[id - 1] as typeof one).parent : chance() < 0.5 ? id - 1 : null;
      });
      const holders = new Set(nodes.map((one) => one.parent));
      for (const one of nodes) if (!holders.has(one.id)) leaves.push(one.id);
      const edges = dag(leaves.length, 3, seed).map(([from, to]) => ({
        source: leaves[from] as number,
        target: leaves[to] as number,
        output: 0,
        argument: 0,
        shape: [],
        activation: null,
        feeds_back: false,
      }));
      const model = new GraphModel({ nodes, edges, repeats: [], loops: [] });
      const open = new Set(nodes.filter((one) => model.holds(one.id) && chance() < 0.8).map((one) => one.id));
      const { visible } = fold(model, { open, spread: new Set() });
      check(visible, placed(visible), `seed ${seed}`);
    }
  });

  it("stands a chain on a straight line, and its skip connection beside it", () => {
    const visible = flat(6, [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [0, 4],
      [4, 5],
    ]);
    const result = placed(visible);
    check(visible, result, "residual");
    const middles = Array.from(result.x, (x, box) => Math.round(x + (result.width[box] as number) / 2));
    expect(new Set(middles).size).toBe(1);
    expect([...result.route]).toEqual([Route.flow, Route.flow, Route.flow, Route.flow, Route.lane, Route.flow]);
    // Down beside the blocks it skips, and into the side of the sum.
    expect(corners(result, 4).at(-1)?.[0]).toBeCloseTo((result.x[4] as number) + (result.width[4] as number), 1);
  });

  it("stands a source over the middle of equal branches", () => {
    const visible = flat(5, [
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
    const { x } = placed(visible);
    expect(x[0]).toBeCloseTo(x[2] as number, 0);
    expect((x[1] as number) + (x[3] as number)).toBeCloseTo(2 * (x[0] as number), 0);
  });

  it("pushes down with a tall box what stands below it, and nothing beside it", () => {
    // A fork of three branches of four, three and one box, which a last one joins; a constant for the last box but one.
    const visible = flat(12, [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [0, 5],
      [5, 6],
      [6, 7],
      [0, 8],
      [4, 9],
      [7, 9],
      [8, 9],
      [9, 10],
      [11, 10],
    ]);
    const small = placed(visible);
    visible.height[8] = 1000;
    const result = placed(visible);
    check(visible, result, "a tall branch");
    for (const box of [1, 2, 3, 4, 5, 6, 7]) expect(result.y[box], `box ${box}`).toBeCloseTo(small.y[box] as number, 3);
    for (const box of [9, 10]) expect(result.y[box]).toBeGreaterThan((result.y[8] as number) + 1000);
    // The constant comes along to what reads it.
    expect((result.y[10] as number) - (result.y[11] as number)).toBeCloseTo(
      (small.y[10] as number) - (small.y[11] as number),
      3,
    );
  });

  it("draws equal blocks the same beside an open module, however wide their boxes are", () => {
    // A residual block as ResNet has it, whose projection is open and as high as two and a half of its boxes.
    const block = (first: boolean, widths: readonly [number, number, number]) => {
      const arrows: [number, number][] = [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
        [4, 5],
        [6, 5],
      ];
      arrows.splice(first ? 0 : 6, 0, [0, 6]);
      const visible = flat(7, arrows, widths[1], 44);
      visible.width[1] = widths[0];
      visible.width[6] = widths[2];
      visible.height[6] = 176;
      return visible;
    };
    const steps = new Set<string>();
    for (const first of [false, true]) {
      for (let conv = 92; conv <= 170; conv += 7) {
        for (const bn of [92, 131, 158, 236]) {
          for (const projection of [120, 185, 186.5]) {
            const visible = block(first, [conv, bn, projection]);
            const result = placed(visible);
            const told = `${first} ${conv} ${bn} ${projection}`;
            check(visible, result, told);
            const y = (box: number) => result.y[box] as number;
            steps.add([2, 3, 4].map((box) => Math.round(y(box) - y(box - 1))).join(" "));
          }
        }
      }
    }
    expect([...steps]).toEqual(["72 72 72"]);
  });

  it("leads what is fed back upwards beside the loop, also from a box to itself", () => {
    const visible = flat(4, [
      [0, 1],
      [1, 2],
      [2, 3],
      [2, 1],
      [3, 3],
    ]);
    visible.back[3] = visible.back[4] = 1;
    const result = placed(visible);
    check(visible, result, "loop");
    expect([result.route[3], result.route[4]]).toEqual([Route.back, Route.back]);
  });

  it("sends one arrow of a ring back where nothing says which", () => {
    const result = placed(
      flat(3, [
        [0, 1],
        [1, 2],
        [2, 0],
      ]),
    );
    expect([...result.route].filter((route) => route === Route.back)).toHaveLength(1);
  });

  it("stands constants just above what reads them", () => {
    const visible = flat(6, [
      [0, 1],
      [1, 2],
      [2, 3],
      [4, 3],
      [3, 5],
    ]);
    expect(placed(visible).rank[4]).toBe(2);
  });

  it("stands what nothing joins in rows, 200,000 of them at once", () => {
    const visible = flat(200_000, []);
    const { right, bottom, x, y } = placed(visible);
    expect(right / bottom).toBeGreaterThan(0.8);
    expect(right / bottom).toBeLessThan(3);
    expect(new Set(Array.from(x, (at, box) => `${at} ${y[box]}`)).size).toBe(200_000);
    const few = flat(5, [[0, 1]]);
    check(few, placed(few), "some alone");
  });

  it("of nothing is nothing", () => {
    expect(placed(flat(0, [])).points).toHaveLength(0);
  });

  it("is the same every time, and lays out no frame twice", () => {
    const visible = flat(300, network(300));
    const cache = new FrameCache();
    const [once, again] = [placed(visible, cache), layOut(visible, cache)];
    let steps = 0;
    let step = again.next();
    for (; !step.done; step = again.next()) steps++;
    expect(step.value).toEqual(once);
    expect(steps).toBeLessThan(3);
  });

  it("can be stopped every few milliseconds' worth of work", () => {
    const work = layOut(flat(5000, network(5000)));
    let steps = 0;
    while (!work.next().done) steps++;
    expect(steps).toBeGreaterThan(15);
  });
});
