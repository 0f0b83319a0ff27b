import { describe, expect, it } from "vitest";
import { colormap, colour, textOn } from "./colormap";
import { fitting } from "./fitting";
import * as format from "./format";
import { clippedDomain, domainOf, heldBy, ranked } from "./raster";
import { dotDomain, scale, ticks } from "./scale";

describe("the number at a rank", () => {
  /** Numbers that look random, the same every time, many of them equal. */
  const drawn = (length: number, kinds: number) =>
    Float32Array.from({ length }, (_, at) =>
      Math.floor(kinds * Math.abs((Math.sin(12.9898 * (at + 1)) * 43758.5453) % 1)),
    );

  it("is what stands there after sorting, whatever the order and however many are equal", () => {
    const orders = [
      drawn(1000, 1e6),
      drawn(1000, 3),
      drawn(7, 2),
      drawn(500, 1e6).sort(),
      drawn(500, 1e6).sort().reverse(),
    ];
    for (const values of orders) {
      const sorted = values.slice().sort();
      for (const rank of [0, 1, Math.floor(0.99 * (values.length - 1)), values.length - 1])
        expect(ranked(values.slice(), rank)).toBe(sorted[rank]);
    }
  });

  it("lets the strongest hundredth run out of a scale, and what is not finite count as 0", () => {
    const values = Float32Array.from({ length: 2000 }, (_, at) => (at === 5 ? 1000 : at === 6 ? Number.NaN : at % 100));
    expect(clippedDomain(values, false)).toEqual({ domain: [0, 99], clipped: true, held: "values" });
    expect(clippedDomain(values.slice(0, 900), false).clipped).toBe(false);
  });
});

describe("numbers as people read them", () => {
  it("never writes an end that is not reached", () => {
    expect([0, 1e-9, 4e-4, 0.5, 0.9996, 0.99999, 1 - 1e-7, 1].map((value) => format.percent(value))).toEqual([
      "0.0%",
      "<0.01%",
      "0.04%",
      "50.0%",
      "99.96%",
      ">99.99%",
      "100.0%",
      "100.0%",
    ]);
  });

  it("never writes an end that is not reached, however few digits it has", () => {
    expect([0, 0.004, 0.005, 0.5, 0.9946, 0.995, 0.9999, 1].map((value) => format.percent(value, 0))).toEqual([
      "0%",
      "<1%",
      "1%",
      "50%",
      "99%",
      ">99%",
      ">99%",
      "100%",
    ]);
    expect([0.0004, 0.9996].map((value) => format.percent(value, 1))).toEqual(["<0.1%", ">99.9%"]);
  });

  it("rounds first, and then chooses the form", () => {
    expect([999.4, 999.7, -999.7, 999_999.7, 0.00099996].map((value) => format.number(value))).toEqual([
      "999",
      "1,000",
      "−1,000",
      "1.00e6",
      "0.00100",
    ]);
    expect([999_999, 999_999_600, 1.2e6, Number.NaN].map(format.quantity)).toEqual([
      "999,999",
      "1.00 billion",
      "1.20 million",
      "–",
    ]);
    expect([999, 999_400, 999_700, 999_999_999].map(format.bytes)).toEqual(["999 B", "999 kB", "1.00 MB", "1.00 GB"]);
    expect([3.2, 59.94, 59.97, 119.7, 3599.7, 7199].map(format.duration)).toEqual([
      "3.20 s",
      "59.9 s",
      "1 min 0 s",
      "2 min 0 s",
      "1 h 0 min",
      "2 h 0 min",
    ]);
  });

  it("writes differences of shares in points, and none that rounds to nothing with a sign", () => {
    expect([0.0123, -0.0123, -0.0004, 0].map((value) => format.points(value))).toEqual(["+1.2", "−1.2", "0.0", "0.0"]);
    expect([format.points(-0.004, 0), format.points(0.126, 0)]).toEqual(["0", "+13"]);
  });

  it("counts one as one", () => {
    expect([format.plural(1, "unit"), format.plural(2, "class", "classes"), format.plural(0, "unit")]).toEqual([
      "1 unit",
      "2 classes",
      "0 units",
    ]);
    expect([format.those(1, true), format.those(1200, true), format.those(1, false), format.those(3, false)]).toEqual([
      "the only example",
      "all 1,200 examples",
      "the selected example",
      "the selected 3 examples",
    ]);
  });

  it("writes what is taken away with a minus, not a hyphen", () => {
    expect([format.count(-1234), format.count(8), format.number(-0.5)]).toEqual(["−1,234", "8", "−0.500"]);
    expect([format.percent(-0.0123), format.percent(-1e-9), format.quantity(-1234)]).toEqual([
      "−1.2%",
      "0.00%",
      "−1,234",
    ]);
  });

  it("puts a unit of many words in brackets", () => {
    expect(format.withUnit("0.12", "nats")).toBe("0.12 nats");
    expect(format.withUnit("3.1", "square of the target's unit")).toBe("3.1 (square of the target's unit)");
    expect(format.withUnit("3.1", "")).toBe("3.1");
  });

  it("writes an axis without zeros that say nothing, and evenly where its steps are", () => {
    expect(format.tickWords([0, 0.05, 0.1, 0.15])).toEqual(["0", "0.05", "0.10", "0.15"]);
    expect(format.tickWords([0.1, 0.2, 0.30000000000000004])).toEqual(["0.1", "0.2", "0.3"]);
    // Two digits made one label of both.
    expect(format.tickWords([1, 1.05, 1.1, 1.15])).toEqual(["1.00", "1.05", "1.10", "1.15"]);
    expect(format.tickWords([1e-5, 1e-3, 0.1, 10, 1000])).toEqual(["1e−5", "0.001", "0.1", "10", "1,000"]);
    expect(format.tickWords([-0.01, 0, 0.01])).toEqual(["−0.01", "0", "0.01"]);
    expect(format.tickWords([0.98, 0.985, 0.99], format.percent)).toEqual(["98.0%", "98.5%", "99.0%"]);
    expect(format.tickWords([0.7, 0.8, 0.9], format.percent)).toEqual(["70%", "80%", "90%"]);
    expect(format.tickWords([0, 2.5e6, 5e6])).toEqual(["0", "2.5e6", "5e6"]);
  });

  it("keeps three digits, whatever the size", () => {
    expect([0.0123456, 1234.5, 0, 1.2e-7, -2.5e9, 0.5, -12].map((value) => format.number(value))).toEqual([
      "0.0123",
      "1,235",
      "0",
      "1.20e−7",
      "−2.50e9",
      "0.500",
      "−12",
    ]);
  });

  it("never shows what is not defined as zero", () => {
    expect([format.number(null), format.number(Number.NaN), format.percent(undefined), format.count(null)]).toEqual([
      "–",
      "–",
      "–",
      "–",
    ]);
    expect(format.number(Number.NEGATIVE_INFINITY)).toBe("−∞");
  });

  it("shows shares near 0 and 1 finer", () => {
    expect([0.912, 0.99951, 0.00042, 0, 1].map((value) => format.percent(value))).toEqual([
      "91.2%",
      "99.95%",
      "0.04%",
      "0.0%",
      "100.0%",
    ]);
  });
});

describe("names that cannot be seen", () => {
  it("are told from those that can", () => {
    for (const blank of ["", " \t", "\u200b", "\u2060\ufeff", "\u202e", "\u3164", "\u00a0"])
      expect(format.visible(blank), JSON.stringify(blank)).toBe(false);
    for (const name of ["a", " 0 ", "\u200bcat", "犬", "é", "-"]) expect(format.visible(name), name).toBe(true);
  });
});

describe("colours", () => {
  it("begin and end where the published maps do", () => {
    expect(colour("viridis", 0, false)).toBe("rgb(68 1 84)");
    expect(colour("viridis", 1, true)).toBe("rgb(253 231 37)");
    expect(colour("cividis", 0.5, false)).toBe("rgb(125 124 120)");
  });

  it("are white at zero in the light and nearly black in the dark, alike on both sides", () => {
    const table = colormap("signed", false);
    expect(Math.min(...table.subarray(3 * 127, 3 * 129))).toBeGreaterThan(250);
    expect(Math.max(...colormap("signed", true).subarray(3 * 127, 3 * 129))).toBeLessThan(16);
    expect(textOn("signed", 0.5, false)).toBe("#000000");
    expect(textOn("signed", 0.5, true)).toBe("#ffffff");
  });

  it("grow lighter with the magnitude", () => {
    const table = colormap("cividis", false);
    const light = (index: number) =>
      0.2126 * (table[3 * index] ?? 0) + 0.7152 * (table[3 * index + 1] ?? 0) + 0.0722 * (table[3 * index + 2] ?? 0);
    for (let index = 8; index < 256; index += 8) expect(light(index)).toBeGreaterThan(light(index - 8));
  });
});

describe("domains", () => {
  it("start at zero unless values are negative, and are symmetric where signed", () => {
    expect(domainOf([0.5, 2, Number.NaN, Number.POSITIVE_INFINITY], false)).toEqual([0, 2]);
    expect(domainOf([-3, 2], true)).toEqual([-3, 3]);
    expect(domainOf([0, 0], false)).toEqual([0, 1]);
    expect(domainOf([], true)).toEqual([-1, 1]);
  });

  it("are not made up: of no finite value there is none, of zeros one number", () => {
    const none = [Number.NaN, Number.POSITIVE_INFINITY];
    expect([[], none, [0, -0, Number.NaN], [0, 1e-9]].map(heldBy)).toEqual(["none", "none", "zeros", "values"]);
    expect(clippedDomain(new Float32Array(2000), true).held).toBe("zeros");
  });
});

describe("axes", () => {
  it("tick powers of ten on a logarithmic scale", () => {
    expect(ticks(scale("log", [1e-6, 1e2], [0, 400]), "log", 5)).toEqual([1e-6, 1e-4, 1e-2, 1, 100]);
  });

  it("tick all of a short logarithmic scale, without touching, however narrow it is", () => {
    const domains = [
      [1, 2.2],
      [3, 7],
      [0.9, 2.1],
      [0.03, 0.2],
      [0.5, 12],
      [1.01, 1.09],
      [400, 999],
      [2, 19],
    ] as const;
    for (const domain of domains)
      for (const width of [180, 340, 800, 1600]) {
        const of = scale("log", domain, [0, width]);
        const most = Math.max(2, Math.floor(width / 80));
        const found = ticks(of, "log", most);
        const places = found.map(of);
        const said = `${domain} in ${width}: ${found}`;
        expect(found.length, said).toBeGreaterThanOrEqual(2);
        expect(found.length, said).toBeLessThanOrEqual(most);
        for (let at = 1; at < places.length; at++)
          expect((places[at] as number) - (places[at - 1] as number), said).toBeGreaterThan(40);
        // No end is bare for more than half of it.
        expect(places[0] as number, said).toBeLessThan(width * 0.6);
        expect(places.at(-1) as number, said).toBeGreaterThan(width * 0.4);
      }
    expect(ticks(scale("log", [0.02, 0.6], [0, 800]), "log", 10)).toEqual([0.02, 0.05, 0.1, 0.2, 0.5]);
  });
});

describe("a name in the room there is", () => {
  /** Capital letters are twice as wide as others. */
  const width = (text: string) => [...text].reduce((sum, letter) => sum + (/[A-Z]/.test(letter) ? 2 : 1), 0);

  it("is whole where it fits, and else keeps the side that is asked for and as many letters as fit", () => {
    expect(fitting(width, "abcdef", 6)).toBe("abcdef");
    expect(fitting(width, "abcdef", 5)).toBe("abcd…");
    expect(fitting(width, "abcdef", 5, "end")).toBe("…cdef");
    expect(fitting(width, "ABCdef", 5)).toBe("AB…");
    expect(fitting(width, "ABCdef", 5, "end")).toBe("…def");
    expect(fitting(width, "😀😀😀", 2)).toBe("😀…");
    expect(fitting(width, "abc", 0)).toBe("…");
    for (let most = 1; most < 40; most++)
      expect(width(fitting(width, "Ab".repeat(300), most))).toBeLessThanOrEqual(most);
  });
});

describe("the axis of dots", () => {
  it("begins at 0 where dots lie anywhere, and near them where all lie far from it", () => {
    expect(dotDomain([0.1, 0.5, null, undefined, Number.NaN])).toEqual([0, 0.5]);
    const [low, high] = dotDomain([0.75, 0.76, 0.78]);
    expect(low).toBeGreaterThan(0.73);
    expect(low).toBeLessThan(0.75);
    expect(high).toBeGreaterThan(0.78);
    expect(dotDomain([-1, 2])).toEqual([-1, 2]);
    // One value still has room around it, and none is no reason to fail.
    expect(dotDomain([2, 2])[0]).toBeLessThan(2);
    expect(dotDomain([])[1]).toBeGreaterThan(0);
  });
});
