import { describe, expect, it } from "vitest";
import { whole } from "../../../tests/support/graphs";
import type { Placed, Visible } from "../../layout/types";
import { fitted, held, pan, reveal, toDrawing, toView, zoom } from "./camera";
import { drawingOrder, findingOf } from "./finding";
import { gridOf, Places } from "./hit";
import { LABEL_HEIGHT, labelOf } from "./labels";
import { type Palette, parseColour } from "./palette";
import { Look, type Picture } from "./picture";
import { addLine, boundsOf, lengthOf, part, pointAt, rounded, STROKE, Strokes, strokesOf } from "./strokes";
import { escaped, svgOf } from "./svg";
import { keeping, linesFrom, midmost, movesOf } from "./transition";
import { visibleRuns } from "./webgl";
import { barsOf, wordsOf } from "./words";

const VIEW = { width: 800, height: 600 };

/** A frame (0) that holds two boxes (1, 2), and a box (3) below; arrows 1 to 2, 0 to 3, and a stub from 1 to 3. */
function pictured(shift = 0, title = "frame"): Picture {
  const visible: Visible = {
    ids: Int32Array.of(10, 11, 12, 13),
    frame: Int32Array.of(-1, 0, 0, -1),
    open: Uint8Array.of(1, 0, 0, 0),
    times: Int32Array.of(1, 1, 4, 1),
    group: Int32Array.of(-1, -1, 0, -1),
    width: Float32Array.of(0, 100, 100, 100),
    height: Float32Array.of(0, 44, 44, 44),
    source: Int32Array.of(1, 0, 1),
    target: Int32Array.of(2, 3, 3),
    edge: Int32Array.of(0, 1, 2),
    weight: Int32Array.of(1, 1, 1),
    sourcePort: Int32Array.of(-1, -1, -1),
    targetPort: Int32Array.of(-1, -1, -1),
    back: Uint8Array.of(0, 0, 0),
    label: Int32Array.of(-1, -1, -1),
  };
  const placed: Placed = {
    x: Float32Array.of(0 + shift, 20 + shift, 20 + shift, 20),
    y: Float32Array.of(0, 40, 120, 240),
    width: Float32Array.of(140, 100, 100, 100),
    height: Float32Array.of(200, 44, 44, 44),
    rank: Int32Array.of(0, 0, 1, 1),
    route: Uint8Array.of(0, 0, 2),
    start: Uint32Array.of(0, 2, 4, 8),
    points: Float32Array.of(70, 84, 70, 120, 70, 200, 70, 240, 110, 84, 110, 98, 110, 226, 110, 240),
    right: 140,
    bottom: 284,
  };
  return drawnOf(visible, placed, { titles: [title, "one", "two", "three"], labels: ["1×64"] });
}

function drawnOf(
  visible: Visible,
  placed: Placed,
  { titles, labels }: { titles: readonly string[]; labels: readonly string[] },
): Picture {
  const lines = ["Sequential", "Conv2d", "ReLU", "Linear"];
  const labelled = Uint8Array.from(visible.source, (_, arrow) => labels[arrow]?.length ?? 0);
  return {
    visible,
    placed,
    words: {
      title: (box) => titles[box] ?? "",
      line: (box) => lines[box] ?? "",
      brief: () => "",
      badge: (box) => (box === 2 ? "× 4" : ""),
      strip: (box) => (box === 2 ? [0.5, null, 1, 0.25] : []),
      label: (arrow) => labels[arrow] ?? "",
    },
    fill: new Uint8Array(16),
    look: Uint8Array.of(Look.open, 0, Look.repeated | Look.strip, 0),
    change: new Uint8Array(4),
    labelled,
    finding: whole(findingOf(visible, placed, labelled, { oldLine: null, card: false })),
    small: { width: 1, height: 1, pixels: new Uint8ClampedArray(4) },
  };
}

const PALETTE: Palette = {
  dark: false,
  paper: [255, 255, 255],
  ground: [246, 246, 244],
  raised: [255, 255, 255],
  ink: [0, 0, 0],
  quiet: [90, 90, 90],
  line: [220, 220, 220],
  lineStrong: [180, 180, 180],
  accent: [0, 0, 255],
  accentSoft: [220, 230, 255],
  high: [200, 0, 0],
  medium: [140, 90, 0],
  bar: [110, 140, 180],
  sans: "sans-serif",
};

describe("the camera", () => {
  it("comes nearer around the point under the pointer", () => {
    const before = { x: 100, y: 50, scale: 0.5 };
    const after = zoom(before, 1.7, 300, 200);
    expect(after.scale).toBeCloseTo(0.85);
    const [was, is] = [toDrawing(before, 300, 200), toDrawing(after, 300, 200)];
    expect(is.x).toBeCloseTo(was.x, 9);
    expect(is.y).toBeCloseTo(was.y, 9);
  });

  it("moves the paper with the hand at every size", () => {
    const before = { x: 10, y: 20, scale: 0.25 };
    const point = toDrawing(before, 100, 100);
    expect(toView(pan(before, 30, -12), point.x, point.y)).toEqual({ x: 130, y: 88 });
  });

  it("fits a whole into the view and never larger than life", () => {
    const far = fitted({ x: 0, y: 0, width: 10_000, height: 300 }, VIEW);
    expect(far.scale).toBeCloseTo(752 / 10_000);
    expect(toView(far, 0, 0).x).toBeCloseTo(24);
    expect(toView(far, 10_000, 0).x).toBeCloseTo(776);
    expect(fitted({ x: 0, y: 0, width: 10, height: 10 }, VIEW).scale).toBe(1);
  });

  it("never loses the drawing, and moves the least that brings a box into view", () => {
    const whole = { x: 0, y: 0, width: 1000, height: 1000 };
    const lost = held({ x: 90_000, y: -90_000, scale: 1 }, whole, VIEW);
    expect(lost.x).toBeLessThan(1000);
    expect(lost.y).toBeGreaterThan(-600);
    const camera = { x: 0, y: 0, scale: 1 };
    expect(reveal(camera, { x: 100, y: 100, width: 50, height: 20 }, VIEW)).toBe(camera);
    expect(reveal(camera, { x: 100, y: 700, width: 50, height: 20 }, VIEW)).toEqual({ x: 0, y: 144, scale: 1 });
  });
});

describe("finding boxes", () => {
  it("gives the innermost box at a point, the frame beside it, and nothing outside", () => {
    const { visible, placed } = pictured();
    const places = new Places(placed, gridOf(visible, placed));
    expect([places.at(30, 50), places.at(70, 130), places.at(5, 10), places.at(70, 250), places.at(139, 283)]).toEqual([
      1, 2, 0, 3, -1,
    ]);
  });

  it("gives exactly the boxes that a rectangle touches, as a look at each would", () => {
    const count = 600;
    const numbers = (low: number, high: number, seed: number) =>
      Float32Array.from(
        { length: count },
        (_, at) => low + ((at * 7919 * seed + 13 * at * at) % 1000) * ((high - low) / 1000),
      );
    const placed = {
      ...pictured().placed,
      x: numbers(0, 5000, 3),
      y: numbers(0, 9000, 7),
      width: numbers(20, 300, 5),
      height: numbers(20, 80, 11),
      right: 5300,
      bottom: 9080,
    };
    const visible = {
      ...pictured().visible,
      ids: new Int32Array(count),
      open: Uint8Array.from({ length: count }, (_, at) => (at % 50 === 0 ? 1 : 0)),
    };
    const places = new Places(placed, gridOf(visible, placed));
    for (const rect of [
      { x: 100, y: 200, width: 900, height: 700 },
      { x: 4000, y: 8000, width: 3000, height: 3000 },
      { x: 2500, y: 4000, width: 1, height: 1 },
    ]) {
      const found: number[] = [];
      places.within(rect, (box) => {
        found.push(box);
        return true;
      });
      const expected = Array.from({ length: count }, (_, box) => box).filter(
        (box) =>
          (placed.x[box] ?? 0) <= rect.x + rect.width &&
          (placed.x[box] ?? 0) + (placed.width[box] ?? 0) >= rect.x &&
          (placed.y[box] ?? 0) <= rect.y + rect.height &&
          (placed.y[box] ?? 0) + (placed.height[box] ?? 0) >= rect.y,
      );
      expect(found.sort((a, b) => a - b)).toEqual(expected);
    }
  });
});

describe("strokes", () => {
  it("round corners without leaving their ends, and cut and measure lines", () => {
    const line = [0, 0, 0, 40, 60, 40];
    const round = rounded(line);
    expect(round.slice(0, 2)).toEqual([0, 0]);
    expect(round.slice(-2)).toEqual([60, 40]);
    expect(lengthOf(line)).toBe(100);
    expect(lengthOf(round)).toBeLessThan(100);
    expect(lengthOf(part(line, 30, 70))).toBeCloseTo(40);
    expect(part(line, 30, 70)).toEqual([0, 30, 0, 40, 30, 40]);
    expect(pointAt(line, 0.7)).toEqual([30, 40]);
  });

  it("end in a head that comes to a point where the arrow ends", () => {
    const strokes = new Strokes();
    addLine(strokes, [0, 0, 0, 50], 0, null, false);
    const last = strokes.numbers.subarray((strokes.count - 1) * STROKE, strokes.count * STROKE);
    expect([...last.subarray(2, 4)]).toEqual([0, 50]);
    expect([last[8], last[9]]).toEqual([3.5, 0]);
  });

  it("draw of a stub only its two ends", () => {
    const { visible, placed } = pictured();
    const strokes = strokesOf(visible, placed, null);
    const longest = Math.max(
      ...Array.from({ length: strokes.count }, (_, at) => strokes.numbers.subarray(at * STROKE, at * STROKE + 4))
        .filter((ends) => ends[0] === 110)
        .map((ends) => Math.abs((ends[3] ?? 0) - (ends[1] ?? 0))),
    );
    expect(longest).toBeLessThanOrEqual(14);
  });

  it("leave out what is far from the view", () => {
    const numbers = Float32Array.from({ length: 4 * 2048 }, (_, at) => Math.floor(at / 4) * 10 + (at % 4 > 1 ? 5 : 0));
    const bounds = boundsOf(numbers, 2048, 4, 512);
    expect(visibleRuns(bounds, { x: 6000, y: 6000, width: 10, height: 10 }, 2048)).toEqual([512, 1024]);
    expect(visibleRuns(bounds, { x: -50, y: -50, width: 10, height: 10 }, 2048)).toEqual([0, 0]);
    expect(visibleRuns(bounds, null, 2048)).toEqual([0, 2048]);
  });
});

describe("moving from one picture to the next", () => {
  it("keeps the middle of the kept box's upper edge where it is on screen", () => {
    const [old, now] = [pictured(0), pictured(300)];
    const camera = { x: 5, y: 6, scale: 0.8 };
    const after = keeping(camera, old, now, 10);
    expect(toView(after, 300 + 70, 0)).toEqual(toView(camera, 70, 0));
    const without = { ...now, visible: { ...now.visible, ids: Int32Array.of(10, 11, 99, 13) } };
    expect([now, without].map((to) => midmost({ ...camera, x: -330, y: -250 }, VIEW, old, to))).toEqual([12, 11]);
  });

  it("lets what is new come out of the frame that was opened, and what was there come from its place", () => {
    const now = pictured(300);
    const old = pictured(0);
    const closed: Picture = { ...old, visible: { ...old.visible, ids: Int32Array.of(10, 99, 98, 13) } };
    const moves = movesOf(closed, now);
    expect([...(moves?.appears ?? [])]).toEqual([0, 1, 1, 0]);
    expect([...(moves?.from.subarray(0, 4) ?? [])]).toEqual([0, 0, 140, 200]);
    expect([...(moves?.from.subarray(4, 8) ?? [])]).toEqual([20, 40, 100, 44]);
    // Of the arrows only the one from the frame to what stands below was there.
    expect([...(moves?.was ?? [])]).toEqual([-1, 1, -1]);
    const line = linesFrom(closed.placed, moves?.was ?? new Int32Array(3));
    expect([line(0), line(1)]).toEqual([null, [70, 200, 70, 240]]);
  });

  it("moves nothing where only colours and words are others", () => {
    expect(movesOf(pictured(0), pictured(0))).toBeNull();
    expect(movesOf(pictured(0), pictured(1))).not.toBeNull();
  });

  it("draws frames before what they hold", () => {
    const { order, frames } = drawingOrder(pictured().visible);
    expect([[...order], frames]).toEqual([[0, 1, 2, 3], 1]);
  });
});

describe("words and bars", () => {
  it("keep what steers the direction of writing out of the picture", () => {
    const picture = pictured(0, "\u202egnp.exe");
    expect(wordsOf(picture, 0)[0]?.text).toBe("\ufffdgnp.exe");
  });

  it("leave room for the multiplier", () => {
    const words = wordsOf(
      { ...pictured(), words: { ...pictured().words, title: () => "a very long name of a block" } },
      2,
    );
    const [title, badge] = [words[0], words.find((word) => word.text === "× 4")];
    expect((title?.x ?? 0) + (title?.most ?? 0)).toBeLessThan((badge?.x ?? 0) - 20);
  });

  it("drop what a box is before how many parameters it has, and keep its name", () => {
    const named = (title: string, line: string, brief: string, width: number) => {
      const picture = pictured();
      picture.placed.width[0] = picture.placed.width[3] = width;
      const words = { ...picture.words, title: () => title, line: () => line, brief: () => brief };
      const texts = (box: number) =>
        wordsOf({ ...picture, words }, box, (text) => 7 * text.length).map(({ text, most }) =>
          7 * text.length <= most ? text : `${text} is cut`,
        );
      return [texts(0), texts(3)];
    };
    const [line, brief] = ["Sequential · 33.3k", "33.3k"];
    expect(named("▾ down", line, brief, 220)).toEqual([
      ["▾ down", line],
      ["▾ down", line],
    ]);
    expect(named("▾ downsample", line, brief, 185)).toEqual([
      ["▾ downsample", "33.3k"],
      ["▾ downsample", line],
    ]);
    expect(named("▾ downsample", line, brief, 120)).toEqual([["▾ downsample"], ["▾ downsample", "Seque… · 33.3k"]]);
    expect(named("stem", line, brief, 92)).toEqual([
      ["stem", "33.3k"],
      ["stem", "33.3k"],
    ]);
    expect(named("stem", "Sequential", "", 140)[0]).toEqual(["stem", "Sequential"]);
  });

  it("join blocks that have no room of their own by the most of them", () => {
    const bars = barsOf(
      Array.from({ length: 400 }, (_, at) => (at === 201 ? 1 : 0.1)),
      100,
      60,
    );
    expect(bars.length).toBeLessThan(60);
    expect(Math.max(...bars.map((bar) => bar.bottom - bar.top))).toBe(14);
    // Two bars, and the line on which they stand.
    const [missing, known, ground] = barsOf([null, 1], 100, 60);
    expect([missing?.known, known?.known, ground?.known]).toEqual([false, true, false]);
    expect([ground?.top, ground?.bottom, (ground?.x ?? 0) - (ground?.half ?? 0)]).toEqual([55, 56, 14]);
    expect(barsOf([], 100, 60)).toEqual([]);
  });
});

describe("the SVG", () => {
  it("escapes whatever names say", () => {
    expect(escaped(`</script><img src=x onerror="alert(1)">'&`)).toBe(
      "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;",
    );
    expect(escaped("a\u0000b\ud800c\uffffd\u{1f600}")).toBe("a\ufffdb\ufffdc\ufffdd\u{1f600}");
  });

  it("holds every box and arrow, and no markup of theirs", () => {
    const text = svgOf(pictured(0, "</title><script>alert(1)</script>"), PALETTE, {
      title: "<b>",
      colours: ["#fff"],
      low: "0",
      high: "9",
    });
    expect(text).not.toContain("<script");
    expect(text).not.toContain("<b>");
    expect(text.match(/<g><title>/g)).toHaveLength(4);
    expect(text.match(/fill="none" stroke=/g)).toHaveLength(3);
    expect(text).toContain("× 4");
    const wide = svgOf(pictured(), PALETTE, { title: "n".repeat(90), colours: ["#fff"], low: "0", high: "9" });
    expect(Number(/ width="(\d+)"/.exec(wide)?.[1])).toBeGreaterThan(128 + 90 * 7);
  });
});

it("reads colours of the theme", () => {
  expect([parseColour(" #0b5fbf"), parseColour("#fff"), parseColour("none")]).toEqual([
    [11, 95, 191],
    [255, 255, 255],
    [0, 0, 0],
  ]);
});

describe("words on arrows", () => {
  it("stand in the middle of their line, and apart where two lines fan out", () => {
    const picture = pictured();
    expect(labelOf(picture, 0)).toMatchObject({ text: "1×64", x: 70, y: 102 });
    // Two lines from one box, as near one another as boxes stand.
    const points = Float32Array.of(70, 84, 30, 120, 70, 84, 110, 120, 110, 84, 110, 98, 110, 226, 110, 240);
    const labels = ["1×16×128", "1×16×128"];
    const fan = drawnOf(picture.visible, { ...picture.placed, points }, { titles: [], labels });
    const [one, other] = [labelOf(fan, 0), labelOf(fan, 1)];
    const across = Math.abs((one?.x ?? 0) - (other?.x ?? 0));
    const down = Math.abs((one?.y ?? 0) - (other?.y ?? 0));
    expect(across > 8 * 6.6 || down >= LABEL_HEIGHT).toBe(true);
  });

  it("keep clear of the borders and titles of frames that their line crosses", () => {
    // From a box in the frame down to one below it; the middle of the line is on the frame's lower border.
    const { visible, placed } = pictured();
    const points = Float32Array.of(70, 84, 70, 120, 70, 164, 70, 236, 70, 84, 70, 98, 70, 226, 70, 240);
    const crossing = drawnOf(visible, { ...placed, points }, { titles: [], labels: ["", "1×64"] });
    const { x, y } = labelOf(crossing, 1) as { x: number; y: number };
    const away = Math.min(
      Math.abs(y - 200),
      Math.abs(y - LABEL_HEIGHT / 2 - 200),
      Math.abs(y + LABEL_HEIGHT / 2 - 200),
    );
    expect(x).toBe(70);
    expect(away).toBeGreaterThanOrEqual(2);
    expect(y - LABEL_HEIGHT / 2 > 200 || y + LABEL_HEIGHT / 2 < 200).toBe(true);
    // Out of a stack: not on the sheets that look out below it.
    const short = Float32Array.of(70, 84, 70, 120, 70, 164, 70, 180, 70, 84, 70, 98, 70, 226, 70, 240);
    const under = (times: number) => {
      const boxes = { ...visible, times: Int32Array.of(1, 1, times, 1), open: new Uint8Array(4) };
      // The first box would hold the others, were it a frame.
      const apart = { ...placed, points: short, x: Float32Array.of(400, 20, 20, 20) };
      return labelOf(drawnOf(boxes, apart, { titles: [], labels: ["", "1×64"] }), 1)?.y ?? 0;
    };
    expect(under(1)).toBe(172);
    expect(under(4)).toBeGreaterThan(under(1) + 3);
    // Into a frame: not on its title.
    const into = drawnOf(
      { ...visible, open: Uint8Array.of(0, 0, 0, 1) },
      { ...placed, y: Float32Array.of(0, 40, 120, 150), points },
      { titles: [], labels: ["", "1×64"] },
    );
    const title = labelOf(into, 1) as { y: number };
    expect(title.y - LABEL_HEIGHT / 2 >= 150 + 24 || title.y + LABEL_HEIGHT / 2 <= 150).toBe(true);
  });
});
