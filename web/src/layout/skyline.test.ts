import { expect, it } from "vitest";
import { random } from "../../tests/support/graphs";
import { Skyline } from "./skyline";

it("finds the highest over a stretch, as looking at every pixel does", () => {
  const chance = random(7);
  const sky = new Skyline(-100, 900, -5);
  // Ends at multiples of the step, so that both see the same stretches.
  const plain = new Float64Array(250).fill(-5);
  const stretch = (): [number, number] => {
    const from = Math.floor(chance() * 240);
    return [from, Math.min(249, from + Math.floor(chance() * chance() * 250))];
  };
  const at = (cell: number) => -100 + 4 * cell + 1;
  for (let step = 0; step < 2000; step++) {
    const [from, to] = stretch();
    if (chance() < 0.5) {
      const value = Math.floor(chance() * step);
      sky.raise(at(from), at(to), value);
      for (let cell = from; cell <= to; cell++) plain[cell] = Math.max(plain[cell] as number, value);
    } else expect(sky.highest(at(from), at(to))).toBe(Math.max(...plain.subarray(from, to + 1)));
  }
});
