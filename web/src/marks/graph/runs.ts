/** Strokes of arrows in runs, each made when it is first drawn: of a large graph most of them never are. */
import type { Rect } from "./camera";
import type { Picture } from "./picture";
import { addArrow, type Line, type OldLine, Strokes } from "./strokes";

const ARROWS = 16;

export class Runs {
  readonly count: number;
  readonly #picture: Picture;
  readonly #oldLine: OldLine | null;
  /** Left, upper, right and lower end of each run. */
  readonly #bounds: Float32Array;
  readonly #made: (Strokes | undefined)[];

  constructor(picture: Picture, oldLine: OldLine | null) {
    this.#picture = picture;
    this.#oldLine = oldLine;
    const { start, points } = picture.placed;
    const arrows = picture.visible.source.length;
    this.count = Math.ceil(arrows / ARROWS);
    this.#made = new Array(this.count);
    this.#bounds = new Float32Array(4 * this.count);
    for (let run = 0; run < this.count; run++) {
      const last = Math.min(arrows, (run + 1) * ARROWS);
      this.#bounds.set([Infinity, Infinity, -Infinity, -Infinity], 4 * run);
      this.#reach(run, points, 2 * (start[run * ARROWS] as number), 2 * (start[last] as number));
      // While the drawing moves, lines are in view that come from or go to where they are not.
      for (let arrow = run * ARROWS; oldLine && arrow < last; arrow++) {
        const was = oldLine(arrow);
        if (was) this.#reach(run, was, 0, was.length);
      }
    }
  }

  #reach(run: number, points: Float32Array | Line, first: number, last: number): void {
    let [left, top, right, bottom] = this.#bounds.subarray(4 * run, 4 * run + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    for (let at = first; at < last; at += 2) {
      const [x, y] = [points[at] as number, points[at + 1] as number];
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
    this.#bounds.set([left, top, right, bottom], 4 * run);
  }

  touches(run: number, rect: Rect): boolean {
    const bounds = this.#bounds;
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
