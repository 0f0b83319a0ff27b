/**
 * Arrows as short straight strokes, for any renderer: corners rounded, heads tapered, stubs at both ends, each with the place
 * where it comes from while the drawing moves.
 */
import { type Placed, Route, type Visible } from "../../layout/types";
import { HEAD } from "./picture";

/** Numbers of one stroke: to (x0 y0 x1 y1), from (x0 y0 x1 y1), half widths at both ends, way from the arrow's start, kind. */
export const STROKE = 12;

/** The kind of a stroke; decides its colour, width and dashes. 8 is added where the arrow is new and fades in. */
export const Kind = { flow: 0, lane: 1, stub: 2, back: 3, hand: 4, value: 5, missing: 6 } as const;
export const APPEARS = 8;

const ROUND = 8;
const STEPS = 3;
/** Above so many arrows corners stay sharp: nobody sees them, and they would be half of all strokes. */
const MOST_ROUNDED = 20_000;
/** Half widths in units of the drawing; less than a pixel is drawn as a hairline. */
const HALF = [0.5, 0.6, 0.5, 0.7, 0.9] as const;

export class Strokes {
  numbers: Float32Array;
  count = 0;

  constructor(expected = 1024) {
    this.numbers = new Float32Array(expected * STROKE);
  }

  add(stroke: readonly number[]): void {
    if ((this.count + 1) * STROKE > this.numbers.length) {
      const larger = new Float32Array(2 * this.numbers.length);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers.set(stroke, this.count * STROKE);
    this.count += 1;
  }

  /** The same strokes, to add others to. */
  copy(): Strokes {
    const copy = new Strokes();
    if (this.count * STROKE > copy.numbers.length) copy.numbers = new Float32Array(this.numbers.length);
    copy.numbers.set(this.numbers.subarray(0, this.count * STROKE));
    copy.count = this.count;
    return copy;
  }
}

export type Line = number[];

/** Corners of an arrow, x and y in turns. */
export function lineOf({ points, start }: Pick<Placed, "points" | "start">, arrow: number): Line {
  const line: Line = [];
  const last = 2 * (start[arrow + 1] as number);
  for (let at = 2 * (start[arrow] as number); at < last; at++) line.push(points[at] as number);
  return line;
}

/** The same line with its corners rounded. */
export function rounded(line: Line): Line {
  const count = line.length / 2;
  if (count < 3) return line;
  const result = [line[0] as number, line[1] as number];
  for (let index = 1; index < count - 1; index++) {
    const [px, py] = [line[2 * index - 2] as number, line[2 * index - 1] as number];
    const [x, y] = [line[2 * index] as number, line[2 * index + 1] as number];
    const [nx, ny] = [line[2 * index + 2] as number, line[2 * index + 3] as number];
    const [before, after] = [Math.hypot(x - px, y - py), Math.hypot(nx - x, ny - y)];
    const radius = Math.min(ROUND, before / 2, after / 2);
    const straight = Math.abs((x - px) * (ny - y) - (y - py) * (nx - x)) < 0.02 * before * after;
    if (radius < 1 || straight) {
      result.push(x, y);
      continue;
    }
    const [ax, ay] = [x - ((x - px) / before) * radius, y - ((y - py) / before) * radius];
    const [bx, by] = [x + ((nx - x) / after) * radius, y + ((ny - y) / after) * radius];
    for (let step = 0; step <= STEPS; step++) {
      const t = step / STEPS;
      const [a, b, c] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
      result.push(a * ax + b * x + c * bx, a * ay + b * y + c * by);
    }
  }
  result.push(line[line.length - 2] as number, line[line.length - 1] as number);
  return result;
}

export function lengthOf(line: Line): number {
  let sum = 0;
  for (let at = 2; at < line.length; at += 2)
    sum += Math.hypot(
      (line[at] as number) - (line[at - 2] as number),
      (line[at + 1] as number) - (line[at - 1] as number),
    );
  return sum;
}

/** The part of a line between two ways along it. */
export function part(line: Line, from: number, to: number): Line {
  const result: Line = [];
  let way = 0;
  for (let at = 2; at < line.length; at += 2) {
    const [x0, y0] = [line[at - 2] as number, line[at - 1] as number];
    const [x1, y1] = [line[at] as number, line[at + 1] as number];
    const length = Math.hypot(x1 - x0, y1 - y0);
    const [low, high] = [Math.max(from, way), Math.min(to, way + length)];
    if (high > low && length > 0) {
      const put = (place: number) => {
        const share = (place - way) / length;
        result.push(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
      };
      if (result.length === 0) put(low);
      put(high);
    }
    way += length;
  }
  return result;
}

/** A point of the line at a share of its length. */
export function pointAt(line: Line, share: number): [number, number] {
  const wanted = share * lengthOf(line);
  let way = 0;
  for (let at = 2; at < line.length; at += 2) {
    const [x0, y0] = [line[at - 2] as number, line[at - 1] as number];
    const [x1, y1] = [line[at] as number, line[at + 1] as number];
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (way + length >= wanted && length > 0) {
      const along = (wanted - way) / length;
      return [x0 + (x1 - x0) * along, y0 + (y1 - y0) * along];
    }
    way += length;
  }
  return [line[line.length - 2] ?? 0, line[line.length - 1] ?? 0];
}

/** A whole line with a head at its end, as strokes of a kind; `old` is where the same arrow ran before. */
export function addLine(
  into: Strokes,
  line: Line,
  kind: number,
  old: Line | null,
  appears: boolean,
  headed = true,
): void {
  const total = lengthOf(line);
  if (line.length < 4 || total === 0) return;
  const half = HALF[kind] ?? 0.5;
  const tag = kind + (appears ? APPEARS : 0);
  const shaft = headed ? Math.max(0, total - HEAD + 1) : total;
  const before = old ? lengthOf(old) : 0;
  const pieces = headed
    ? [...segments(part(line, 0, shaft)), ...segments(part(line, total - Math.min(HEAD, total), total))]
    : segments(line);
  const body = headed ? segments(part(line, 0, shaft)).length : pieces.length;
  let way = 0;
  pieces.forEach((piece, index) => {
    const [x0, y0, x1, y1] = piece as [number, number, number, number];
    const length = Math.hypot(x1 - x0, y1 - y0);
    const head = index >= body;
    if (index === body) way = total - Math.min(HEAD, total);
    const from = old && before > 0 ? [...pointAt(old, way / total), ...pointAt(old, (way + length) / total)] : piece;
    const taper = (place: number) => Math.max(0, (HEAD / 2) * ((total - place) / Math.min(HEAD, total)));
    const widths = head ? [taper(way), taper(way + length)] : [half, half];
    into.add([x0, y0, x1, y1, ...from, ...widths, way, tag]);
    way += length;
  });
}

function segments(line: Line): Line[] {
  const result: Line[] = [];
  for (let at = 2; at < line.length; at += 2) result.push(line.slice(at - 2, at + 2));
  return result;
}

/** Where an arrow ran in the picture before; null where it is new. */
export type OldLine = (arrow: number) => Line | null;

/** Strokes of one arrow. */
export function addArrow(
  into: Strokes,
  visible: Visible,
  placed: Placed,
  arrow: number,
  oldLine: OldLine | null,
): void {
  const corners = lineOf(placed, arrow);
  const route = placed.route[arrow] as number;
  const was = oldLine ? oldLine(arrow) : null;
  const appears = oldLine !== null && was === null;
  if (route !== Route.stub) {
    const line = visible.source.length <= MOST_ROUNDED ? rounded(corners) : corners;
    addLine(into, line, visible.back[arrow] ? Kind.back : route, was, appears);
    return;
  }
  addLine(into, corners.slice(0, 4), Kind.stub, was ? was.slice(0, 4) : null, appears, false);
  addLine(into, corners.slice(-4), Kind.stub, was ? was.slice(-4) : null, appears);
}

/** Strokes of all arrows. */
export function strokesOf(visible: Visible, placed: Placed, oldLine: OldLine | null): Strokes {
  const strokes = new Strokes();
  for (let arrow = 0; arrow < visible.source.length; arrow++) addArrow(strokes, visible, placed, arrow, oldLine);
  return strokes;
}

/** Boxes around runs of strokes, so that those out of view are not drawn: x y right bottom, a run after the other. */
export function boundsOf(numbers: Float32Array, count: number, stride: number, run: number): Float32Array {
  const bounds = new Float32Array(4 * Math.ceil(count / run));
  for (let first = 0, at = 0; first < count; first += run, at += 4) {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let index = first; index < Math.min(count, first + run); index++) {
      for (let corner = 0; corner < 4; corner += 2) {
        const x = numbers[index * stride + corner] as number;
        const y = numbers[index * stride + corner + 1] as number;
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < top) top = y;
        if (y > bottom) bottom = y;
      }
    }
    bounds.set([left, top, right, bottom], at);
  }
  return bounds;
}
