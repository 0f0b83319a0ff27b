import { describe, expect, it } from "vitest";
import {
  EMPTY,
  isFilter,
  parseHash,
  parseSelection,
  type Selection,
  selectionOf,
  withoutFilter,
  writeHash,
  writeSelection,
} from "./selection";

const FULL: Selection = {
  true: [3],
  predicted: [5, 7],
  class: [1],
  outcome: "wrong",
  losses: { low: 0.5, high: Number.POSITIVE_INFINITY },
  confidences: { low: 0, high: 0.25 },
  rows: [4, 8],
  columns: { "a&b=#?": "x y/ü", __proto__: "z" },
  example: 12,
  layer: "features.3#2",
  unit: 0,
  step: 40,
  explained: 9,
  view: { sort: "loss-down" },
};

describe("the selection in the URL", () => {
  it("comes back as it was written, whatever the names", () => {
    const hostile = { ...FULL, layer: "</script><img src=x onerror=alert(1)>&example=1#", view: { "a.b": "c=d&e" } };
    for (const selection of [FULL, hostile, EMPTY]) {
      expect(parseHash(writeHash({ page: "loss", selection }))).toEqual({ page: "loss", selection });
    }
  });

  it("writes only what says something", () => {
    expect(writeHash({ page: "confusion", selection: { ...EMPTY, true: [4], predicted: [9] } })).toBe(
      "#/confusion?true=4&predicted=9",
    );
    expect(writeHash({ page: "overview", selection: EMPTY })).toBe("#/overview");
  });

  it("leaves out what cannot be read, so that any link opens", () => {
    const odd = new URLSearchParams("true=a,2,-1&outcome=maybe&losses=3..1&confidences=x&example=1.5&unit=&rows=");
    expect(parseSelection(odd)).toEqual({ ...EMPTY, true: [2], rows: [] });
    expect(parseHash("")).toEqual({ page: "overview", selection: EMPTY });
    expect(parseHash("#nonsense")).toEqual({ page: "nonsense", selection: EMPTY });
  });

  it("writes runs of numbers as such, and reads both", () => {
    const many = [1, 2, 4, 5, 6, 7, 9];
    const text = writeSelection({ ...EMPTY, true: many }).get("true");
    expect(text).toBe("1,2,4-7,9");
    expect(parseSelection(new URLSearchParams({ true: text ?? "" })).true).toEqual(many);
    expect(parseSelection(new URLSearchParams({ true: "3-1,5-x,-7,8" })).true).toEqual([8]);
    expect(parseSelection(new URLSearchParams({ true: "0-999999999999" })).true.length).toBeLessThan(5_000_000);
  });

  it("does not reach the prototype of objects", () => {
    const found = parseSelection(new URLSearchParams("column.__proto__=x&v.constructor=y"));
    expect(Object.getPrototypeOf(found.columns)).toBe(Object.prototype);
    expect(Object.keys(found.columns)).toEqual(["__proto__"]);
  });

  it("reads what a finding selects", () => {
    expect(selectionOf({ true: "4", predicted: "9", "column.group": "b" })).toEqual({
      ...EMPTY,
      true: [4],
      predicted: [9],
      columns: { group: "b" },
    });
  });

  it("tells filters from things in hand", () => {
    expect(isFilter({ ...EMPTY, example: 3, layer: "a", step: 1 })).toBe(false);
    expect(isFilter({ ...EMPTY, rows: [] })).toBe(true);
    expect(withoutFilter(FULL)).toEqual({
      ...EMPTY,
      example: 12,
      layer: "features.3#2",
      unit: 0,
      step: 40,
      explained: 9,
      view: FULL.view,
    });
  });
});
