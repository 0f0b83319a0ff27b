import { describe, expect, it } from "vitest";
import type { GraphEdge, GraphNode } from "../../record/schema.gen";
import { lanes, Tree } from "./tree";

function node(id: number, name: string, parent: number | null): GraphNode {
  return {
    id,
    path: name,
    name,
    operation: "Module",
    kind: "module",
    parent,
    call: 1,
    inputs: [],
    outputs: [[1, 4]],
    dtype: "float32",
    parameters: 0,
    own_parameters: 0,
    trainable: 0,
    flops: 0,
    memory: 0,
    layer: null,
    source: null,
  };
}

function edge(source: number, target: number): GraphEdge {
  return { source, target, output: 0, argument: 0, shape: [1, 4] };
}

// A residual block: input -> conv -> relu -> add, and input -> add past both; then a head.
const NODES = [
  node(0, "input", null),
  node(1, "model", null),
  node(2, "block", 1),
  node(3, "block.conv", 2),
  node(4, "block.relu", 2),
  node(5, "block.add", 2),
  node(6, "head", 1),
  node(7, "head.fc", 6),
  node(8, "output", null),
];
const EDGES = [edge(0, 3), edge(3, 4), edge(4, 5), edge(0, 5), edge(5, 7), edge(7, 8)];
const tree = new Tree(NODES);
const shown = (...folded: number[]) => tree.rows(new Set(folded), new Set());
const names = (...folded: number[]) => shown(...folded).map((row) => row.node.name);
const wires = (...folded: number[]) =>
  tree.lift(EDGES, shown(...folded)).map((one) => `${one.source}-${one.target} past ${one.skips}`);

describe("rows of the tree", () => {
  it("stand in order of execution, each below what holds it", () => {
    expect(names()).toEqual(NODES.map((one) => one.name));
    expect(shown().map((row) => row.depth)).toEqual([0, 0, 1, 2, 2, 2, 1, 2, 0]);
    expect(shown().map((row) => row.children)).toEqual([0, 2, 3, 0, 0, 0, 1, 0, 0]);
  });

  it("hide everything inside what is folded, and nothing else", () => {
    expect(names(2)).toEqual(["input", "model", "block", "head", "head.fc", "output"]);
    expect(names(1)).toEqual(["input", "model", "output"]);
    expect(
      shown(2)
        .filter((row) => row.folded)
        .map((row) => row.node.name),
    ).toEqual(["block"]);
  });

  it("lose nothing whose parent is not there", () => {
    const orphaned = new Tree([node(4, "lost", 99), node(5, "kept", null)]);
    expect(orphaned.rows(new Set(), new Set()).map((row) => [row.node.name, row.depth])).toEqual([
      ["lost", 0],
      ["kept", 0],
    ]);
  });

  it("are folded at first only below a depth, and only where they hold anything", () => {
    expect([...tree.foldedBelow(0)]).toEqual([1, 2, 6]);
    expect([...tree.foldedBelow(1)]).toEqual([2, 6]);
    expect([...tree.foldedBelow(99)]).toEqual([]);
  });

  it("are found from the top", () => {
    expect(tree.pathTo(4)).toEqual([1, 2, 4]);
    expect(tree.pathTo(0)).toEqual([0]);
    expect(tree.pathTo(99)).toEqual([]);
  });
});

describe("wires between rows", () => {
  it("go from call to call, and count the calls that they pass by", () => {
    expect(wires()).toEqual(["0-3 past 0", "3-4 past 0", "4-5 past 0", "0-5 past 2", "5-7 past 0", "7-8 past 0"]);
  });

  it("end at what is folded, vanish inside it, and are drawn once", () => {
    expect(wires(2)).toEqual(["0-2 past 0", "2-7 past 0", "7-8 past 0"]);
    expect(wires(1)).toEqual(["0-1 past 0", "1-8 past 0"]);
  });

  it("end at the outermost of what is folded", () => {
    expect(wires(1, 2, 6)).toEqual(wires(1));
  });

  it("are left out where an end is not on screen", () => {
    expect(tree.lift(EDGES, shown().slice(0, 5)).map((one) => `${one.source}-${one.target}`)).toEqual(["0-3", "3-4"]);
  });
});

describe("lanes", () => {
  it("keep apart what overlaps, the shortest nearest, and let the rest share", () => {
    const spans = [
      { from: 0, to: 9 },
      { from: 1, to: 2 },
      { from: 2, to: 3 },
      { from: 1, to: 4 },
      { from: 7, to: 5 },
    ];
    expect([...lanes(spans)]).toEqual([2, 0, 0, 1, 0]);
  });

  it("never cross within one lane", () => {
    const spans = Array.from({ length: 60 }, (_, index) => ({ from: (index * 7) % 31, to: (index * 13) % 37 })).filter(
      (span) => span.from !== span.to,
    );
    const lane = lanes(spans);
    const low = (index: number) => Math.min(spans[index]?.from ?? 0, spans[index]?.to ?? 0);
    const high = (index: number) => Math.max(spans[index]?.from ?? 0, spans[index]?.to ?? 0);
    for (let one = 0; one < spans.length; one++)
      for (let other = 0; other < one; other++)
        if (lane[one] === lane[other])
          expect(high(one) <= low(other) || high(other) <= low(one), `${one} and ${other}`).toBe(true);
  });
});

// Three equal blocks of two calls each, one after the other, and one edge that passes them all by.
const STACK = [
  node(0, "input", null),
  ...[0, 1, 2].flatMap((index) => [
    node(1 + 3 * index, `block${index}`, null),
    node(2 + 3 * index, `block${index}.linear`, 1 + 3 * index),
    node(3 + 3 * index, `block${index}.relu`, 1 + 3 * index),
  ]),
  node(10, "output", null),
];
const CHAIN = [edge(0, 2), edge(2, 3), edge(3, 5), edge(5, 6), edge(6, 8), edge(8, 9), edge(9, 10), edge(0, 10)];
const stack = new Tree(STACK, [[1, 4, 7]]);
const drawn = (folded: number[], apart: number[]) => {
  const rows = stack.rows(new Set(folded), new Set(apart));
  const lines = stack.lift(CHAIN, rows).map((one) => `${one.source}-${one.target} past ${one.skips}`);
  return { names: rows.map((row) => row.node.name), lines, rows };
};

describe("a run of equal blocks", () => {
  it("is drawn once, by its first, with all that goes in and comes out", () => {
    const { names, lines, rows } = drawn([1], []);
    expect(names).toEqual(["input", "block0", "output"]);
    expect(rows[1]).toMatchObject({ run: [1, 4, 7], once: true });
    expect(lines).toEqual(["0-1 past 0", "1-10 past 0", "0-10 past 1"]);
  });

  it("shows its inside once, and feeds nothing back", () => {
    const { names, lines } = drawn([], []);
    expect(names).toEqual(["input", "block0", "block0.linear", "block0.relu", "output"]);
    expect(lines).toEqual(["0-2 past 0", "2-3 past 0", "3-10 past 0", "0-10 past 2"]);
  });

  it("is spread out by hand", () => {
    const { names, lines, rows } = drawn([1, 4, 7], [1]);
    expect(names).toEqual(["input", "block0", "block1", "block2", "output"]);
    expect(rows.map((row) => row.run.length)).toEqual([0, 3, 0, 0, 0]);
    expect(lines).toEqual(["0-1 past 0", "1-4 past 0", "4-7 past 0", "7-10 past 0", "0-10 past 3"]);
  });

  it("holds what is inside its members", () => {
    expect(stack.inside(4).map((one) => one.name)).toEqual(["block1", "block1.linear", "block1.relu"]);
  });
});
