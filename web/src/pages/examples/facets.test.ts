import { columnFromArray, tableFromColumns } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { Examples } from "../../record/examples";
import { selectRows } from "../../selection/filter";
import { EMPTY } from "../../selection/selection";
import { facetsOf } from "./facets";

const COUNT = 100;
const rows = Array.from({ length: COUNT }, (_, row) => row);
// Every output once, in no order: 0.5, 37.5, 74.5, 11.5 ...
const outputs = rows.map((row) => ((37 * row) % COUNT) + 0.5);
const examples = new Examples(
  tableFromColumns({
    row: columnFromArray(rows),
    id: columnFromArray(rows.map(String)),
    output: columnFromArray(outputs),
    shelf: columnFromArray(rows.map((row) => (row < 30 ? "low" : "high"))),
    name: columnFromArray(rows.map((row) => `one of ${3 * (row % 50) + COUNT}`)),
    file: columnFromArray(rows.map((row) => `${row}.png`)),
    alike: columnFromArray(rows.map(() => "x")),
  }),
);
const facets = (columns: Record<string, string> = {}, some = rows) =>
  new Map(
    facetsOf(examples, Uint32Array.from(some), { ...EMPTY, columns }, 0, String).map((facet) => [facet.name, facet]),
  );

describe("facets", () => {
  it("cut many numbers into ranges, in order, each of which selects what it counts", () => {
    const values = facets().get("output")?.values ?? [];
    expect(values.map(({ text, count }) => [text, count])).toEqual([
      ["0.500 to 19.5", 20],
      ["20.5 to 39.5", 20],
      ["40.5 to 59.5", 20],
      ["60.5 to 79.5", 20],
      ["80.5 to 99.5", 20],
    ]);
    for (const value of values) {
      const found = [...selectRows(examples, { ...EMPTY, ...value.patch })];
      expect(found).toHaveLength(value.count);
      const [low, high] = value.text.split(" to ").map(Number) as [number, number];
      expect(found).toEqual(rows.filter((row) => (outputs[row] as number) >= low && (outputs[row] as number) <= high));
    }
    const [first] = values;
    const again = facets({ ...first?.patch.columns }).get("output")?.values[0];
    expect([again?.chosen, again?.patch.columns]).toEqual([true, {}]);
  });

  it("list values by how many have them, of the selected rows, and none of which there is one alone", () => {
    expect(
      facets()
        .get("shelf")
        ?.values.map(({ text, count }) => [text, count]),
    ).toEqual([
      ["high", 70],
      ["low", 30],
    ]);
    expect(
      facets({}, rows.slice(0, 10))
        .get("shelf")
        ?.values.map(({ text }) => text),
    ).toEqual(["low"]);
    expect(facets().get("name")?.more).toBe(50 - 12);
    // A name of each example narrows to it alone.
    expect(facets().has("file")).toBe(false);
    expect(facets().has("alike")).toBe(false);
  });
});
