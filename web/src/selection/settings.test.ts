import { describe, expect, it } from "vitest";
import { oneOf, within } from "./settings";

describe("a page's setting", () => {
  it("is one of the words that the page knows, whatever the address says", () => {
    const orders = { worst: "lowest first", best: "highest first" };
    expect(
      ["best", "zzz", "constructor", "__proto__", "", undefined].map((text) => oneOf(text, orders, "worst")),
    ).toEqual(["best", "worst", "worst", "worst", "worst", "worst"]);
    expect(["b", "c"].map((text) => oneOf(text, ["a", "b"] as const, "a"))).toEqual(["b", "a"]);
  });

  it("is a number within its range", () => {
    const texts = ["0.2", "1", "1.1", "-1", "x", "", " ", "Infinity", undefined];
    expect(texts.map((text) => within(text, [0, 1], 0.5))).toEqual([0.2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  });
});
