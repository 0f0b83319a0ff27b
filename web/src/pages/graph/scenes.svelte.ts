/** Pictures of one graph as they are asked for: the newest question counts, and the last answer stands until the next one comes. */
import { WorkClient } from "../../layout/client";
import type { Folding } from "../../layout/fold";
import type { GraphModel } from "../../layout/model";
import { paletteOf } from "../../marks/graph/palette";
import type { Picture } from "../../marks/graph/picture";
import { columnsOf, type DrawingColumns } from "./columns";
import { wordsOn } from "./compose";
import type { Measure } from "./measures";
import { type Scene, type SceneAsk, SceneMaker } from "./scene";
import { startWorker } from "./start";

/** Milliseconds after which what was clicked is shown to be at work, and after which it is said. */
const SOON = 50;
const SLOW = 250;

/** All that a picture follows from. */
export interface Wanted
  extends Folding,
    Pick<SceneAsk, "shown" | "sized" | "pictured" | "shapes" | "reaches" | "dark" | "changes"> {
  readonly measure: Measure;
}

export class Scenes {
  stood = $state.raw<{ readonly scene: Scene; readonly picture: Picture } | null>(null);
  /** Whether an answer is a while in coming. */
  waiting = $state(false);
  /** Id of the module that is being folded or unfolded, once that takes more than a moment. */
  turning = $state<number | null>(null);
  problem = $state("");
  readonly #model: GraphModel;
  readonly #client: WorkClient<DrawingColumns, SceneAsk, Scene>;
  #stopper: AbortController | null = null;
  #asks = 0;
  /** What the picture that stands was folded by. */
  #folded: Pick<Folding, "opened" | "once"> | null = null;

  constructor(model: GraphModel) {
    this.#model = model;
    this.#client = new WorkClient(columnsOf(model), (columns) => new SceneMaker(columns), startWorker);
  }

  /** `keep` is the module that was turned last, `card` whether a graphics card draws. A newer question drops the older one. */
  async draw(wanted: Wanted, keep: number | null, card: boolean): Promise<void> {
    this.#stopper?.abort();
    const mine = new AbortController();
    this.#stopper = mine;
    // Other colours fold nothing: what was turned last is not at work.
    const same = wanted.opened === this.#folded?.opened && wanted.once === this.#folded.once;
    const timers = [
      setTimeout(() => {
        this.turning = same ? null : keep;
      }, SOON),
      setTimeout(() => {
        this.waiting = true;
      }, SLOW),
    ];
    try {
      const scene = await this.#client.make(this.#askOf(wanted, card), { signal: mine.signal });
      if (this.#stopper !== mine) return;
      this.problem = "";
      const words = wordsOn({ ...wanted, model: this.#model }, scene.visible);
      this.stood = { scene, picture: { ...scene, words } };
      this.#folded = wanted;
    } catch (error) {
      if (!mine.signal.aborted && this.#stopper === mine)
        this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      if (this.#stopper === mine) [this.waiting, this.turning] = [false, null];
    }
  }

  #askOf({ measure, ...wanted }: Wanted, card: boolean): SceneAsk {
    const palette = paletteOf(document.documentElement, wanted.dark);
    return {
      ...wanted,
      number: ++this.#asks,
      from: this.stood?.scene.number ?? null,
      measure: measure.id,
      card,
      density: Math.min(2, devicePixelRatio || 1),
      ground: palette.ground,
      plain: palette.lineStrong,
    };
  }

  /** The box that is a call, holds it or stands for it; -1 where there is none. */
  boxOf(id: number): number {
    return this.stood?.scene.box[this.#model.place(id)] ?? -1;
  }

  cancel(): void {
    this.#stopper?.abort();
    [this.waiting, this.turning] = [false, null];
  }

  dispose(): void {
    this.#stopper?.abort();
    this.#client.dispose();
  }
}
