import { expect, test } from "vitest";
import { erf, erfc, normalShare } from "./normal";

test("the error function is that of the tables, on both sides and in the tail", () => {
  expect(erf(0)).toBe(0);
  for (const [value, wanted] of [
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2.4, 0.9993114861033549],
    [3, 0.9999779095030014],
  ] as const) {
    expect(erf(value)).toBeCloseTo(wanted, 14);
    expect(erf(-value)).toBeCloseTo(-wanted, 14);
  }
  expect(erfc(5) / 1.5374597944280347e-12).toBeCloseTo(1, 12);
  expect(normalShare(1.959963984540054)).toBeCloseTo(0.975, 14);
  expect(normalShare(Number.NEGATIVE_INFINITY)).toBe(0);
});
