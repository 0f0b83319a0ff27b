import { describe, expect, it } from "vitest";
import { dag, edge, node, random } from "../../tests/support/graphs";
import type { GraphEdge, GraphNode, GraphPanel } from "../record/schema.gen";
import { boxesSeen, type FoldState, fold, foldingOf } from "./fold";
import { GraphModel } from "./model";

function modelOf(nodes: GraphNode[], edges: GraphEdge[], more: Partial<Pick<GraphPanel, "repeats" | "loops">> = {}) {
  return new GraphModel({ nodes, edges, repeats: [], loops: [], ...more });
}

function drawn(model: GraphModel, state: Partial<FoldState> & { open: ReadonlySet<number> }) {
  const { visible, boxAt } = fold(model, { spread: new Set(), ...state });
  const name = (box: number) => model.node(visible.ids[box] as number)?.name ?? "?";
  const arrows = Array.from(visible.source, (from, at) => {
    const to = visible.target[at] as number;
    const how = visible.frame[to] === from ? " in" : visible.frame[from] === to ? " out" : "";
    const word = (visible.label[at] as number) >= 0 ? ` by ${model.node(visible.label[at] as number)?.name}` : "";
    return `${name(from)}-${name(to)}${how}${visible.back[at] ? " back" : ""}${word}`;
  }).sort();
  return { visible, boxAt, names: Array.from(visible.ids, (_, box) => name(box)), arrows };
}

// A residual block: x -> conv -> relu -> add, and x -> add past both; then a head and the output.
const NODES = [
  node(0, "x"),
  node(1, "block"),
  node(2, "conv", 1),
  node(3, "relu", 1, { role: "activation", activation: "relu" }),
  node(4, "add", 1),
  node(5, "head"),
  node(6, "fc", 5),
  node(7, "output"),
];
const EDGES = [edge(0, 2), edge(2, 3), edge(3, 4), edge(0, 4), edge(4, 6), edge(6, 7)];
const BLOCK = modelOf(NODES, EDGES);

describe("a folded graph", () => {
  it("joins closed modules with one arrow for all edges between them", () => {
    const { names, arrows, visible } = drawn(BLOCK, { open: new Set() });
    expect(names).toEqual(["x", "block", "head", "output"]);
    expect(arrows).toEqual(["block-head", "head-output", "x-block"]);
    expect([...visible.weight]).toEqual([2, 1, 1]);
  });

  it("shows inside an open module where a signal from outside is read, the skip connection too", () => {
    const { arrows, visible } = drawn(BLOCK, { open: new Set([1]) });
    expect(arrows).toEqual([
      "add-block out",
      "block-add in",
      "block-conv in",
      "block-head",
      "conv-relu",
      "head-output",
      "relu-add",
      "x-block",
    ]);
    // One signal, one port: both readers hang on it, and so does the arrow from outside.
    const ports = new Set(
      [...visible.sourcePort].filter(
        (_, at) => visible.source[at] === 1 && visible.frame[visible.target[at] as number] === 1,
      ),
    );
    expect(ports.size).toBe(1);
    const outside = Array.from(visible.target, (to, at) =>
      to === 1 && visible.source[at] === 0 ? visible.targetPort[at] : -1,
    ).filter((port) => port !== -1);
    expect(outside).toEqual([...ports]);
  });

  it("lets signals that are read by different boxes enter apart, and those read by the same ones together", () => {
    const model = modelOf(
      [node(0, "a"), node(1, "b"), node(2, "mask"), node(3, "block"), node(4, "cat", 3), node(5, "attend", 3)],
      [edge(0, 4), edge(1, 4), edge(2, 5), edge(4, 5)],
    );
    const { visible } = drawn(model, { open: new Set([3]) });
    const portOf = (source: number) => [...visible.targetPort].filter((_, at) => visible.source[at] === source)[0];
    expect(portOf(0)).toBe(portOf(1));
    expect(portOf(2)).not.toBe(portOf(0));
  });

  it("writes an activation between one source and one target on the arrow", () => {
    const { names, arrows, boxAt, visible } = drawn(BLOCK, { open: new Set([1]), activationsOnArrows: true });
    expect(names).not.toContain("relu");
    expect(arrows).toContain("conv-add by relu");
    expect(boxAt(3)).toBe(-1);
    expect(visible.ids[boxAt(7)]).toBe(7);
    expect(Math.max(...visible.source, ...visible.target)).toBeLessThan(visible.ids.length);
  });

  it("keeps an activation with two readers as a box", () => {
    const model = modelOf(NODES.slice(0, 5), [edge(0, 3), edge(3, 2), edge(3, 4)]);
    expect(drawn(model, { open: new Set([1]), activationsOnArrows: true }).names).toContain("relu");
  });

  it("says which box holds a call", () => {
    const { boxAt, visible } = drawn(BLOCK, { open: new Set() });
    expect(visible.ids[boxAt(4)]).toBe(1);
    expect(boxAt(99)).toBe(-1);
  });

  it("holds weights alone, nothing at all, and calls whose holder is not there", () => {
    expect(drawn(modelOf([node(0, "w"), node(1, "b")], []), { open: new Set() }).names).toEqual(["w", "b"]);
    expect(drawn(modelOf([], []), { open: new Set() }).names).toEqual([]);
    expect(drawn(modelOf([node(4, "lost", 99)], [edge(4, 77)]), { open: new Set() }).names).toEqual(["lost"]);
  });

  it("refuses calls that hold one another", () => {
    expect(() => modelOf([node(0, "a", 1), node(1, "b", 0)], [])).toThrow(/ring/);
  });
});

// Three equal blocks of two calls each, one after the other, and one edge that passes them all by.
const STACK = modelOf(
  [
    node(0, "x"),
    ...[0, 1, 2].flatMap((at) => [
      node(1 + 3 * at, `b${at}`),
      node(2 + 3 * at, `b${at}.fc`, 1 + 3 * at),
      node(3 + 3 * at, `b${at}.act`, 1 + 3 * at),
    ]),
    node(10, "output"),
  ],
  [edge(0, 2), edge(2, 3), edge(3, 5), edge(5, 6), edge(6, 8), edge(8, 9), edge(9, 10), edge(0, 10)],
  { repeats: [[1, 4, 7]] },
);

describe("a run of equal blocks", () => {
  it("is drawn once with a multiplier, with what goes in and what follows, and feeds nothing back", () => {
    const { names, arrows, visible } = drawn(STACK, { open: new Set([1]) });
    expect(names).toEqual(["x", "b0", "b0.fc", "b0.act", "output"]);
    expect([...visible.times]).toEqual([1, 3, 1, 1, 1]);
    expect(arrows).toEqual(["b0-b0.fc in", "b0-output", "b0.act-b0 out", "b0.fc-b0.act", "x-b0", "x-output"]);
  });

  it("is spread by hand, and to reveal one of its members", () => {
    expect(drawn(STACK, { open: new Set(), spread: new Set([1]) }).arrows).toEqual([
      "b0-b1",
      "b1-b2",
      "b2-output",
      "x-b0",
      "x-output",
    ]);
    const state = STACK.reveal(6, { open: new Set(), spread: new Set() });
    const { visible, boxAt } = fold(STACK, state);
    expect(visible.ids[boxAt(6)]).toBe(6);
  });
});

describe("a loop", () => {
  const calls = [
    [1, 2],
    [3, 4],
    [5, 6],
  ];
  const nodes = [
    node(0, "h0"),
    ...[1, 2, 3].flatMap((step) => [node(2 * step - 1, `cell#${step}`), node(2 * step, `drop#${step}`)]),
    node(7, "head"),
  ];
  const edges = [
    edge(0, 1),
    edge(1, 2),
    edge(2, 3, { feeds_back: true }),
    edge(3, 4),
    edge(4, 5, { feeds_back: true }),
    edge(5, 6),
    edge(6, 7),
  ];
  const model = modelOf(nodes, edges, { loops: [{ calls, feeds_back: true }] });

  it("is drawn once, and hands over from its last call to its first", () => {
    const { names, arrows, visible } = drawn(model, { open: new Set() });
    expect(names).toEqual(["h0", "cell#1", "drop#1", "head"]);
    expect(arrows).toEqual(["cell#1-drop#1", "drop#1-cell#1 back", "drop#1-head", "h0-cell#1"]);
    expect([...visible.times]).toEqual([1, 3, 3, 1]);
    expect(model.groupOf(4)).toMatchObject({ kind: "loop", first: 1, times: 3, feedsBack: true });
  });

  it("of one call hands over to itself", () => {
    const one = modelOf(
      [node(0, "x"), node(1, "cell"), node(2, "cell#2")],
      [edge(0, 1), edge(1, 2, { feeds_back: true })],
      {
        loops: [{ calls: [[1], [2]], feeds_back: true }],
      },
    );
    expect(drawn(one, { open: new Set() }).arrows).toEqual(["cell-cell back", "x-cell"]);
  });

  it("goes forward where its steps are shown one by one", () => {
    expect(
      drawn(model, { open: new Set(), spread: new Set([1]) }).arrows.filter((one) => one.includes("back")),
    ).toEqual([]);
  });
});

describe("any graph, folded at random", () => {
  /** A tree of modules over a chain of leaves with random arrows. */
  function planted(seed: number) {
    const chance = random(seed);
    const nodes: GraphNode[] = [];
    const leaves: number[] = [];
    const grow = (parent: number | null, depth: number) => {
      for (let at = 0; at < 4; at++) {
        const id = nodes.length;
        nodes.push(node(id, `n${id}`, parent));
        if (depth < 3 && chance() < 0.5) grow(id, depth + 1);
        else leaves.push(id);
      }
    };
    grow(null, 0);
    const edges = dag(leaves.length, 3, seed).map(([from, to]) => edge(leaves[from] as number, leaves[to] as number));
    return { model: modelOf(nodes, edges), chance, edges };
  }

  it("has arrows between boxes of one frame, or between a frame and what it holds; the weights at the lowest common frames add up", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { model, chance, edges } = planted(seed);
      const open = new Set(model.nodes.filter((one) => model.holds(one.id) && chance() < 0.6).map((one) => one.id));
      const { visible, boxAt } = fold(model, { open, spread: new Set() });
      let across = 0;
      visible.source.forEach((from, at) => {
        const to = visible.target[at] as number;
        const enters = visible.frame[to] === from;
        const leaves = visible.frame[from] === to;
        expect(enters || leaves || visible.frame[from] === visible.frame[to], `seed ${seed}`).toBe(true);
        expect(from).not.toBe(to);
        if (!enters && !leaves) across += visible.weight[at] as number;
      });
      expect(across, `seed ${seed}`).toBe(edges.filter((one) => boxAt(one.source) !== boxAt(one.target)).length);
      visible.frame.forEach((frame, box) => {
        expect(frame).toBeLessThan(box);
        if (frame >= 0) expect(visible.open[frame]).toBe(1);
      });
    }
  });

  it("has as many boxes as are counted without folding, runs drawn once, spread, or within one another", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { model: plain, chance } = planted(seed);
      // Siblings of the same size in a row, taken for a run where chance has it.
      const repeats: number[][] = [];
      const runs = (parent: number | null) => {
        const held = plain.childrenOf(parent);
        held.forEach((id, at) => {
          const next = held[at + 1];
          const taken = repeats.some((run) => run.includes(id) || (next !== undefined && run.includes(next)));
          if (next !== undefined && !taken && plain.inside(id).length === plain.inside(next).length && chance() < 0.7)
            repeats.push([id, next]);
          runs(id);
        });
      };
      runs(null);
      const model = modelOf([...plain.nodes], [...plain.edges], { repeats });
      const open = new Set(model.nodes.filter((one) => model.holds(one.id) && chance() < 0.7).map((one) => one.id));
      const spread = new Set(repeats.filter(() => chance() < 0.4).map((run) => run[0] as number));
      const state = { open, spread };
      expect(boxesSeen(model, foldingOf(model, state)), `seed ${seed}`).toBe(fold(model, state).visible.ids.length);
    }
  });
});
