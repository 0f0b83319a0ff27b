import { columnFromArray, int32, list, tableFromColumns } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { Examples } from "../../record/examples";
import { textOf } from "../../shell/table";
import { exampleColumns, setWords } from "./columns";

const NAMES = ["person", "car", "tv"];
const className = (index: number) => NAMES[index] ?? "unknown";
const words = { className, lossUnit: "nats" };
const own = {
  row: columnFromArray([0, 1, 2]),
  id: columnFromArray(["a", "b\u202ec", "d"]),
  target: columnFromArray([0, null, 2]),
  prediction: columnFromArray([0, 1, 0]),
};

describe("the columns of the examples table", () => {
  it("name every class that is true and that is called, where several may be", () => {
    const examples = new Examples(
      tableFromColumns({
        ...own,
        targets: columnFromArray([[0, 2], [], null], list(int32())),
        called: columnFromArray([[0], [1], [2]], list(int32())),
      }),
    );
    const columns = exampleColumns(examples, words);
    const cells = (id: string) => [0, 1, 2].map((row) => columns.find((one) => one.id === id)?.cell(row));
    expect(examples.hasSets).toBe(true);
    expect(cells("target")).toEqual(["person, tv", "none", null]);
    expect(cells("prediction")).toEqual(["person", "car", "tv"]);
    expect(columns.find((one) => one.id === "prediction")?.title).toBe("called");
  });

  it("name one class elsewhere, and show no letters that turn the line around", () => {
    const examples = new Examples(tableFromColumns({ ...own, note: columnFromArray(["x", "\u202ey", "z"]) }));
    const columns = exampleColumns(examples, words);
    const shown = (id: string, row: number) => {
      const column = columns.find((one) => one.id === id);
      return column && textOf(column, row);
    };
    expect([0, 1, 2].map((row) => shown("target", row))).toEqual(["person", "", "tv"]);
    expect(shown("id", 1)).toBe("b\ufffdc");
    expect(shown("column.note", 1)).toBe("\ufffdy");
    // What the file holds stays what selects.
    expect(examples.columns.get("note")?.textAt(1)).toBe("\u202ey");
  });

  it("say that there are no classes, which is not that they are unknown", () => {
    expect([setWords([], className), setWords(null, className), setWords([1], className)]).toEqual([
      "none",
      null,
      "car",
    ]);
  });
});
