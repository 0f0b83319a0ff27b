/** What the Watch of this record saw, gathered once and continued while the run goes on. */
import { instrument } from "../../selection/instrument.svelte";
import { Training } from "./series";

class Watched {
  /** Counts up with every arrival, so that views know to draw again. */
  version = $state(0);
  status = $state<"loading" | "ready" | "absent" | "failed">("loading");
  problem = $state("");
  readonly training = new Training();
  #cursor = 0;
  #started = false;
  #waiting: Promise<void> = Promise.resolve();

  /** Asks for what was seen so far; later calls do nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#more();
    instrument.onChange((change) => {
      if (change.kind === "training") this.#more();
    });
  }

  #more(): void {
    // One after the other: two answers at once would both start from the same cursor.
    this.#waiting = this.#waiting.then(async () => {
      try {
        const part = await instrument.source.training(this.#cursor);
        if (part) {
          this.training.add(part.rows);
          this.#cursor = part.cursor;
        }
        this.status = this.training.lastStep >= 0 ? "ready" : "absent";
        this.version += 1;
      } catch (error) {
        this.status = "failed";
        this.problem = error instanceof Error ? error.message : String(error);
      }
    });
  }
}

export const watched = new Watched();
