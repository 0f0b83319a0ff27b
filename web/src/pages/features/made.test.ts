import { describe, expect, it } from "vitest";
import { best, reached, storedOf } from "./made";

describe("what a made picture reaches", () => {
  it("is a multiple of the strongest example where that excites the unit", () => {
    expect(reached(6.2, 2, 1000)).toBe("reaches 3.1 times the strongest of 1,000 examples");
    expect(reached(1, 2, 1000)).toBe("reaches 0.50 times the strongest of 1,000 examples");
  });

  it("is no multiple of nothing", () => {
    expect(reached(6.2, 0, 10)).toBe("reaches 6.20; none of 10 examples excites it");
    expect(reached(0, 0, 10)).toBe("no picture was found that excites it, and no example does");
    expect(reached(0.5, -2, 10)).toBe("reaches 0.500; the strongest of 10 examples is −2");
    expect(reached(6.2, null, 10)).toBe("reaches 6.20");
    expect(reached(null, 2, 10)).toBe("its response is not finite");
  });

  it("is that of the best of several", () => {
    expect(best([1, null, 3])).toBe(3);
    expect(best([null])).toBeNull();
  });
});

it("finds what is stored of a layer", () => {
  const row = { index: 3, method: "maco" };
  const panel = { layers: [row, { index: 4, method: "maco" }] } as never;
  expect(storedOf(panel, 3)).toEqual([row]);
  expect(storedOf(null, 3)).toEqual([]);
});
