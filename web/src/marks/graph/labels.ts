/** Where words stand on arrows, for every renderer: in the middle of their line, or by its side or further along where something stands. */
import { HEADER, type Placed, type Visible } from "../../layout/types";
import { plain } from "../format";
import type { Rect as Area } from "./camera";
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
/** Half of what is kept free around a border. */
const BORDER = 1;
/** How far the sheets of a stack look out to the right and below. */
const STACK = 6;

export function labelOf(picture: Picture, arrow: number): Label | null {
  const { visible } = picture;
  if (!picture.labelled[arrow]) return null;
  const text = plain(picture.words.label(arrow));
  const framed = (visible.frame[visible.target[arrow] as number] as number) >= 0;
  return { text, ...spotOf(picture, arrow), right: visible.back[arrow] === 1, framed };
}

/** Whether the words on an arrow may reach into a part of the drawing. */
export function labelIn(picture: Picture, arrow: number, area: Area): boolean {
  const { x, y } = spotOf(picture, arrow);
  return (
    x >= area.x - LABEL_MOST &&
    x <= area.x + area.width + LABEL_MOST &&
    y >= area.y - LABEL_HEIGHT &&
    y <= area.y + area.height + LABEL_HEIGHT
  );
}

function spotOf({ visible, placed, finding: { labels } }: Picture, arrow: number): { x: number; y: number } {
  if (visible.back[arrow]) return besideOf(placed, arrow);
  const [x, y] = [labels[2 * arrow] as number, labels[2 * arrow + 1] as number];
  if (Number.isFinite(x)) return { x, y };
  const middle = pointAt(rounded(lineOf(placed, arrow)), 0.5);
  labels.set(middle, 2 * arrow);
  return { x: middle[0], y: middle[1] };
}

/** Beside its outermost part: in its middle it would cover the box that a line fed back leads around. */
function besideOf(placed: Placed, arrow: number): { x: number; y: number } {
  const line = lineOf(placed, arrow);
  let at = 0;
  for (let corner = 2; corner < line.length; corner += 2)
    if ((line[corner] as number) <= (line[at] as number)) at = corner;
  const before = Math.max(0, at - 2);
  return { x: (line[at] as number) - 6, y: ((line[before + 1] as number) + (line[at + 1] as number)) / 2 };
}

/**
 * Middles of the words on arrows, x and y in turns, where they cover least of boxes, of frames' titles and borders, and of
 * words that were placed before; where there are too many to tell apart no numbers, each to be filled in when it is first seen.
 */
export function labelPoints(visible: Visible, placed: Placed, labelled: Uint8Array): Float32Array {
  let count = 0;
  for (const letters of labelled) count += Number(letters > 0);
  const points = new Float32Array(count > 0 ? 2 * labelled.length : 0);
  if (count > MOST_APART) points.fill(Number.NaN);
  if (count === 0 || count > MOST_APART) return points;
  const taken = takenBy(visible, placed);
  for (let arrow = 0; arrow < labelled.length; arrow++) {
    const letters = labelled[arrow] as number;
    if (letters === 0 || visible.back[arrow]) continue;
    const line = rounded(lineOf(placed, arrow));
    const half = Math.min(LABEL_MOST, letters * LETTER) / 2 + 2;
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
        points.set([x, y], 2 * arrow);
      }
    }
    taken.add(best);
  }
  return points;
}

/** Closed boxes whole; of frames the title and the borders, through which lines pass. */
function takenBy(visible: Visible, placed: Placed): Taken {
  const taken = new Taken();
  for (let box = 0; box < visible.ids.length; box++) {
    const [left, top] = [placed.x[box] as number, placed.y[box] as number];
    const [right, bottom] = [left + (placed.width[box] as number), top + (placed.height[box] as number)];
    const stack = (visible.times[box] as number) > 1 ? STACK : 0;
    if (!visible.open[box]) {
      taken.add([left, top, right + stack, bottom + stack]);
      continue;
    }
    taken.add([left, top - BORDER, right, top + HEADER]);
    taken.add([left, bottom - BORDER, right + stack, bottom + stack + BORDER]);
    for (const side of [left, right]) taken.add([side - BORDER, top + HEADER, side + BORDER, bottom - BORDER]);
  }
  return taken;
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
