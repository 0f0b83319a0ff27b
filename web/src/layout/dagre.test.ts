/** Our layouts beside those of @dagrejs/dagre, on the same small graphs. */
import dagre from "@dagrejs/dagre";
import { describe, expect, it } from "vitest";
import { dag, flat, network } from "../../tests/support/graphs";
import { layOut } from "./layout";
import { Route, type Visible } from "./types";

const SIZE = { width: 90, height: 28 };

type Piece = readonly (readonly [number, number])[];

interface Drawn {
  /** The pieces of each arrow that are drawn while nothing is in hand: of a stub its two ends. */
  readonly lines: readonly Piece[][];
  /** The same with every line whole. */
  readonly whole: readonly Piece[][];
  readonly ranks: number;
  /** Sum of the distances between the middles of joined boxes. */
  readonly length: number;
}

function ours(count: number, arrows: readonly (readonly [number, number])[]): Drawn {
  const visible: Visible = flat(count, arrows, SIZE.width, SIZE.height);
  const work = layOut(visible);
  let step = work.next();
  while (!step.done) step = work.next();
  const { start, points, x, y, rank, route } = step.value;
  const whole = arrows.map((_, arrow) =>
    Array.from({ length: (start[arrow + 1] as number) - (start[arrow] as number) }, (_, at) => {
      const corner = 2 * ((start[arrow] as number) + at);
      return [points[corner] as number, points[corner + 1] as number] as const;
    }),
  );
  const joined = new Set(arrows.flat());
  return {
    lines: whole.map((line, arrow) => (route[arrow] === Route.stub ? [line.slice(0, 2), line.slice(-2)] : [line])),
    whole: whole.map((line) => [line]),
    ranks: new Set([...rank].filter((_, box) => joined.has(box))).size,
    length: lengthOf(arrows, (box) => [x[box] as number, y[box] as number]),
  };
}

function theirs(count: number, arrows: readonly (readonly [number, number])[]): Drawn {
  const graph = new dagre.graphlib.Graph().setGraph({ ranker: "longest-path" }).setDefaultEdgeLabel(() => ({}));
  const joined = new Set(arrows.flat());
  for (let box = 0; box < count; box++) if (joined.has(box)) graph.setNode(String(box), { ...SIZE });
  for (const [from, to] of arrows) graph.setEdge(String(from), String(to));
  dagre.layout(graph);
  const at = (box: number) => graph.node(String(box)) as { x: number; y: number };
  const lines = arrows.map(([from, to]) => {
    const { points } = graph.edge(String(from), String(to)) as { points: { x: number; y: number }[] };
    return [points.map(({ x, y }) => [x, y] as const)];
  });
  return {
    lines,
    whole: lines,
    ranks: new Set([...joined].map((box) => Math.round(at(box).y))).size,
    length: lengthOf(arrows, (box) => [at(box).x, at(box).y]),
  };
}

function lengthOf(arrows: readonly (readonly [number, number])[], at: (box: number) => [number, number]): number {
  return arrows.reduce((sum, [from, to]) => sum + Math.hypot(at(from)[0] - at(to)[0], at(from)[1] - at(to)[1]), 0);
}

/** Pairs of arrows without a common end whose lines meet. */
function crossings(arrows: readonly (readonly [number, number])[], lines: readonly Piece[][]): number {
  let count = 0;
  for (let one = 0; one < arrows.length; one++) {
    for (let other = 0; other < one; other++) {
      const ends = new Set([...(arrows[one] as [number, number]), ...(arrows[other] as [number, number])]);
      if (ends.size < 4) continue;
      if (lines[one]?.some((piece) => lines[other]?.some((met) => meet(piece, met)))) count++;
    }
  }
  return count;
}

function meet(one: Piece, other: Piece): boolean {
  for (let a = 1; a < one.length; a++) {
    for (let b = 1; b < other.length; b++) {
      const [p, q] = [one[a - 1] as [number, number], one[a] as [number, number]];
      const [r, s] = [other[b - 1] as [number, number], other[b] as [number, number]];
      if (turn(p, q, r) * turn(p, q, s) < 0 && turn(r, s, p) * turn(r, s, q) < 0) return true;
    }
  }
  return false;
}

function turn(a: readonly [number, number], b: readonly [number, number], c: readonly [number, number]): number {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
}

/** Blocks with a projection beside, as ResNet has them; an inception; an encoder and a decoder joined level by level. */
function residual(blocks: number): [number, number][] {
  const arrows: [number, number][] = [];
  let [at, next] = [0, 1];
  for (let block = 0; block < blocks; block++) {
    const [conv, norm, again, side, sum] = [next, next + 1, next + 2, next + 3, next + 4];
    arrows.push([at, conv], [conv, norm], [norm, again], [again, sum]);
    if (block % 2 === 0) arrows.push([at, side], [side, sum]);
    else arrows.push([at, sum], [at, side]);
    at = sum;
    next += 5;
  }
  return arrows;
}

function inception(): [number, number][] {
  const arrows: [number, number][] = [];
  let next = 1;
  for (const length of [1, 2, 3, 2]) {
    let at = 0;
    for (let step = 0; step < length; step++) {
      arrows.push([at, next]);
      at = next++;
    }
    arrows.push([at, 9]);
  }
  return arrows;
}

function ladder(levels: number): [number, number][] {
  const count = 2 * levels + 1;
  const chain = Array.from({ length: count - 1 }, (_, at) => [at, at + 1] as [number, number]);
  return [...chain, ...Array.from({ length: levels }, (_, at) => [at, count - 1 - at] as [number, number])];
}

const GRAPHS: readonly (readonly [string, [number, number][]])[] = [
  ["residual blocks", residual(6)],
  ["inception", inception()],
  ["encoder and decoder", ladder(5)],
  ["network of 80", network(80, 5)],
  ["network of 120", network(120, 6)],
  ...[1, 2, 3, 4, 5, 6].map((seed) => [`random ${seed}`, dag(16 + 6 * seed, 1 + (seed % 3), 40 + seed)] as const),
];

describe("beside dagre", () => {
  it("crosses no more lines, needs no more ranks, and its lines are of comparable length", () => {
    const total = { ours: 0, theirs: 0, length: 0, their: 0 };
    const table = GRAPHS.map(([name, arrows]) => {
      const count = 1 + Math.max(...arrows.flat());
      const [mine, other] = [ours(count, arrows), theirs(count, arrows)];
      const [own, dagres] = [crossings(arrows, mine.lines), crossings(arrows, other.lines)];
      const whole = crossings(arrows, mine.whole);
      total.ours += own;
      total.theirs += dagres;
      total.length += mine.length;
      total.their += other.length;
      expect(mine.ranks, name).toBeLessThanOrEqual(other.ranks);
      return {
        name,
        crossings: own,
        "stubs whole": whole,
        dagre: dagres,
        ranks: mine.ranks,
        "length by dagre's": (mine.length / other.length).toFixed(2),
      };
    });
    console.table(table);
    expect(total.ours).toBeLessThanOrEqual(1.1 * total.theirs);
    expect(total.length).toBeLessThan(1.25 * total.their);
  });
});
