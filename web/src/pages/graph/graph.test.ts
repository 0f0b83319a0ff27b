import { describe, expect, it } from "vitest";
import { node as anyNode } from "../../../tests/support/graphs";
import { GraphModel } from "../../layout/model";
import type { GraphDifferencePanel, GraphNode, GraphPanel } from "../../record/schema.gen";
import { EMPTY } from "../../selection/selection";
import { inHand, neighbours, nodeSentences, poolSentence, taking } from "../../shell/inspector/node";
import { sizesOf } from "./boxes";
import { columnsOf } from "./columns";
import { compactShape, lineOf } from "./compose";
import { countsOf, OTHER_SHAPE, unionOf } from "./difference";
import { pool } from "./maps";
import {
  blockValues,
  boxValue,
  lacking,
  MEASURES,
  type Measure,
  ownValues,
  placeOn,
  type Sources,
  short,
  shownValues,
  spread,
} from "./measures";
import { updatesOf } from "./updates";
import { boxValues } from "./values";
import { step } from "./walk";

function node(id: number, name: string, parent: number | null, more: Partial<GraphNode> = {}): GraphNode {
  return anyNode(id, name, parent, { operation: "Linear", output_dtypes: [], flops: null, ...more });
}

function panel(nodes: GraphNode[], edges: [number, number][], more: Partial<GraphPanel> = {}): GraphPanel {
  return {
    lens: "graph",
    count: 1,
    findings: [],
    nodes,
    layers: [],
    parameters: 0,
    trainable: 0,
    flops: null,
    unused: [],
    backend: "real",
    error: null,
    repeats: [],
    loops: [],
    uncalled: [],
    backend_reason: "",
    data_dependent: [],
    operators: 0,
    edges: edges.map(([source, target]) => ({
      source,
      target,
      output: 0,
      argument: 0,
      shape: [1, 4],
      activation: null,
      feeds_back: false,
    })),
    ...more,
  };
}

const NONE: Sources = {
  activations: null,
  gradients: null,
  learning: null,
  training: null,
  updates: null,
  focus: null,
  seconds: [],
  example: false,
};
const measure = (id: string) => MEASURES.find((one) => one.id === id) as Measure;

/** in, a stack of three blocks that each hold a Linear, out. */
const STACK = panel(
  [
    node(0, "x", null, { kind: "input" }),
    node(1, "b0", null, { parameters: 10 }),
    node(2, "l0", 1, { parameters: 10, flops: 20, layer: 0, memory: 16 }),
    node(3, "b1", null, { parameters: 10 }),
    node(4, "l1", 3, { parameters: 10, flops: 20, layer: 1, memory: 16 }),
    node(5, "b2", null, { parameters: 10 }),
    node(6, "l2", 5, { parameters: 10, flops: 20, memory: 16 }),
    node(7, "y", null, { kind: "output" }),
  ],
  [
    [0, 2],
    [2, 4],
    [4, 6],
    [6, 7],
  ],
  { repeats: [[1, 3, 5]] },
);

describe("measures", () => {
  const model = new GraphModel(STACK);
  const shown = (id: string, sources = NONE) => shownValues(measure(id), model, ownValues(measure(id), model, sources));

  it("sum what a folded module holds, and all blocks that a box stands for", () => {
    expect(shown("flops")[model.place(1)]).toBe(20);
    expect(boxValue(measure("flops"), model, shown("flops"), 1, 3)).toBe(60);
    expect(boxValue(measure("parameters"), model, shown("parameters"), 1, 3)).toBe(30);
    expect(shown("memory")[model.place(5)]).toBe(16);
  });

  it("have the time from the manifest's clock, by the call's id, and say where there was none", () => {
    const graph = { ...STACK } as never;
    expect(lacking("time", graph, NONE)).toBe("calls were not timed");
    const seconds = [null, null, 0.25, null, 0.5, null];
    expect(lacking("time", graph, { ...NONE, seconds })).toBe("");
    const own = ownValues(measure("time"), model, { ...NONE, seconds });
    expect([own[model.place(2)], own[model.place(4)], own[model.place(1)]]).toEqual([0.25, 0.5, Number.NaN]);
  });

  it("leave room for pictures on boxes while an example plays", () => {
    const columns = columnsOf(model);
    const values = boxValues(columns, measure("parameters"), shown("parameters"));
    const size = (pictured: boolean) =>
      sizesOf(columns, values, measure("parameters"), { sized: false, pictured })(model.place(2), 1);
    const [width, height] = size(false);
    const pictured = size(true);
    expect(pictured[1]).toBe(height);
    expect(pictured[0]).toBeGreaterThanOrEqual(width + height - 4);
  });

  it("take the most of any layer for shares, and nothing where nothing was measured", () => {
    const layer = (index: number, dead: number) => ({ index, units: 10, dead_units: dead }) as never;
    const sources = { ...NONE, activations: { layers: [layer(0, 1), layer(1, 5)] } as never };
    const dead = shown("dead", sources);
    expect([dead[model.place(1)], dead[model.place(3)]]).toEqual([0.1, 0.5]);
    expect(dead[model.place(5)]).toBeNaN();
    expect(boxValue(measure("dead"), model, dead, 1, 3)).toBe(0.5);
    expect(blockValues(model, dead, 1)).toEqual([0.1, 0.5, null]);
    expect(spread([0.1, 0.5, null], measure("dead"))).toBe("10.0% to 50.0%, 1 of 3 not measured");
    expect(spread([20, 30_000], measure("flops"))).toBe("20 to 30k");
    expect(blockValues(model, shown("flops"), 1)).toBeNull();
  });

  it("give gradients by parameters to the module that has them, and a folded one the most of what it holds", () => {
    const layers = [
      { name: "blocks.0.fc", mean_norm: 2, relative: 0.5 },
      { name: "blocks.1.fc", mean_norm: 3, relative: null },
    ];
    const own = model.at(model.place(2)).path;
    const named = {
      ...NONE,
      learning: { layers: layers.map((layer, at) => (at === 0 ? { ...layer, name: own } : layer)) } as never,
    };
    const norms = shown("learning", named);
    expect([norms[model.place(2)], norms[model.place(1)]]).toEqual([2, 2]);
    expect(shown("relative", named)[model.place(2)]).toBe(0.5);
    expect(norms[model.place(0)]).toBeNaN();
    expect(lacking("learning", STACK, NONE)).toBe("the record has no gradients by the parameters");
    expect(lacking("relative", STACK, { ...NONE, learning: { layers: [] } as never })).toBe(
      "the model has no gradients by its parameters",
    );
    expect(lacking("relative", STACK, named)).toBe("");
  });

  it("have update ratios of the whole training, or of the step in hand, and not of the last step", () => {
    const curves = new Map([
      ["a", { steps: [0, 10, 20, 30], values: [4e-3, 2e-3, 1e-3, 1e-12] }],
      ["b", { steps: [0, 10, 30], values: [null, 5e-3, Number.NaN] }],
      ["c", { steps: [0], values: [null] }],
    ]);
    const of = (step: number | null) => updatesOf([...curves.keys(), "gone"], (layer) => curves.get(layer), step);
    expect([...of(null).byLayer]).toEqual([
      ["a", 1.5e-3],
      ["b", 5e-3],
    ]);
    expect([of(null).step, of(null).steps]).toEqual([null, 4]);
    expect([[...of(25).byLayer], of(25).step]).toEqual([
      [
        ["a", 1e-3],
        ["b", 5e-3],
      ],
      20,
    ]);
    expect(of(-1).byLayer.size).toBe(0);
  });

  it("say why they have nothing to show", () => {
    expect(lacking("parameters", STACK, NONE)).toBe("");
    expect(lacking("time", STACK, NONE)).toBe("calls were not timed");
    expect(lacking("attribution", STACK, NONE)).toBe("no example is in hand");
    expect(lacking("attribution", STACK, { ...NONE, example: true })).toContain("not looked at closely");
  });

  it("lie on their scale: sums by the square root, signed ones around the middle", () => {
    expect(placeOn(measure("flops"), 25, [0, 100])).toBe(0.5);
    expect(placeOn(measure("dead"), 0.25, [0, 1])).toBe(0.25);
    expect(placeOn(measure("mean"), 0, [-2, 2])).toBe(0.5);
  });

  it("read shortly", () => {
    expect([short(512), short(9408), short(25_557_032), short(4.05e11)]).toEqual(["512", "9,408", "25.6M", "405B"]);
    expect(compactShape([-1, 64, 7])).toBe("?×64×7");
    expect(lineOf(node(1, "relu", null, { operation: "ReLU" }), 0, measure("parameters"), 1)).toBe("");
  });
});

describe("a call in hand", () => {
  const layered = { ...STACK, layers: [{ index: 0, name: "b0.l0", node: 2 }] as never };

  it("is a layer in the selection where it is captured, else a setting of the page", () => {
    const taken = { ...EMPTY, ...taking(EMPTY, layered, 2) };
    expect([taken.layer, taken.view]).toEqual(["b0.l0", {}]);
    expect(inHand(taken, layered, null)?.node.id).toBe(2);
    const other = { ...taken, ...taking(taken, layered, 5) };
    expect([other.layer, other.view]).toEqual([null, { node: "5" }]);
    expect(inHand(other, layered, null)?.node.name).toBe("b2");
    expect({ ...other, ...taking(other, layered, null) }.view).toEqual({});
    expect(inHand({ ...EMPTY, view: { node: "javascript:1" } }, layered, null)).toBeNull();
  });

  it("says what crosses a module's border", () => {
    const { reads, readBy } = neighbours(STACK, STACK.nodes[3] as GraphNode);
    expect([reads.map((one) => one.node.id), readBy.map((one) => one.node.id)]).toEqual([[2], [6]]);
  });

  it("says what a pool keeps and drops, and how long a loop runs", () => {
    expect(poolSentence({ kind: "max", window: [3, 3], stride: [2, 2], padding: [0, 0], kept: 0.25, seen: 0.98 })).toBe(
      "Each 3 × 3 window, every 2 positions, becomes its maximum: at most 25.0% of the values survive; 98.0% of the positions are seen by a window, the rest are dropped.",
    );
    const looped = { ...STACK, repeats: [], loops: [{ calls: [[1], [3], [5]], feeds_back: true }] };
    expect(nodeSentences(STACK.nodes[3] as GraphNode, looped)[0]).toContain("Step 2 of a loop that runs 3 times");
  });
});

describe("pooling a map", () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);

  it("takes maxima and means of windows as torch does", () => {
    const how = { window: [2, 2], stride: [2, 2], padding: [0, 0], kept: 0.25, seen: 1 };
    expect(pool(values, 4, 4, { ...how, kind: "max" })).toEqual({
      values: Float32Array.of(6, 8, 14, 16),
      height: 2,
      width: 2,
    });
    expect(pool(values, 4, 4, { ...how, kind: "average" })?.values).toEqual(Float32Array.of(3.5, 5.5, 11.5, 13.5));
    expect(pool(values, 4, 4, { ...how, window: [3, 3], padding: [1, 1], kind: "max" })?.values).toEqual(
      Float32Array.of(6, 8, 14, 16),
    );
  });
});

describe("two graphs as one", () => {
  it("put what is gone back after what came before it, and join it to what is there", () => {
    const old = panel(
      [node(0, "x", null), node(1, "a", null), node(2, "gone", null), node(3, "y", null)],
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    );
    const now = panel(
      [node(0, "x", null), node(1, "a", null), node(2, "new", null), node(3, "y", null)],
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    );
    const difference = {
      lens: "graph_difference",
      count: 1,
      findings: [],
      name: "old",
      old,
      matches: [
        [0, 0],
        [1, 1],
        [3, 3],
      ],
      changes: [
        { kind: "removed", old: 2, new: null, what: [] },
        { kind: "added", old: null, new: 2, what: [] },
        { kind: "changed", old: 1, new: 1, what: ["shape"] },
      ],
    } as GraphDifferencePanel;
    const union = unionOf(now, difference);
    expect(union.graph.nodes.map((one) => one.name)).toEqual(["x", "a", "gone", "new", "y"]);
    const id = union.ofOld.get(2) as number;
    expect(
      union.graph.edges
        .filter((edge) => edge.source === id || edge.target === id)
        .map((edge) => [edge.source, edge.target]),
    ).toEqual([
      [1, id],
      [id, 3],
    ]);
    expect([union.changes.get(id), union.changes.get(2), union.changes.get(1), union.changes.get(0)]).toEqual([
      2,
      1,
      3,
      undefined,
    ]);
    expect(union.oldChanges.get(2)).toBe(2);
  });

  it("show a block that differs by itself", () => {
    const difference = {
      lens: "graph_difference",
      count: 1,
      findings: [],
      name: "old",
      old: STACK,
      matches: STACK.nodes.map((one) => [one.id, one.id]),
      changes: [{ kind: "changed", old: 6, new: 6, what: ["parameters"] }],
    } as GraphDifferencePanel;
    expect(unionOf(STACK, difference).graph.repeats).toEqual([[1, 3]]);
  });
});

it("walks along arrows down to a reader and up to a source, and beside", () => {
  const visible = {
    ids: Int32Array.of(1, 2, 3),
    frame: Int32Array.of(-1, -1, -1),
    open: new Uint8Array(3),
    source: Int32Array.of(0, 0),
    target: Int32Array.of(1, 2),
    back: new Uint8Array(2),
  } as never;
  const placed = {
    x: Float32Array.of(60, 0, 100),
    y: Float32Array.of(0, 100, 100),
    width: Float32Array.of(50, 50, 50),
  } as never;
  expect([
    step(visible, placed, 0, "down"),
    step(visible, placed, 1, "up"),
    step(visible, placed, 1, "right"),
    step(visible, placed, 2, "left"),
    step(visible, placed, 0, "up"),
    step(visible, placed, -1, "down"),
  ]).toEqual([2, 0, 2, 1, -1, 0]);
});

describe("the counts of a difference", () => {
  it("counts calls that only have another shape by themselves", () => {
    const changed = (...what: string[]) => ({ kind: "changed" as const, old: 0, new: 0, what });
    const added = { kind: "added" as const, old: null, new: 1, what: [] };
    const counts = countsOf([changed("shape"), changed("shape", "parameters"), changed("shape"), added]);
    expect([counts.get("changed"), counts.get(OTHER_SHAPE), counts.get("added")]).toEqual([1, 2, 1]);
  });
});
