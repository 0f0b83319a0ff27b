import { describe, expect, it } from "vitest";
import type { Examples } from "../record/examples";
import type { LayerInfo } from "../record/schema.gen";
import { EMPTY } from "../selection/selection";
import { chipsOf } from "./chips";
import { fileName } from "./download";
import { find } from "./find";
import { graphAlone, type PageModule, pagesOf } from "./pages";
import { csvOf, leastRoom, sortedRows, type TableColumn, tableOf, textOf } from "./table";

const column = (model: ReturnType<typeof tableOf>, index: number) => model.columns[index] as TableColumn;

describe("tables", () => {
  it("say shares as percent, and keep them as they are for sorting and for files", () => {
    const shares = tableOf(
      "t",
      ["accuracy", "kappa"],
      [
        [0.33, 0.33],
        [-0.0123, null],
      ],
      ["accuracy"],
    );
    expect([0, 1].map((row) => textOf(column(shares, 0), row))).toEqual(["33.0%", "−1.2%"]);
    expect(textOf(column(shares, 1), 0)).toBe("0.3300");
    expect(csvOf(shares)).toContain("0.33,0.33");
  });

  const model = tableOf(
    "t",
    ["name", "loss"],
    [
      ["b10", 2],
      ["b9", null],
      [null, -1],
      ["a", 2],
    ],
  );

  it("gives a column room for its title, but not for any that strangers write", () => {
    const width = (text: string) => 7 * text.length;
    const room = (title: string, more: Partial<TableColumn> = {}) =>
      leastRoom({ id: "", title, numeric: true, cell: () => null, ...more }, width);
    expect(room("p")).toBe(80);
    expect(room("parameters")).toBeGreaterThanOrEqual(70 + 16);
    expect(room("parameters", { unit: "M" })).toBeGreaterThan(room("parameters"));
    expect(room("x".repeat(5000))).toBe(room("x".repeat(50)));
    expect(room("parameters", { width: 44 })).toBe(44);
  });

  it("sorts numbers and names, missing ones last either way", () => {
    expect([...sortedRows(model, column(model, 1), false)]).toEqual([2, 0, 3, 1]);
    expect([...sortedRows(model, column(model, 1), true)]).toEqual([0, 3, 2, 1]);
    expect([...sortedRows(model, column(model, 0), false)]).toEqual([3, 1, 0, 2]);
    expect([...sortedRows(model, column(model, 0), true)]).toEqual([0, 1, 3, 2]);
  });

  it("writes CSV that a spreadsheet reads as text", () => {
    const hostile = tableOf(
      "t",
      ["a,b", "n"],
      [
        ["=cmd()", 1],
        ['say "x"\nand', Number.NaN],
        [null, true],
      ],
    );
    expect(csvOf(hostile)).toBe('"a,b",n\r\n\'=cmd(),1\r\n"say ""x""\nand",\r\n,true\r\n');
  });
});

describe("the menu", () => {
  const manifest = (paths: string[], more = {}) => ({
    state: "complete" as const,
    examples: 0,
    watched: false,
    files: paths.map((path) => ({ path, bytes: 1, sha256: "", rows: null })),
    ...more,
  });
  const pages = ["overview", "graph", "loss"].map((id) => ({ id }) as PageModule);

  it("has the graph alone where the record holds nothing else, and all pages otherwise", () => {
    const alone = manifest(["panels/graph.json", "panels/graph_difference.json"]);
    expect(graphAlone(alone)).toBe(true);
    expect(pagesOf(pages, alone).map(({ id }) => id)).toEqual(["graph"]);
    for (const more of [
      manifest([]),
      manifest(["panels/graph.json", "panels/loss.json"]),
      manifest(["panels/graph.json"], { examples: 3 }),
      manifest(["panels/graph.json"], { watched: true }),
      manifest(["panels/graph.json"], { state: "running" }),
      null,
    ]) {
      expect(pagesOf(pages, more)).toBe(pages);
    }
  });
});

describe("chips", () => {
  it("say each part in words and take it away alone", () => {
    const selection = {
      ...EMPTY,
      true: [3],
      outcome: "wrong" as const,
      columns: { g: "", h: "1" },
      example: 2,
      unit: 4,
      layer: "l",
    };
    const chips = chipsOf(
      selection,
      (index) => `class ${index}`,
      (row) => `example ${row}`,
    );
    expect(chips.map((chip) => `${chip.name} ${chip.value}`)).toEqual([
      "true class 3",
      "answer wrong",
      "g (empty)",
      "h 1",
      "example example 2",
      "layer l",
      "unit 4",
    ]);
    expect(chips.find((chip) => chip.key === "column.g")?.without).toEqual({ columns: { h: "1" } });
    expect(chips.find((chip) => chip.key === "layer")?.without).toEqual({ layer: null, unit: null });
  });
});

describe("search", () => {
  const layer = (name: string, units: number): LayerInfo => ({
    index: 0,
    name,
    operation: "ReLU",
    shape: [units],
    layout: "vector",
    units,
    activation: null,
    node: null,
  });
  const haystack = {
    pages: [],
    classes: ["cat", "wildcat", "dog", ""],
    layers: [layer("block.1", 8), layer("block.2", 32)],
    examples: null,
  };

  it("puts names that begin with the words first", () => {
    expect(find("cat", haystack).map((hit) => hit.text)).toEqual(["cat", "wildcat"]);
    expect(find("class 3", haystack)[0]?.patch).toEqual({ class: [3] });
  });

  it("finds units that exist", () => {
    expect(find("block.2 17", haystack).map((hit) => hit.patch)).toEqual([{ layer: "block.2", unit: 17 }]);
    expect(find("block 3", haystack).map((hit) => hit.text)).toEqual(["block.1 · unit 3", "block.2 · unit 3"]);
  });
});

describe("search of examples", () => {
  const ids = [
    "digit-0037",
    "38",
    "37",
    "DIGIT-0037.png",
    "a37",
    ...Array.from({ length: 40 }, (_, at) => `x${at + 5}`),
  ];
  const examples = { count: ids.length, id: (row: number) => ids[row] ?? "", has: (row: number) => row < ids.length };
  const rows = (query: string) =>
    find(query, { pages: [], classes: [], layers: [], examples: examples as unknown as Examples }).map((hit) => [
      hit.text,
      hit.patch.example,
    ]);

  it("finds the id itself before the row of that number, and that before ids like it", () => {
    expect(rows("37").slice(0, 4)).toEqual([
      ["37", 2],
      ["row 37: x37", 37],
      ["digit-0037", 0],
      ["DIGIT-0037.png", 3],
    ]);
    expect(rows("row 2")).toEqual([["row 2: 37", 2]]);
    expect(rows("9")[0]).toEqual(["row 9: x9", 9]);
  });

  it("takes a number with zeros before it for a part of an id", () => {
    expect(rows("0037").map(([text]) => text)).toEqual(["digit-0037", "DIGIT-0037.png"]);
    expect(rows("digit-0037")[0]).toEqual(["digit-0037", 0]);
  });
});

describe("file names", () => {
  it("are letters and digits whatever the title", () => {
    expect(fileName("../../etc/</script> Ünïcode", "csv")).toBe("etc-script-u-ni-code.csv");
    expect(fileName("日本", "png")).toBe("pellucid.png");
  });
});
