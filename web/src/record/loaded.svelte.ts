/** Something on its way: what a page shows while it waits, when it is there, when there is none, when it failed. */

export class Loaded<Value> {
  status = $state<"loading" | "ready" | "absent" | "failed">("loading");
  value = $state.raw<Value | null>(null);
  problem = $state("");
  readonly #start: () => Promise<Value | null>;
  #latest = 0;

  constructor(start: () => Promise<Value | null>) {
    this.#start = start;
    void this.#run();
  }

  /** Asks again; what is on screen stays until the answer is there. */
  reload(): Promise<void> {
    return this.#run();
  }

  async #run(): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    try {
      const value = await this.#start();
      if (mine !== this.#latest) return;
      this.value = value;
      this.status = value === null ? "absent" : "ready";
    } catch (error) {
      if (mine !== this.#latest) return;
      this.problem = error instanceof Error ? error.message : String(error);
      this.status = "failed";
    }
  }
}
