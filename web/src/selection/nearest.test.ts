import { expect, it } from "vitest";
import { nearestNames } from "./nearest";

const LAYERS = [
  "relu",
  "maxpool",
  "layer1.0.relu",
  "layer2.0.relu",
  "layer2.0.bn2",
  "layer2.0.relu#2",
  "layer4.1.bn2",
  "fc",
];

it("offers what a module holds, the last of it first, then what few letters tell from the name", () => {
  expect(nearestNames("layer2.0", LAYERS)).toEqual(["layer2.0.relu#2", "layer2.0.bn2", "layer2.0.relu"]);
  expect(nearestNames("layer1.0.rleu", LAYERS)[0]).toBe("layer1.0.relu");
  expect(nearestNames("MaxPol", LAYERS)).toEqual(["maxpool"]);
  expect(nearestNames("layer4.1.bn1", LAYERS)[0]).toBe("layer4.1.bn2");
  expect(nearestNames("nosuchthing", LAYERS)).toEqual([]);
  expect(nearestNames("", LAYERS)).toEqual([]);
  expect(nearestNames("x".repeat(10_000), LAYERS)).toEqual([]);
});
