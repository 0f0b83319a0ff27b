/**
 * What is shown in which frame. A change made while a frame is prepared is seen with that frame, so the difference of two
 * frames' times is how long something really stood on the screen, but for the same delay at both ends.
 */

export interface Step {
  readonly name: "fixation" | "picture" | "mask";
  /** ms that it should last. */
  readonly duration: number;
}

export type Shown = Step["name"] | "choice";

/** A frame that comes so much later than the one before has missed its turn. */
const LATE = 1.5;

export class Steps {
  /** ms that each step really lasted. */
  readonly lasted: Partial<Record<Step["name"], number>> = {};
  /** Frames that were missed so far. */
  dropped = 0;
  #place = 0;
  #since: number | null = null;
  #last: number | null = null;

  /**
   * @param steps in order; those of no duration are left out.
   * @param frame ms between two frames of this screen.
   */
  constructor(
    private readonly steps: readonly Step[],
    private readonly frame: number,
  ) {
    this.steps = steps.filter((step) => step.duration > 0);
  }

  /** What to show in the frame at this time; "choice" when all steps are over. Each step is shown for one frame at least. */
  at(now: number): Shown {
    if (this.#last !== null && now - this.#last > LATE * this.frame)
      this.dropped += Math.round((now - this.#last) / this.frame) - 1;
    this.#last = now;
    const step = this.steps[this.#place];
    if (!step) return "choice";
    if (this.#since === null) {
      this.#since = now;
      return step.name;
    }
    // Half a frame early rather than half a frame late: the nearest whole number of frames.
    if (now - this.#since < step.duration - this.frame / 2) return step.name;
    this.lasted[step.name] = now - this.#since;
    this.#since = now;
    this.#place += 1;
    return this.steps[this.#place]?.name ?? "choice";
  }
}

/** Median ms between two frames of this screen. */
export function measureFrame(frames = 30): Promise<number> {
  return new Promise((found) => {
    const times: number[] = [];
    const tick = (now: number) => {
      times.push(now);
      if (times.length <= frames) requestAnimationFrame(tick);
      else found(median(times.slice(1).map((time, place) => time - (times[place] ?? time))));
    };
    requestAnimationFrame(tick);
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}
