/** Layouts on request: in a worker where one can start, else on the page in slices. The newest request is the one that counts. */
import { FrameCache } from "./framecache";
import { layOut } from "./layout";
import type { Answer, Request } from "./messages";
import { frame, sliced } from "./slices";
import { startWorker } from "./start";
import type { Placed, Visible } from "./types";

/** What of a worker is used. */
export type WorkerLike = Pick<Worker, "postMessage" | "terminate" | "onmessage" | "onerror">;

interface Pending {
  readonly id: number;
  readonly visible: Visible;
  readonly resolve: (placed: Placed) => void;
  readonly reject: (reason: unknown) => void;
}

/** Milliseconds that a worker may take to begin, and to let go of what was stopped. */
const BEGINS = 5000;
const LETS_GO = 1500;
const STRETCH = 8;

export class LayoutClient {
  #worker: WorkerLike | null = null;
  #ready = false;
  #without = false;
  #pending: Pending | null = null;
  #holding = new Set<number>();
  #begins: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  readonly #cache = new FrameCache();

  /** `start` makes a worker; where it throws, or the worker never begins, layouts are made on the page. */
  constructor(
    private readonly start: () => WorkerLike = startWorker,
    private readonly patience = { begins: BEGINS, letsGo: LETS_GO },
  ) {}

  /** Where layouts are made, as far as it is known. */
  get where(): "worker" | "page" | "unknown" {
    return this.#without ? "page" : this.#ready ? "worker" : "unknown";
  }

  /**
   * Rejects with an AbortError where a newer request came, `signal` was aborted or the client disposed of. The arrays of
   * `visible` are copied: they stay the caller's.
   */
  place(visible: Visible, { signal }: { signal?: AbortSignal } = {}): Promise<Placed> {
    this.#abort();
    if (signal?.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const pending = { id: ++this.#last, visible, resolve, reject };
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

  #begin(pending: Pending): void {
    if (!this.#without && !this.#worker) this.#open();
    if (this.#worker) {
      this.#holding.add(pending.id);
      this.#say({ kind: "place", id: pending.id, visible: columnsOf(pending.visible) });
    } else void this.#placeHere(pending);
  }

  #open(): void {
    try {
      const worker = this.start();
      this.#worker = worker;
      worker.onmessage = ({ data }) => this.#worker === worker && this.#hear(data as Answer);
      worker.onerror = (event) => {
        event.preventDefault?.();
        if (this.#worker === worker) this.#goWithout();
      };
      this.#begins = setTimeout(() => this.#goWithout(), this.patience.begins);
    } catch {
      // The policy or the browser allows none: the page does it.
      this.#without = true;
    }
  }

  #hear(answer: Answer): void {
    if (answer.kind === "ready") {
      this.#ready = true;
      clearTimeout(this.#begins);
      return;
    }
    this.#holding.delete(answer.id);
    const pending = this.#pending;
    if (pending?.id !== answer.id || answer.kind === "stopped") return;
    this.#pending = null;
    if (answer.kind === "placed") pending.resolve(answer.placed);
    else pending.reject(new Error(answer.message));
  }

  /** What waits for the worker is begun again on the page. */
  #goWithout(): void {
    this.#end();
    this.#without = true;
    if (this.#pending) void this.#placeHere(this.#pending);
  }

  async #placeHere(pending: Pending): Promise<void> {
    try {
      const work = layOut(pending.visible, this.#cache);
      const stopped = () => this.#pending !== pending;
      const placed = await sliced(work, { stretch: STRETCH, pause: frame, stopped });
      if (!placed || stopped()) return;
      this.#pending = null;
      pending.resolve(placed);
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

  #say(request: Request): void {
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

/** The columns alone: what else an object carries (a proxy of the page's state, functions) cannot cross to a worker. */
function columnsOf(visible: Visible): Visible {
  const { ids, frame, open, times, group, width, height } = visible;
  const { source, target, edge, weight, sourcePort, targetPort, back, label } = visible;
  return {
    ids,
    frame,
    open,
    times,
    group,
    width,
    height,
    source,
    target,
    edge,
    weight,
    sourcePort,
    targetPort,
    back,
    label,
  };
}

function aborted(): DOMException {
  return new DOMException("The layout is no longer wanted.", "AbortError");
}
