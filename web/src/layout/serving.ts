/** The worker's side: one question at a time, the newest, stopped when asked to. */
import { type Answer, buffersOf, type Maker, type Request } from "./messages";
import { sliced, turn } from "./slices";

const STRETCH = 12;

/** What of a worker's own scope is used. */
export interface Scope<Model, Ask, Done> {
  onmessage: ((event: MessageEvent<Request<Model, Ask>>) => void) | null;
  postMessage(answer: Answer<Done>, transfer?: Transferable[]): void;
}

export function serve<Model, Ask, Done>(
  scope: Scope<Model, Ask, Done>,
  makerOf: (model: Model) => Maker<Ask, Done>,
): void {
  let maker: Maker<Ask, Done> | null = null;
  let current = -1;

  async function answer(id: number, ask: Ask): Promise<void> {
    current = id;
    try {
      if (!maker) throw new Error("The worker was asked before it was told the model.");
      const done = await sliced(maker.make(ask), { stretch: STRETCH, pause: turn, stopped: () => current !== id });
      if (done !== undefined) scope.postMessage({ kind: "done", id, done }, [...buffersOf(done)]);
      else scope.postMessage({ kind: "stopped", id });
    } catch (error) {
      scope.postMessage({ kind: "failed", id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  scope.onmessage = ({ data }) => {
    if (data.kind === "model") maker = makerOf(data.model);
    else if (data.kind === "ask") void answer(data.id, data.ask);
    else if (current === data.id) current = -1;
  };
  scope.postMessage({ kind: "ready" });
}
