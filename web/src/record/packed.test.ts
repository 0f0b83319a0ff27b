import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { Examples } from "./examples";
import { unpacked } from "./packed";

type Value = string | number | boolean | null;
interface Fixture {
  packed: string;
  digits: Record<string, number>;
  columns: Record<string, Value[]>;
  media: Record<string, string>;
}

const path = resolve(import.meta.dirname, "../../../tests/fixtures/measures/packed.json");
const fixture = JSON.parse(readFileSync(path, "utf8")) as Fixture;
const buffer = () => Uint8Array.from(Buffer.from(fixture.packed, "base64")).buffer;
const table = unpacked(buffer());

describe("a packed examples table", () => {
  it.each(Object.keys(fixture.columns))("has the column %s as Python rounds it", (name) => {
    const column = table.getChild(name);
    const expected = fixture.columns[name] as Value[];
    expect(column?.length).toBe(expected.length);
    for (const [row, value] of expected.entries()) {
      const found = column?.at(row);
      // What follows from the rounded loss is as far off as that.
      const near = name === "confidence" && typeof value === "number" ? 2 ** -6 : 1e-7;
      if (value === "infinite") expect(found).toBe(Number.POSITIVE_INFINITY);
      else if (typeof value === "number") {
        expect(typeof found).toBe("number");
        expect(Math.abs((found as number) - value)).toBeLessThanOrEqual(near * Math.max(Math.abs(value), 1e-9));
      } else expect(found).toBe(value);
    }
  });

  it("is read as the app reads a table from a server", () => {
    const examples = Examples.unpack(buffer());
    expect(examples.count).toBe(300);
    expect(examples.id(0)).toBe("img0095");
    expect([examples.media(4), examples.media(5)]).toEqual(["a.png", null]);
    expect(examples.columns.get("device")?.values).toEqual(["phone", "ä camera", ""]);
    expect([...(examples.columns.get("device")?.codes.slice(0, 4) ?? [])]).toEqual([0, 1, 2, 0]);
    expect([...examples.targets]).toEqual(fixture.columns.target?.map((value) => value ?? -1));
    expect([...examples.ranks]).toEqual(fixture.columns.rank?.map((value) => value ?? -1));
    expect(examples.topClasses(0)).toEqual([]);
  });

  it("says when it was cut short", () => {
    expect(() => unpacked(buffer().slice(0, -600))).toThrow(/cut short/);
  });
});
