/** What is made of a model, on request: in a worker where one can start, else on the page in slices. The newest request counts. */
import type { Answer, Maker, Request } from "./messages";
import { frame, sliced } from "./slices";

/** What of a worker is used. */
export type WorkerLike = Pick<Worker, "postMessage" | "terminate" | "onmessage" | "onerror">;

interface Pending<Ask, Done> {
  readonly id: number;
  readonly ask: Ask;
  readonly resolve: (done: Done) => void;
  readonly reject: (reason: unknown) => void;
}

/** Milliseconds that a worker may take to begin, and to let go of what was stopped. */
const BEGINS = 5000;
const LETS_GO = 1500;
const STRETCH = 8;

export class WorkClient<Model, Ask, Done> {
  #worker: WorkerLike | null = null;
  #ready = false;
  #without = false;
  #pending: Pending<Ask, Done> | null = null;
  #holding = new Set<number>();
  #begins: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  #maker: Maker<Ask, Done> | null = null;

  /**
   * `start` makes a worker; where it throws, or the worker never begins, all is made on the page by what `makerOf` gives.
   * A worker is told `model` before all else: it must be plain and hold no more than can cross to it.
   */
  constructor(
    private readonly model: Model,
    private readonly makerOf: (model: Model) => Maker<Ask, Done>,
    private readonly start: () => WorkerLike,
    private readonly patience = { begins: BEGINS, letsGo: LETS_GO },
  ) {}

  /** Where all is made, as far as it is known. */
  get where(): "worker" | "page" | "unknown" {
    return this.#without ? "page" : this.#ready ? "worker" : "unknown";
  }

  /**
   * Rejects with an AbortError where a newer request came, `signal` was aborted or the client disposed of. What is asked is
   * copied: it stays the caller's.
   */
  make(ask: Ask, { signal }: { signal?: AbortSignal } = {}): Promise<Done> {
    this.#abort();
    if (signal?.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const pending = { id: ++this.#last, ask, resolve, reject };
      this.#pending = pending;
      signal?.addEventListener("abort", () => this.#pending === pending && this.#abort(), { once: true });
      this.#begin(pending);
    });
  }

  /** Ends the worker. */
  dispose(): void {
    this.#abort();
    this.#end();
  }

  #begin(pending: Pending<Ask, Done>): void {
    if (!this.#without && !this.#worker) this.#open();
    if (this.#worker) {
      this.#holding.add(pending.id);
      this.#say({ kind: "ask", id: pending.id, ask: pending.ask });
    } else void this.#makeHere(pending);
  }

  #open(): void {
    try {
      const worker = this.start();
      this.#worker = worker;
      worker.onmessage = ({ data }) => this.#worker === worker && this.#hear(data as Answer<Done>);
      worker.onerror = (event) => {
        event.preventDefault?.();
        if (this.#worker === worker) this.#goWithout();
      };
      this.#say({ kind: "model", model: this.model });
      this.#begins = setTimeout(() => this.#goWithout(), this.patience.begins);
    } catch {
      // The policy or the browser allows none: the page does it.
      this.#without = true;
    }
  }

  #hear(answer: Answer<Done>): void {
    if (answer.kind === "ready") {
      this.#ready = true;
      clearTimeout(this.#begins);
      return;
    }
    this.#holding.delete(answer.id);
    const pending = this.#pending;
    if (pending?.id !== answer.id || answer.kind === "stopped") return;
    this.#pending = null;
    if (answer.kind === "done") pending.resolve(answer.done);
    else pending.reject(new Error(answer.message));
  }

  /** What waits for the worker is begun again on the page. */
  #goWithout(): void {
    this.#end();
    this.#without = true;
    if (this.#pending) void this.#makeHere(this.#pending);
  }

  async #makeHere(pending: Pending<Ask, Done>): Promise<void> {
    try {
      this.#maker ??= this.makerOf(this.model);
      const work = this.#maker.make(pending.ask);
      const stopped = () => this.#pending !== pending;
      const done = await sliced(work, { stretch: STRETCH, pause: frame, stopped });
      if (done === undefined || stopped()) return;
      this.#pending = null;
      pending.resolve(done);
    } catch (error) {
      if (this.#pending === pending) this.#pending = null;
      pending.reject(error);
    }
  }

  #abort(): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#pending = null;
    pending.reject(aborted());
    const worker = this.#worker;
    if (!worker) return;
    this.#say({ kind: "stop", id: pending.id });
    // A worker that does not let go is ended; what waits then is given to a new one.
    setTimeout(() => {
      if (this.#worker !== worker || !this.#ready || !this.#holding.has(pending.id)) return;
      this.#end();
      if (this.#pending) this.#begin(this.#pending);
    }, this.patience.letsGo);
  }

  #say(request: Request<Model, Ask>): void {
    this.#worker?.postMessage(request);
  }

  #end(): void {
    clearTimeout(this.#begins);
    this.#worker?.terminate();
    this.#worker = null;
    this.#ready = false;
    this.#holding.clear();
  }
}

function aborted(): DOMException {
  return new DOMException("The answer is no longer wanted.", "AbortError");
}
