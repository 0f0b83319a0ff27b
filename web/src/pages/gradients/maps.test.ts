import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  further,
  gradientTimesInput,
  hasGradient,
  imageShape,
  inputParts,
  picture,
  planeOf,
  saliency,
  stepMaps,
  strongest,
} from "./maps";

const tensor = (shape: number[], ...values: number[]) => ({ shape, values: Float32Array.from(values) });
// Two channels of 2 x 3.
const GRADIENT = tensor([2, 2, 3], 1, -2, 3, 0, 0.5, -1, -4, 1, 2, 0, -0.25, 1);
const INPUT = tensor([2, 2, 3], 1, 1, 2, 5, 2, 3, 0.5, -1, 1, 7, 4, -2);

describe("which inputs have a picture", () => {
  it("are planes and stacks of up to four", () => {
    expect(imageShape([8, 6])).toEqual({ channels: 1, height: 8, width: 6 });
    expect(imageShape([3, 8, 6])).toEqual({ channels: 3, height: 8, width: 6 });
    expect(imageShape([1, 8, 6])?.channels).toBe(1);
  });

  it("are not vectors, token sequences, videos or stacks of features", () => {
    for (const shape of [[64], [64, 8, 8], [3, 1, 9], [2, 3, 8, 8], []]) expect(imageShape(shape)).toBeNull();
    expect(saliency(tensor([4], 1, 2, 3, 4))).toBeNull();
    expect(gradientTimesInput(tensor([4], 1, 2, 3, 4), tensor([4], 1, 1, 1, 1))).toBeNull();
    expect(picture(tensor([4], 1, 2, 3, 4))).toBeNull();
  });
});

describe("maps of the input", () => {
  it("show as saliency the largest absolute gradient over the channels", () => {
    expect(saliency(GRADIENT)).toEqual({ height: 2, width: 3, values: Float32Array.of(4, 2, 3, 0, 0.5, 1) });
  });

  it("show gradient times input summed over the channels, with its sign", () => {
    expect(gradientTimesInput(GRADIENT, INPUT)?.values).toEqual(Float32Array.of(-1, -3, 8, 0, 0, -5));
  });

  it("take one channel out of a stack", () => {
    expect(planeOf(GRADIENT, 1)).toEqual({ height: 2, width: 3, values: GRADIENT.values.subarray(6) });
  });
});

describe("parts of the input", () => {
  const held = new Map([
    ["input.gradient", tensor([3], 1, -2, 0)],
    ["input.values", tensor([3], 2, 1, 5)],
    ["input.table.gradient", tensor([1], 4)],
  ]);

  it("are those with a gradient, and the only one has no name", () => {
    const parts = inputParts([...held.keys(), "3.gradient", "input.ids.values"], (name) => held.get(name) ?? null);
    expect(parts.map((part) => [part.name, part.values !== null])).toEqual([
      ["", true],
      ["table", false],
    ]);
    expect(parts.map(stepMaps)).toEqual([
      { saliency: Float32Array.of(1, 2, 0), product: Float32Array.of(2, -2, 0) },
      { saliency: Float32Array.of(4), product: null },
    ]);
    expect(stepMaps({ name: "", values: null, gradient: GRADIENT })).toBeNull();
  });
});

describe("the strongest place", () => {
  it("is where the value is largest, in rows and columns, the first of equal ones", () => {
    expect(strongest({ height: 2, width: 3, values: Float32Array.of(0, 2, 1, 0, 7, 7) })).toEqual({
      row: 1,
      column: 1,
      value: 7,
    });
    expect(strongest({ height: 1, width: 2, values: Float32Array.of(-3, -2) })).toEqual({
      row: 0,
      column: 1,
      value: -2,
    });
  });

  it("is not hidden by a first value that is no number", () => {
    const { NaN: none } = Number;
    expect(strongest({ height: 2, width: 2, values: Float32Array.of(none, 1, none, 3) })).toEqual({
      row: 1,
      column: 1,
      value: 3,
    });
    expect(strongest({ height: 1, width: 2, values: Float32Array.of(none, none) }).value).toBeNaN();
  });
});

describe("the picture of an input", () => {
  beforeEach(() => {
    vi.stubGlobal(
      "ImageData",
      class {
        constructor(
          readonly data: Uint8ClampedArray,
          readonly width: number,
          readonly height: number,
        ) {}
      },
    );
  });
  afterEach(() => vi.unstubAllGlobals());

  it("stretches an example from its least to its largest value", () => {
    const made = picture(tensor([2, 2], -1, 0, 0, 3));
    expect([made?.width, made?.height]).toEqual([2, 2]);
    expect([...(made?.data ?? [])]).toEqual([0, 0, 0, 255, 64, 64, 64, 255, 64, 64, 64, 255, 255, 255, 255, 255]);
  });

  it("takes three channels as red, green and blue", () => {
    const made = picture(tensor([3, 2, 2], 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0));
    expect([...(made?.data ?? [])]).toEqual([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 0, 0, 0, 255]);
  });

  it("is black where every value is the same", () => {
    expect([...(picture(tensor([2, 2], 5, 5, 5, 5))?.data ?? [])].filter((_, at) => at % 4 !== 3)).toEqual(
      Array<number>(12).fill(0),
    );
  });
});

describe("what the model at hand would add", () => {
  it("is what the input can have: whole numbers are neither occluded nor masked", () => {
    const image = further(["input.values", "input.gradient", "3.grad_cam"], true).why;
    expect(image).toContain("guided backpropagation, RISE, occlusion");
    const table = further(["input.x.values", "input.x.gradient"], false).why;
    expect(table).toContain("occlusion");
    expect(table).not.toContain("RISE");
    const tokens = further(["input.input_ids.values", "3.values"], false);
    expect(tokens.why).toContain("Token gradients");
    expect(`${tokens.what} ${tokens.why}`).not.toMatch(/RISE|occlusion|guided/i);
  });

  it("reads a gradient of any part of the input", () => {
    expect(hasGradient(["input.gradient"])).toBe(true);
    expect(hasGradient(["input.mask.values", "input.image.gradient"])).toBe(true);
    expect(hasGradient(["input.values", "2.gradient"])).toBe(false);
  });
});
