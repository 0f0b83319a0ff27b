/**
 * The answer to a question that changes with the selection. While the next one is on its way the last one stays, with what it
 * is the answer to; what changes meanwhile is asked once, when that has come: a hand that drags does not fill a queue.
 */
export class Following<Key, Answer> {
  value = $state.raw<Answer | null>(null);
  /** What `value` is the answer to. */
  key = $state.raw<Key | null>(null);
  /** A newer answer than the one at hand is on its way. */
  waiting = $state(true);
  problem = $state("");
  readonly #ask: (key: Key) => Promise<Answer>;
  #wanted: Key | null = null;
  #asking = false;

  /** What `key` reads is followed; null asks nothing. Called where effects can be made. */
  constructor(key: () => Key | null, ask: (key: Key) => Promise<Answer>) {
    this.#ask = ask;
    let before = "";
    $effect(() => {
      const wanted = key();
      // An address changes for much that is no part of the question.
      const written = JSON.stringify(wanted);
      if (written === before) return;
      before = written;
      this.#wanted = wanted;
      if (this.#wanted !== null && !this.#asking) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#asking = true;
    this.waiting = true;
    let asked: Key | null = null;
    while (this.#wanted !== null && this.#wanted !== asked) {
      asked = this.#wanted;
      try {
        const value = await this.#ask(asked);
        // The last one that was asked for is shown even where a newer one is wanted: a hand that drags sees it move.
        this.value = value;
        this.key = asked;
        this.problem = "";
      } catch (error) {
        this.problem = error instanceof Error ? error.message : String(error);
      }
    }
    this.#asking = false;
    this.waiting = false;
  }
}
