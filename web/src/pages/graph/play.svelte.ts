/** One example on its way through the graph: which boxes it has passed, and which it is at. */
import { Light } from "../../marks/graph/picture";

const PACE = 600;
export const SPEEDS = [1, 2, 4, 8] as const;

export class Play {
  /** Ids of the boxes in order of execution; empty while nothing plays. */
  steps = $state.raw<readonly number[]>([]);
  at = $state(-1);
  running = $state(false);
  speed = $state(1);
  #timer = 0;

  get on(): boolean {
    return this.steps.length > 0;
  }

  get now(): number | null {
    return this.steps[this.at] ?? null;
  }

  /** How strongly each box stands out, by id. */
  get lights(): ReadonlyMap<number, number> {
    return new Map(
      this.steps.map((id, index) => [id, index < this.at ? Light.lit : index === this.at ? Light.now : Light.dim]),
    );
  }

  start(steps: readonly number[]): void {
    this.steps = steps;
    this.at = 0;
    this.resume();
  }

  resume(): void {
    if (this.at >= this.steps.length - 1) this.at = 0;
    this.running = true;
    this.#wait();
  }

  pause(): void {
    this.running = false;
    clearTimeout(this.#timer);
  }

  step(by: 1 | -1): void {
    this.pause();
    this.at = Math.min(this.steps.length - 1, Math.max(0, this.at + by));
  }

  stop(): void {
    this.pause();
    this.steps = [];
    this.at = -1;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (!this.running) return;
      if (this.at >= this.steps.length - 1) return this.pause();
      this.at += 1;
      this.#wait();
    }, PACE / this.speed);
  }
}
