import { columnFromArray, tableFromColumns } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { judgedOf, rulesOf, slicedBy } from "../pages/accuracy/slicing";
import { groupingsOf } from "../pages/loss/groups";
import { Examples } from "../record/examples";
import { chipsOf } from "../shell/chips";
import { columnGroups, quantileRanges, valueName } from "./columns";
import { selectRows } from "./filter";
import { EMPTY, parseSelection, type Selection, writeSelection } from "./selection";

const COUNT = 1000;
const rows = Array.from({ length: COUNT }, (_, row) => row);
/** 0 to 999 in a fixed disorder, one in 50 missing. */
const age = rows.map((row) => (row % 50 === 7 ? null : (row * 619) % COUNT));
const examples = new Examples(
  tableFromColumns({
    row: columnFromArray(rows),
    id: columnFromArray(rows.map(String)),
    target: columnFromArray(rows.map((row) => row % 3)),
    prediction: columnFromArray(rows.map((row) => ((age[row] ?? 0) < 200 ? (row + 1) % 3 : row % 3))),
    loss: columnFromArray(rows.map((row) => row / COUNT)),
    confidence: columnFromArray(rows.map(() => 0.5)),
    age: columnFromArray(age),
    rate: columnFromArray(rows.map((row) => [0.1, 0.01, 0.001][row % 3] as number)),
    kind: columnFromArray(
      rows.map((row) => ((age[row] ?? 0) < 200 && row % 5 > 0 ? "old" : row % 7 > 0 ? "new" : "odd")),
    ),
    half: columnFromArray(rows.map((row) => (row % 2 ? "a" : "b"))),
    few: columnFromArray(rows.map((row) => row % 4)),
    name: columnFromArray(rows.map((row) => `n${row}`)),
  }),
);
const every = selectRows(examples, EMPTY);
const groupsOf = (name: string) => {
  const column = examples.columns.get(name);
  return column ? columnGroups(column) : null;
};
const through = (patch: Partial<Selection>): Selection => parseSelection(writeSelection({ ...EMPTY, ...patch }));

describe("a column in groups", () => {
  it("is cut into fifths where it holds many numbers, and each range selects its rows and no other", () => {
    const groups = groupsOf("age");
    expect(groups?.ranges?.length).toBe(5);
    for (let group = 0; group < 5; group++) {
      const selected = selectRows(examples, through({ columns: { age: groups?.textOf(group) ?? "" } }));
      expect([...selected]).toEqual(rows.filter((row) => groups?.codes[row] === group));
      expect(Math.abs(selected.length - 980 / 5)).toBeLessThanOrEqual(1);
    }
    expect(groups?.codes[7]).toBe(-1);
  });

  it("has a group a value where there are few, and none where many are no numbers", () => {
    expect(groupsOf("few")).toMatchObject({ size: 4, ranges: null });
    expect(groupsOf("rate")).toMatchObject({ size: 3, ranges: null });
    expect(groupsOf("name")).toBeNull();
  });

  it("keeps equal numbers together and says every digit where rounded ends look the same", () => {
    expect(quantileRanges(Float64Array.of(1, 1, 1, 1, 1, 1, 2, 3, Number.NaN), 4)).toEqual([
      { low: 1, high: 1 },
      { low: 2, high: 3 },
    ]);
    expect(quantileRanges(new Float64Array(0), 5)).toEqual([]);
    expect(valueName("2..12")).toBe("2 to 12");
    expect([valueName(""), valueName("n..m"), valueName("x")]).toEqual(["(empty)", "n..m", "x"]);
  });

  it("is how the pages on accuracy and loss slice, with what selects a slice", () => {
    const { slices, leftOut } = slicedBy(judgedOf(every, examples), examples.columns);
    expect(leftOut).toEqual(["name"]);
    const worst = slices[0];
    expect(worst).toMatchObject({ column: "age", value: "0 to 199", correct: 0 });
    expect(selectRows(examples, through(worst?.selects ?? {})).length).toBe(worst?.count);
    const byAge = groupingsOf(examples, 3, String, { few: "1" }).find((one) => one.id === "column.age");
    expect(byAge?.patchOf(0)).toEqual({ columns: { few: "1", age: "0..199" } });
  });

  it("has the same rules of a few kinds of examples as of each example by itself", () => {
    const { columns } = examples;
    const some = new Map([...columns].filter(([name]) => name === "kind" || name === "half"));
    const words = (found: ReturnType<typeof rulesOf>) =>
      found.map(({ words, count, correct, pValue, adjusted, rows }) => ({
        words,
        count,
        correct,
        pValue,
        adjusted,
        rows: rows?.(),
      }));
    const judged = judgedOf(every, examples);
    // A direction that is known of no example has nothing to split by, but holds numbers.
    const unknown = { name: "nothing", values: new Float64Array(COUNT).fill(Number.NaN) };
    const counted = words(rulesOf(judged, some, []));
    expect(counted.length).toBeGreaterThan(1);
    expect(counted).toEqual(words(rulesOf(judged, some, [unknown])));
  });

  it("is said by the bar of the selection with its ends", () => {
    const [chip] = chipsOf(through({ columns: { age: "0..199" } }), String, String);
    expect(chip).toMatchObject({ key: "column.age", value: "0 to 199", filters: true });
  });
});
