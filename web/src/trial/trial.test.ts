import { describe, expect, it } from "vitest";
import { columnsOf, keysOf } from "./choices";
import { median, type Step, Steps } from "./frames";
import { orderOf } from "./order";
import { minutes } from "./pages";
import type { Session, SessionTrial } from "./session";

const GEIRHOS: Step[] = [
  { name: "fixation", duration: 300 },
  { name: "picture", duration: 200 },
  { name: "mask", duration: 200 },
];

/** What each frame shows until there is a choice, where frames come at these times. */
function course(steps: readonly Step[], frame: number, times: Iterable<number>) {
  const made = new Steps(steps, frame);
  const shown: string[] = [];
  for (const time of times) {
    shown.push(made.at(time));
    if (shown.at(-1) === "choice") break;
  }
  return { made, shown };
}

function* regular(frame: number, start = 1234.5) {
  for (let place = 0; place < 10_000; place += 1) yield start + place * frame;
}

describe("what stands on the screen in which frame", () => {
  it.each([60, 75, 90, 120, 144, 240])("comes to the nearest frame at %i Hz", (rate) => {
    const frame = 1000 / rate;
    const { made, shown } = course(GEIRHOS, frame, regular(frame));
    for (const [name, wanted] of [
      ["fixation", 300],
      ["picture", 200],
      ["mask", 200],
    ] as const) {
      const frames = shown.filter((one) => one === name).length;
      expect(Math.abs(frames - wanted / frame)).toBeLessThanOrEqual(0.5 + 1e-9);
      expect(made.lasted[name]).toBeCloseTo(frames * frame, 6);
      expect(Math.abs((made.lasted[name] ?? 0) - wanted)).toBeLessThanOrEqual(frame / 2 + 1e-6);
    }
    expect(shown.at(-1)).toBe("choice");
    expect(made.dropped).toBe(0);
  });

  it("says how long a picture really stood where frames were missed", () => {
    const frame = 1000 / 60;
    // The 25th frame, in the midst of the picture, comes ten frames late.
    const times = [...regular(frame)].slice(0, 200).map((time, place) => time + (place >= 25 ? 10 * frame : 0));
    const { made } = course(GEIRHOS, frame, times);
    expect(made.dropped).toBe(10);
    expect(made.lasted.fixation).toBeCloseTo(18 * frame, 6);
    expect(made.lasted.picture).toBeCloseTo(17 * frame, 6); // 6 frames, then one that lasted eleven
    expect(made.lasted.mask).toBeCloseTo(12 * frame, 6);
  });

  it("shows what is shorter than a frame for one frame, and leaves out what lasts nothing", () => {
    const frame = 1000 / 60;
    const brief = [
      { name: "fixation", duration: 0 },
      { name: "picture", duration: 1 },
      { name: "mask", duration: 0 },
    ] as const;
    const { made, shown } = course(brief, frame, regular(frame));
    expect(shown).toEqual(["picture", "choice"]);
    expect(made.lasted).toEqual({ picture: expect.closeTo(frame, 6) });
  });

  it("has nothing to wait for where there are no steps", () => {
    expect(course([], 16, regular(16)).shown).toEqual(["choice"]);
  });
});

it("takes the middle of durations", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBe(0);
});

it("gives each category a key of its own, and a grid that is nearly square", () => {
  const names = Array.from({ length: 36 }, (_, place) => `c${place}`);
  expect(new Set(keysOf(names)).size).toBe(36);
  expect(keysOf(names).every((key) => key.length === 1)).toBe(true);
  expect([2, 3, 4, 9, 16, 36].map((count) => columnsOf(count, false))).toEqual([2, 3, 2, 3, 4, 6]);
  expect([2, 3, 4, 9, 16, 36].map((count) => columnsOf(count, true))).toEqual([1, 1, 2, 3, 4, 4]);
});

const trial = (kind: SessionTrial["kind"], block: number): SessionTrial => ({ kind, block, mask: 0, word: "" });
const session = (done: number): Session => ({
  code: "subject-01",
  label: false,
  timing: { fixation: 300, presentation: 200, mask: 200, choice: 1500 },
  size: 256,
  categories: ["cat", "dog"],
  trials: [trial("practice", 0), trial("trial", 1), trial("check", 1), trial("trial", 2)],
  done,
});
const shape = (done: number) => orderOf(session(done)).map((entry) => ("trial" in entry ? entry.trial : entry.page));

describe("the order of pages and trials", () => {
  it("begins with what is recorded, practises, breaks and ends", () => {
    expect(shape(0)).toEqual(["welcome", "practice", 0, "begin", 1, 2, "rest", 3, "end"]);
    expect(orderOf(session(0))).toContainEqual({ page: "rest", blocks: 1 });
  });
  it("goes on where it was left", () => {
    expect(shape(1)).toEqual(["back", 1, 2, "rest", 3, "end"]);
    expect(shape(2)).toEqual(["back", 2, "rest", 3, "end"]);
    expect(shape(3)).toEqual(["back", 3, "end"]);
    expect(shape(4)).toEqual(["end"]);
  });
  it("says how long it takes", () => {
    const long = { ...session(0), trials: Array.from({ length: 1280 }, () => trial("trial", 1)) };
    expect(minutes(long)).toBe(49); // 2.3 s each
    expect(minutes({ ...long, done: 1279 })).toBe(1);
  });
});
