/** Which arrow is where: every straight part that is drawn, in runs that are passed over as a whole. */
import { type Placed, Route } from "../../layout/types";
import { boundsOf } from "./strokes";

const RUN = 64;

/** Ends of every part, x0 y0 x1 y1, the arrow that it belongs to, and the bounds of each run of them. */
export interface LineParts {
  readonly parts: Float32Array;
  readonly arrows: Uint32Array;
  readonly bounds: Float32Array;
}

export function partsOf(placed: Placed): LineParts {
  const arrows = placed.route.length;
  const parts = new Float32Array(2 * placed.points.length);
  const owners = new Uint32Array(placed.points.length / 2);
  let count = 0;
  for (let arrow = 0; arrow < arrows; arrow++) {
    const [first, end] = [placed.start[arrow] as number, placed.start[arrow + 1] as number];
    for (let corner = first; corner + 1 < end; corner++) {
      // Between its two stubs nothing of an arrow is drawn.
      if (placed.route[arrow] === Route.stub && corner !== first && corner + 2 !== end) continue;
      for (let at = 0; at < 4; at++) parts[4 * count + at] = placed.points[2 * corner + at] as number;
      owners[count++] = arrow;
    }
  }
  const taken = parts.subarray(0, 4 * count);
  return { parts: taken, arrows: owners.subarray(0, count), bounds: boundsOf(taken, count, 4, RUN) };
}

export class LinePlaces {
  readonly #parts: Float32Array;
  readonly #arrows: Uint32Array;
  readonly #bounds: Float32Array;

  constructor({ parts, arrows, bounds }: LineParts) {
    this.#parts = parts;
    this.#arrows = arrows;
    this.#bounds = bounds;
  }

  /** The arrow nearest to a point of the drawing, at most `reach` away; -1 where there is none. */
  at(x: number, y: number, reach: number): number {
    let [best, least] = [-1, reach];
    const bounds = this.#bounds;
    for (let run = 0; 4 * run < bounds.length; run++) {
      if (
        (bounds[4 * run] as number) > x + reach ||
        (bounds[4 * run + 2] as number) < x - reach ||
        (bounds[4 * run + 1] as number) > y + reach ||
        (bounds[4 * run + 3] as number) < y - reach
      )
        continue;
      for (let part = run * RUN; part < Math.min(this.#arrows.length, (run + 1) * RUN); part++) {
        const away = this.#away(part, x, y);
        if (away <= least) [best, least] = [this.#arrows[part] as number, away];
      }
    }
    return best;
  }

  #away(part: number, x: number, y: number): number {
    const [x0, y0] = [this.#parts[4 * part] as number, this.#parts[4 * part + 1] as number];
    const [dx, dy] = [(this.#parts[4 * part + 2] as number) - x0, (this.#parts[4 * part + 3] as number) - y0];
    const length = dx * dx + dy * dy;
    const along = length > 0 ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
    return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
  }
}
