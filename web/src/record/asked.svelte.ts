/** A question to the model at hand: waiting, running with what there is so far, ready, stopped by hand, or failed. */
import type { AnswerFile } from "./answer";
import type { Parameters, RecordSource } from "./source";

export type AskedStatus = "waiting" | "running" | "ready" | "stopped" | "failed";

export class Asked<Said extends object> {
  status = $state<AskedStatus>("waiting");
  /** The answer, or what there is of it so far. */
  file = $state.raw<AnswerFile<Said> | null>(null);
  problem = $state("");
  /** Milliseconds since it was asked, as of the last part. */
  elapsed = $state(0);
  readonly #controller = new AbortController();

  constructor(source: RecordSource, question: string, parameters: Parameters) {
    void this.#run(source, question, parameters);
  }

  get going(): boolean {
    return this.status === "waiting" || this.status === "running";
  }

  /** Lets the model stop; what there is stays. */
  stop(): void {
    if (!this.going) return;
    this.status = "stopped";
    this.#controller.abort();
  }

  async #run(source: RecordSource, question: string, parameters: Parameters): Promise<void> {
    const begun = performance.now();
    const take = (file: AnswerFile<Said>, status: AskedStatus) => {
      if (!this.going) return;
      this.file = file;
      this.status = status;
      this.elapsed = performance.now() - begun;
    };
    try {
      const { signal } = this.#controller;
      const onPartial = (file: AnswerFile<Said>) => take(file, "running");
      take(await source.ask<Said>(question, parameters, { signal, onPartial }), "ready");
    } catch (error) {
      if (!this.going) return;
      this.problem = error instanceof Error ? error.message : String(error);
      this.status = "failed";
    }
  }
}
