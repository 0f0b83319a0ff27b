/** Where words stand on arrows, for every renderer: in the middle of their line, or by its side or further along where something stands. */
import { plain } from "../format";
import type { Picture } from "./picture";
import { lineOf, pointAt, rounded } from "./strokes";

export interface Label {
  readonly text: string;
  /** Middle of the label, in the drawing; its right end where `right`. */
  readonly x: number;
  readonly y: number;
  readonly right: boolean;
  /** Whether it stands in a frame, on the frame's ground. */
  readonly framed: boolean;
}

export const LABEL_HEIGHT = 14;
export const LABEL_MOST = 120;

/** Shares of a line's length, and of half the words' width beside it, those preferred first. */
const SHARES = [0.5, 0.65, 0.35, 0.8];
const SIDES = [0, 0.5, -0.5, 1, -1];
/** Of more labels each stands in the middle of its line: from where they can be read, few are in view. */
const MOST_APART = 6000;
/** A letter, at the widest that fonts have them at this size. */
const LETTER = 7.9;
const CELL = 96;

/** Middle of a label. */
type Point = readonly [number, number];
const settled = new WeakMap<Picture, ReadonlyMap<number, Point>>();

export function labelOf(picture: Picture, arrow: number): Label | null {
  const text = picture.labels.get(arrow);
  if (!text) return null;
  const framed = (picture.visible.frame[picture.visible.target[arrow] as number] as number) >= 0;
  if (picture.visible.back[arrow]) return { text: plain(text), ...besideOf(picture, arrow), right: true, framed };
  let points = settled.get(picture);
  if (!points) {
    points = picture.labels.size > MOST_APART ? new Map() : apart(picture);
    settled.set(picture, points);
  }
  const [x, y] = points.get(arrow) ?? pointAt(rounded(lineOf(picture.placed, arrow)), 0.5);
  return { text: plain(text), x, y, right: false, framed };
}

/** Beside its outermost part: in its middle it would cover the box that a line fed back leads around. */
function besideOf({ placed }: Picture, arrow: number): { x: number; y: number } {
  const line = lineOf(placed, arrow);
  let at = 0;
  for (let corner = 2; corner < line.length; corner += 2)
    if ((line[corner] as number) <= (line[at] as number)) at = corner;
  const before = Math.max(0, at - 2);
  return { x: (line[at] as number) - 6, y: ((line[before + 1] as number) + (line[at + 1] as number)) / 2 };
}

/** By arrow, where its words cover least of boxes and of words that were placed before. */
function apart(picture: Picture): ReadonlyMap<number, Point> {
  const { visible, placed, labels } = picture;
  const taken = new Taken();
  for (let box = 0; box < visible.ids.length; box++) {
    if (visible.open[box]) continue;
    const [x, y] = [placed.x[box] as number, placed.y[box] as number];
    taken.add([x, y, x + (placed.width[box] as number), y + (placed.height[box] as number)]);
  }
  const points = new Map<number, Point>();
  for (const [arrow, text] of labels) {
    if (visible.back[arrow]) continue;
    const line = rounded(lineOf(placed, arrow));
    const half = Math.min(LABEL_MOST, text.length * LETTER) / 2 + 2;
    let least = Number.POSITIVE_INFINITY;
    let best: Rect = [0, 0, 0, 0];
    for (const share of SHARES) {
      const [middle, y] = pointAt(line, share);
      for (const side of SIDES) {
        const x = middle + side * half;
        const rect: Rect = [x - half, y - LABEL_HEIGHT / 2, x + half, y + LABEL_HEIGHT / 2];
        const covered = least > 0 ? taken.covered(rect) : least;
        if (covered >= least) continue;
        [least, best] = [covered, rect];
        points.set(arrow, [x, y]);
      }
    }
    taken.add(best);
  }
  return points;
}

/** Left, upper, right and lower end. */
type Rect = readonly [number, number, number, number];

/** What is taken of the drawing, by cells of a grid. */
class Taken {
  readonly #cells = new Map<number, Rect[]>();

  add(rect: Rect): void {
    for (const cell of cellsOf(rect)) {
      const held = this.#cells.get(cell);
      if (held) held.push(rect);
      else this.#cells.set(cell, [rect]);
    }
  }

  covered(rect: Rect): number {
    let area = 0;
    for (const cell of cellsOf(rect)) {
      for (const [left, top, right, bottom] of this.#cells.get(cell) ?? []) {
        const across = Math.min(right, rect[2]) - Math.max(left, rect[0]);
        const down = Math.min(bottom, rect[3]) - Math.max(top, rect[1]);
        if (across > 0 && down > 0) area += across * down;
      }
    }
    return area;
  }
}

function cellsOf([left, top, right, bottom]: Rect): number[] {
  const cells: number[] = [];
  for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++)
    for (let column = Math.floor(left / CELL); column <= Math.floor(right / CELL); column++)
      cells.push(row * 65_536 + column);
  return cells;
}
