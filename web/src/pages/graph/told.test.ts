import { describe, expect, it } from "vitest";
import { node } from "../../../tests/support/graphs";
import { callWords, howTraced } from "./told";

describe("how the graph came to be", () => {
  it("tells times from the trace, which runs nothing", () => {
    const by = (backend: "fake" | "real", seconds: (number | null)[], backend_reason = "") =>
      howTraced({ backend, backend_reason }, seconds);
    expect(by("fake", [])).toBe("Traced by shapes alone, without running it.");
    expect(by("fake", [null, null])).toBe("Traced by shapes alone, without running it.");
    expect(by("fake", [null, 0.001])).toBe(
      "Traced by shapes alone, without running it. Its calls were timed in forwards that ran for that.",
    );
    expect(by("real", [], "it reads values.")).toBe("Traced by running on an input because it reads values.");
    expect(by("real", [], "Values are read.")).toBe("Traced by running on an input: Values are read.");
  });

  it("says what calls run", () => {
    const nodes = [node(0, "a", null), node(1, "b", null)];
    expect(callWords({ backend: "fake", nodes, operators: 30 })).toBe("2 calls, which run 30 aten operators");
    expect(callWords({ backend: "fake", nodes: nodes.slice(1), operators: 1 })).toBe(
      "1 call, which runs 1 aten operator",
    );
    expect(callWords({ backend: "file", nodes, operators: 2 })).toBe("2 calls, of 2 operations in the file");
    expect(callWords({ backend: "none", nodes, operators: 0 })).toBe("2 calls");
  });
});
