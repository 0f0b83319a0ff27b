import { describe, expect, it } from "vitest";
import { orderOf } from "./order";

describe("orderOf", () => {
  const values = Float64Array.of(
    3,
    -1,
    Number.NaN,
    0,
    -0,
    3,
    Number.NEGATIVE_INFINITY,
    1e-300,
    Number.POSITIVE_INFINITY,
    -2.5,
  );

  it("sorts ascending, equal values in their first order, NaN last", () => {
    expect([...orderOf(values)]).toEqual([6, 9, 1, 3, 4, 7, 0, 5, 8, 2]);
  });

  it("sorts descending, equal values still in their first order, NaN still last", () => {
    expect([...orderOf(values, true)]).toEqual([8, 0, 5, 7, 3, 4, 1, 9, 6, 2]);
  });

  it("agrees with a comparison sort on numbers of every size", () => {
    let state = 12345;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    const many = Float64Array.from({ length: 3000 }, () => (random() - 0.5) * 10 ** Math.floor(40 * random() - 20));
    const slow = [...many.keys()].sort((a, b) => (many[a] ?? 0) - (many[b] ?? 0) || a - b);
    expect([...orderOf(many)]).toEqual(slow);
  });

  it("orders nothing", () => {
    expect(orderOf(new Float64Array(0))).toHaveLength(0);
  });
});
