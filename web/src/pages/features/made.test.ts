import { describe, expect, it, vi } from "vitest";
import { best, fades, imageOf, reached, storedOf } from "./made";

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

it("fades what had no weight as MACO does, or as it is told", () => {
  expect([fades("", "maco"), fades("", "fourier"), fades("no", "maco"), fades("yes", "fourier")]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

it("puts a picture's opacity beside its colours", () => {
  vi.stubGlobal(
    "ImageData",
    class {
      constructor(readonly data: Uint8ClampedArray) {}
    },
  );
  const shape = { variants: 2, height: 1, width: 2 };
  const pixels = Int32Array.from({ length: 12 }, (_, at) => at);
  const opacity = Int32Array.from([1, 2, 3, 4]);
  expect(Array.from(imageOf(pixels, 0, 1, shape, opacity)?.data ?? [])).toEqual([6, 7, 8, 3, 9, 10, 11, 4]);
  expect(Array.from(imageOf(pixels, 0, 0, shape)?.data ?? [])).toEqual([0, 1, 2, 255, 3, 4, 5, 255]);
  expect(imageOf(pixels, 1, 0, shape)).toBeNull();
  vi.unstubAllGlobals();
});
