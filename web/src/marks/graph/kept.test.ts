/** What the drawing without a graphics card keeps: strokes of arrows in view, and pictures of very many boxes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flat, network, whole } from "../../../tests/support/graphs";
import { layOut } from "../../layout/layout";
import { Canvas2dRenderer } from "./canvas2d";
import { findingOf } from "./finding";
import { Places } from "./hit";
import { Painter } from "./painter";
import { type Palette, parseColour } from "./palette";
import { NO_EMPHASIS, type Picture } from "./picture";
import { Runs, runBoundsOf } from "./runs";
import { Sheet } from "./sheet";
import { type OldLine, STROKE, strokesOf } from "./strokes";

const COLOUR = parseColour("#888");
const PALETTE: Palette = {
  dark: false,
  paper: COLOUR,
  ground: COLOUR,
  raised: COLOUR,
  ink: COLOUR,
  quiet: COLOUR,
  line: COLOUR,
  lineStrong: COLOUR,
  accent: COLOUR,
  accentSoft: COLOUR,
  high: COLOUR,
  medium: COLOUR,
  bar: COLOUR,
  sans: "sans-serif",
};

const EVERYWHERE = { x: -1e6, y: -1e6, width: 2e6, height: 2e6 };

function pictured(count: number, arrows = network(count), letters = 0): Picture {
  const visible = flat(count, arrows);
  const placed = whole(layOut(visible));
  const labelled = new Uint8Array(visible.source.length).fill(letters);
  const words = () => "a";
  return {
    visible,
    placed,
    words: { title: words, line: words, brief: words, badge: words, label: words, strip: () => [] },
    labelled,
    finding: whole(findingOf(visible, placed, labelled, { oldLine: null, card: false })),
    small: { width: 1, height: 1, pixels: new Uint8ClampedArray(4) },
    fill: new Uint8Array(4 * count).fill(255),
    look: new Uint8Array(count),
    change: new Uint8Array(count),
  };
}

/** Arrows from the first box to all others. */
function fan(count: number): [number, number][] {
  return Array.from({ length: count - 1 }, (_, at) => [0, at + 1]);
}

describe("strokes in runs", () => {
  it("are those of all arrows, and each run lies where its strokes do", () => {
    const picture = pictured(300);
    const runs = new Runs(picture, null);
    const all = strokesOf(picture.visible, picture.placed, null);
    const parts = Array.from({ length: runs.count }, (_, run) => runs.strokes(run));
    const numbers = parts.flatMap((part) => [...part.numbers.subarray(0, part.count * STROKE)]);
    expect(numbers).toEqual([...all.numbers.subarray(0, all.count * STROKE)]);
    parts.forEach((part, run) => {
      const [x = 0, y = 0] = part.numbers;
      expect(runs.touches(run, { x: x - 1, y: y - 1, width: 2, height: 2 })).toBe(true);
      expect(runs.touches(run, { x: -900, y: -900, width: 10, height: 10 })).toBe(false);
    });
  });
});

it("reaches as far as its lines come from while they move, and no further once they stand", () => {
  const picture = pictured(40);
  const far: OldLine = () => [5000, 5000, 5000, 5040];
  const runs = new Runs(picture, { line: far, runs: runBoundsOf(picture.placed, far) });
  const there = { x: 4990, y: 4990, width: 20, height: 20 };
  expect([runs.touches(0, there, 0.5), runs.touches(0, there, 1)]).toEqual([true, false]);
});

describe("a picture of very many boxes", () => {
  /** How often each method of any canvas was called. */
  let calls: Record<string, number>;

  beforeEach(() => {
    calls = {};
    const context = new Proxy({} as Record<string, unknown>, {
      get: (kept, name: string) =>
        kept[name] ??
        ((..._numbers: unknown[]) => {
          calls[name] = (calls[name] ?? 0) + 1;
          return { width: 10 };
        }),
    });
    vi.stubGlobal("document", { createElement: () => ({ width: 0, height: 0, getContext: () => context }) });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is painted over several frames, then shown as it is until the eye comes nearer or the lights change", () => {
    const picture = pictured(4000);
    const sheet = new Sheet();
    sheet.show(picture, new Painter(picture, null, PALETTE), PALETTE, null);
    const shown = vi.fn();
    const context = { drawImage: shown } as unknown as CanvasRenderingContext2D;
    const view = { width: 800, height: 600 };
    const frames = (scale: number) => {
      let count = 1;
      while (sheet.draw(context, { x: 0, y: 0, scale }, view, 1) && count < 10_000) count++;
      return count;
    };
    expect(frames(0.2)).toBeGreaterThan(1);
    const painted = { ...calls };
    expect(painted.roundRect).toBeGreaterThan(0);
    const [, x, y, width, height] = shown.mock.lastCall as [unknown, number, number, number, number];
    expect(Math.max(x, y)).toBeLessThanOrEqual(0);
    expect(x + width).toBeGreaterThan(800 / 0.2);
    expect(y + height).toBeGreaterThan(600 / 0.2);
    expect(frames(0.2)).toBe(1);
    expect(calls).toEqual(painted);
    expect(frames(0.22)).toBeGreaterThan(1);
    sheet.light(new Uint8Array(4000).fill(1));
    expect(frames(0.22)).toBeGreaterThan(1);
    expect(frames(0.22)).toBe(1);
    sheet.show(picture, new Painter(picture, null, PALETTE), PALETTE, null);
    expect(frames(0.22)).toBeGreaterThan(1);
  });

  it("has so many words fitted at a time as are allowed, the others when their turn comes", () => {
    const picture = pictured(10);
    const painter = new Painter(picture, null, PALETTE);
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    const write = (fresh?: number) => {
      const turn = painter.turn(EVERYWHERE, fresh);
      calls.fillText = 0;
      for (let box = 0; box < 10; box++) painter.words(context, box, NO_EMPHASIS, 1, 1, turn);
      return [calls.fillText, painter.wanting];
    };
    // A title and a badge each: boxes of this height have no line.
    expect([write(4), write(4), write(4), write(0)]).toEqual([
      [8, true],
      [16, true],
      [20, false],
      [20, false],
    ]);
  });

  it("writes of what fans out from one box what is in view, however many arrows there are", () => {
    for (const count of [1000, 7000]) {
      const picture = pictured(count, fan(count), 4);
      const painter = new Painter(picture, null, PALETTE);
      const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
      const [x = 0, y = 0] = [picture.placed.x[500], picture.placed.y[500]];
      const turn = painter.turn({ x, y: y - 40, width: 400, height: 100 }, 20);
      for (const box of [0, 500]) painter.words(context, box, NO_EMPHASIS, 1, 1, turn);
      expect(painter.wanting).toBe(false);
      expect(calls.fillText).toBeLessThan(40);
      calls.fillText = 0;
    }
  });

  it("draws all arrows that cross the view from a picture that is kept, where a frame has no time for so many", () => {
    const picture = pictured(6000, fan(6000));
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    vi.stubGlobal("requestIdleCallback", () => 0);
    const renderer = new Canvas2dRenderer(context, PALETTE);
    renderer.setPicture(picture, new Places(picture.placed, picture.finding.grid), null);
    const drawsAt = (x: number, y: number) => {
      renderer.draw({ x, y, scale: 1 }, { width: 600, height: 200 }, 1, 1);
      return renderer.draws;
    };
    const [x = 0, y = 0] = [picture.placed.x[0], picture.placed.y[0]];
    expect(drawsAt(x, y)).toBe(3);
    expect(drawsAt(x, y - 400)).toBe(5);
  });
});
