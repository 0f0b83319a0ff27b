import { expect, test } from "vitest";
import type { Tensor } from "../../record/safetensors";
import { channelOf, stored } from "./separation";

const tensor = (values: number[], shape = [values.length]) =>
  ({ shape, values: new Float32Array(values) }) as unknown as Tensor;
const CONCEPTS = [{ name: "cat" }, { name: "dog" }, { name: "rare" }];
const ARRAYS = {
  area: tensor([0.9, 0.3, Number.NaN, 0.6, 0.75, Number.NaN, 0.55, 0.4, Number.NaN, 0.5, 0.5, Number.NaN], [4, 3]),
  best: tensor([0, 1, 0, 0]),
  low: tensor([0.85, 0.7, 0.5, 0.4]),
  high: tensor([0.95, 0.8, 0.6, 0.6]),
  chance: tensor([0.7, 0.65, Number.NaN]),
  alive: tensor([1, 1, 1, 0]),
  units: tensor([0, 1, 2]),
};

test("a channel stands by chance, by its area and by whether it changes", () => {
  const found = [0, 1, 2, 3].map((unit) => channelOf(ARRAYS, unit, CONCEPTS, 0.8));
  expect(found.map((one) => one?.standing)).toEqual(["detector", "beyond", "chance", "never"]);
  expect(found[1]?.best.name).toBe("dog");
  expect(found[1]?.others.map((one) => one.name)).toEqual(["cat"]); // what was not asked about is not listed
  expect(channelOf({ ...ARRAYS, best: null }, 0, CONCEPTS, 0.8)).toBeNull();
  expect(channelOf({ ...ARRAYS, area: null }, 0, CONCEPTS, 0.8)).toBeNull();
});

test("stored channels are listed best first", () => {
  expect(stored(ARRAYS, CONCEPTS, 0.8).map((one) => one.unit)).toEqual([0, 1, 2]);
  expect(stored({ ...ARRAYS, units: null }, CONCEPTS, 0.8)).toEqual([]);
});
