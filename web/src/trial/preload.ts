/** Pictures on their way before they are needed: a trial must not wait for the network while it is being watched. */

import { element } from "./element";
import type { Look } from "./forcedchoice";
import { fetchPicture, type Session } from "./session";

const AHEAD = 6;

export class Preload {
  #pictures = new Map<number, Promise<ImageBitmap>>();
  #masks = new Map<number, Promise<ImageBitmap>>();

  constructor(private readonly session: Session) {}

  /** What a trial shows, drawn; begins to fetch what the next ones show. */
  async look(place: number): Promise<Look> {
    const { trials, label, timing } = this.session;
    for (const old of this.#pictures.keys()) if (old < place) this.#pictures.delete(old);
    for (let next = place; next < Math.min(place + AHEAD, trials.length); next += 1) {
      if (trials[next]?.kind === "check") continue;
      this.#picture(next);
      if (!label && timing.mask) this.#mask(trials[next]?.mask ?? 0);
    }
    const trial = trials[place];
    if (!trial || trial.kind === "check") return { picture: null, mask: null };
    const picture = drawn(await this.#picture(place), "picture");
    const mask = label || !timing.mask ? null : drawn(await this.#mask(trial.mask), "mask");
    return { picture, mask };
  }

  #picture(place: number): Promise<ImageBitmap> {
    return kept(this.#pictures, place, () => fetchPicture(`./api/pictures/${place}`));
  }

  #mask(number: number): Promise<ImageBitmap> {
    return kept(this.#masks, number, () => fetchPicture(`./api/masks/${number}`));
  }
}

/** The same promise for the same number; one that failed is made anew when it is asked for again. */
function kept(
  held: Map<number, Promise<ImageBitmap>>,
  key: number,
  make: () => Promise<ImageBitmap>,
): Promise<ImageBitmap> {
  const before = held.get(key);
  if (before) return before;
  const made = make();
  held.set(key, made);
  made.catch(() => held.delete(key));
  return made;
}

/** On a canvas of its own, so that showing it is one change of style and needs no decoding. */
function drawn(bitmap: ImageBitmap, className: string): HTMLCanvasElement {
  const canvas = element("canvas", { className, width: bitmap.width, height: bitmap.height, ariaHidden: "true" });
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  return canvas;
}
