import { describe, expect, it } from "vitest";
import { node, random } from "../../tests/support/graphs";
import { SearchIndex } from "./search";

const NODES = [
  node(10, "conv1", null, {
    path: "backbone.conv1",
    operation: "Conv2d",
    outputs: [[1, 64, 56, 56]],
    source: "net.py:31",
  }),
  node(11, "conv10", null, {
    path: "backbone.conv10",
    operation: "Conv2d",
    outputs: [[1, 128, 28, 28]],
    source: "net.py:32",
  }),
  node(12, "relu", null, {
    path: "backbone.relu",
    operation: "ReLU",
    outputs: [[1, 64, 56, 56]],
    source: "net.py:311",
  }),
  node(13, "preconv", null, { path: "head.preconv", operation: "Linear", source: null }),
];
const index = new SearchIndex(NODES);
const ids = (query: string, limit?: number) => index.find(query, limit).map((hit) => hit.id);

describe("a search", () => {
  it("puts what is the whole of it first, then beginnings, then what is inside", () => {
    expect(ids("conv1")).toEqual([10, 11]);
    expect(index.find("conv")[0]).toMatchObject({ id: 10, where: "name" });
    expect(ids("conv").at(-1)).toBe(13);
  });

  it("looks at the operation, the shape, the path and the line", () => {
    expect(ids("conv2d")).toEqual([10, 11]);
    expect(ids("1x64x56x56")).toEqual([10, 12]);
    expect(ids("1×128")).toEqual([11]);
    expect(ids("head.")).toEqual([13]);
    expect(ids("net.py:31")).toEqual([10, 12]);
    expect(index.find("net.py:32")[0]).toMatchObject({ id: 11, where: "source" });
  });

  it("asks for all words, in whatever field each is", () => {
    expect(ids("conv 56")).toEqual([10]);
    expect(ids("relu linear")).toEqual([]);
  });

  it("takes letters in their order where nothing holds the word itself", () => {
    expect(ids("bkbnrl")).toEqual([12]);
    expect(ids("zzz")).toEqual([]);
    expect(ids("q")).toEqual([]);
  });

  it("finds nothing for nothing, stops at the limit, and does not join two fields or calls", () => {
    expect(ids("  ")).toEqual([]);
    expect(ids("conv", 2)).toHaveLength(2);
    expect(ids("relu\nbackbone")).toEqual([12]);
    expect(ids("reluback")).toEqual([]);
  });

  it("stays in place behind letters whose lower case is longer", () => {
    expect(new SearchIndex([node(0, "İİİİ"), node(1, "target")]).find("target")[0]?.id).toBe(1);
  });

  it("is the same whether it is built ahead in steps or at the first question", () => {
    const nodes = Array.from({ length: 2000 }, (_, at) =>
      node(at, at === 1500 ? "İİ last" : `block${at % 90}.conv`, null, { source: `net.py:${at}` }),
    );
    const ahead = new SearchIndex(nodes);
    let steps = 1;
    while (!ahead.build(0)) steps++;
    expect(steps).toBeGreaterThan(3);
    for (const query of ["block7", "last", "net.py:1999", "convnet", "blk89"])
      expect(ahead.find(query), query).toEqual(new SearchIndex(nodes).find(query));
    expect(ahead.find("net.py:1999")[0]?.node).toBe(nodes[1999]);
  });

  it("agrees with looking at every call, for random words", () => {
    const chance = random(3);
    const word = () =>
      Array.from({ length: 1 + Math.floor(chance() * 3) }, () => "abc."[Math.floor(chance() * 4)]).join("");
    const nodes = Array.from({ length: 200 }, (_, at) =>
      node(at, word() + word(), null, { path: word() + word(), operation: word(), outputs: [], source: word() }),
    );
    const searched = new SearchIndex(nodes);
    for (let round = 0; round < 60; round++) {
      const query = word();
      const held = nodes.filter((one) =>
        [one.name, one.path, one.operation, one.source ?? ""].some((field) => field.includes(query)),
      );
      if (held.length === 0) continue;
      expect(
        searched
          .find(query, 1000)
          .map((hit) => hit.id)
          .sort((a, b) => a - b),
      ).toEqual(held.map((one) => one.id));
    }
  });
});
