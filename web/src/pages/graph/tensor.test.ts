import { describe, expect, it } from "vitest";
import { edge, flat, node } from "../../../tests/support/graphs";
import { fold } from "../../layout/fold";
import { GraphModel } from "../../layout/model";
import { LinePlaces, partsOf } from "../../marks/graph/linehit";
import { carriedBy, tensorLines } from "./tensor";

function model() {
  return new GraphModel({
    nodes: [
      node(0, "split", null, {
        outputs: [
          [1, 4],
          [1, 6],
        ],
        output_dtypes: ["float32", "int64"],
      }),
      node(1, "relu()", null, {
        operation: "relu",
        activation: "ReLU",
        role: "activation",
        output_dtypes: ["float32"],
      }),
      node(2, "join", null, {}),
    ],
    edges: [edge(0, 2, { output: 1, argument: 2, shape: [1, 6] }), edge(0, 1), edge(1, 2, { activation: "ReLU" })],
    repeats: [],
    loops: [],
  });
}

describe("the tensor on an arrow", () => {
  it("says output and argument positions, shape, type and activation", () => {
    const graph = model();
    const { visible } = fold(graph, { open: new Set(), spread: new Set() });
    const said = [...visible.source.keys()].map((arrow) => tensorLines(carriedBy(graph, visible, arrow) ?? fail()));
    expect(said.map((lines) => lines.slice(0, 4))).toContainEqual([
      "1 × 6 int64",
      "from output 1 of split",
      "to argument 2 of join",
      "click takes its two ends in hand",
    ]);
    expect(said.flat()).toContain("ReLU acts on it");
  });
});

function fail(): never {
  throw new Error("The arrow carries nothing.");
}

describe("which arrow is at a point", () => {
  const placed = {
    ...flat(0, []),
    x: new Float32Array(0),
    y: new Float32Array(0),
    rank: new Int32Array(0),
    // A straight line, and two stubs with a hidden way between them.
    route: Uint8Array.of(0, 2),
    start: Uint32Array.of(0, 2, 8),
    points: Float32Array.of(0, 0, 0, 100, 50, 0, 50, 10, 90, 10, 90, 80, 50, 80, 50, 90),
    right: 100,
    bottom: 100,
  };
  it("is the nearest within reach", () => {
    const lines = new LinePlaces(partsOf(placed));
    expect(lines.at(3, 50, 5)).toBe(0);
    expect(lines.at(7, 50, 5)).toBe(-1);
    expect(lines.at(48, 5, 5)).toBe(1);
  });
  it("is none where only the hidden part of a stub would run", () => {
    expect(new LinePlaces(partsOf(placed)).at(90, 50, 5)).toBe(-1);
    expect(new LinePlaces(partsOf(placed)).at(50, 86, 5)).toBe(1);
  });
});
