/** Strokes of arrows in runs, each made when it is first drawn: of a large graph most of them never are. */
import type { Placed } from "../../layout/types";
import type { Rect } from "./camera";
import type { Picture } from "./picture";
import { addArrow, type Line, type OldLine, Strokes } from "./strokes";
import type { Transition } from "./transition";

const ARROWS = 16;

/** Left, upper, right and lower end of each run; with `oldLine`, of all the way from where its lines were. */
export function runBoundsOf({ start, points }: Placed, oldLine: OldLine | null): Float32Array {
  const arrows = start.length - 1;
  const bounds = new Float32Array(4 * Math.ceil(arrows / ARROWS));
  for (let run = 0; 4 * run < bounds.length; run++) {
    const last = Math.min(arrows, (run + 1) * ARROWS);
    bounds.set([Infinity, Infinity, -Infinity, -Infinity], 4 * run);
    reach(bounds, run, points, 2 * (start[run * ARROWS] as number), 2 * (start[last] as number));
    for (let arrow = run * ARROWS; oldLine && arrow < last; arrow++) {
      const was = oldLine(arrow);
      if (was) reach(bounds, run, was, 0, was.length);
    }
  }
  return bounds;
}

function reach(bounds: Float32Array, run: number, points: Float32Array | Line, first: number, last: number): void {
  let [left, top] = [bounds[4 * run] as number, bounds[4 * run + 1] as number];
  let [right, bottom] = [bounds[4 * run + 2] as number, bounds[4 * run + 3] as number];
  for (let at = first; at < last; at += 2) {
    const [x, y] = [points[at] as number, points[at + 1] as number];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  bounds[4 * run] = left;
  bounds[4 * run + 1] = top;
  bounds[4 * run + 2] = right;
  bounds[4 * run + 3] = bottom;
}

export class Runs {
  readonly count: number;
  readonly #picture: Picture;
  readonly #oldLine: OldLine | null;
  readonly #atRest: Float32Array;
  readonly #moving: Float32Array;
  readonly #made: (Strokes | undefined)[];

  constructor(picture: Picture, from: Pick<Transition, "line" | "runs"> | null) {
    this.#picture = picture;
    this.#oldLine = from?.line ?? null;
    this.#atRest = picture.finding.runs;
    this.#moving = from?.runs ?? this.#atRest;
    this.count = this.#atRest.length / 4;
    this.#made = new Array(this.count);
  }

  /** `share` of its way is what a line has gone: at 1 it is where it stays. */
  touches(run: number, rect: Rect, share = 1): boolean {
    const bounds = share < 1 ? this.#moving : this.#atRest;
    return (
      (bounds[4 * run] as number) <= rect.x + rect.width &&
      (bounds[4 * run + 2] as number) >= rect.x &&
      (bounds[4 * run + 1] as number) <= rect.y + rect.height &&
      (bounds[4 * run + 3] as number) >= rect.y
    );
  }

  strokes(run: number): Strokes {
    const made = this.#made[run];
    if (made) return made;
    const { visible, placed } = this.#picture;
    const strokes = new Strokes(4 * ARROWS);
    const last = Math.min(visible.source.length, (run + 1) * ARROWS);
    for (let arrow = run * ARROWS; arrow < last; arrow++) addArrow(strokes, visible, placed, arrow, this.#oldLine);
    this.#made[run] = strokes;
    return strokes;
  }
}
