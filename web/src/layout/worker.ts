/** The layout in a worker: one graph at a time, the newest, stopped when asked to. */
import { FrameCache } from "./framecache";
import { layOut } from "./layout";
import { type Answer, buffersOf, type Request } from "./messages";
import { sliced, turn } from "./slices";

const STRETCH = 12;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(answer: Answer, transfer?: Transferable[]): void;
};
const cache = new FrameCache();
let current = -1;

async function place(request: Extract<Request, { kind: "place" }>): Promise<void> {
  const { id, visible } = request;
  current = id;
  try {
    const work = layOut(visible, cache);
    const placed = await sliced(work, { stretch: STRETCH, pause: turn, stopped: () => current !== id });
    if (placed) scope.postMessage({ kind: "placed", id, placed }, buffersOf(placed));
    else scope.postMessage({ kind: "stopped", id });
  } catch (error) {
    scope.postMessage({ kind: "failed", id, message: error instanceof Error ? error.message : String(error) });
  }
}

scope.onmessage = ({ data }) => {
  if (data.kind === "place") void place(data);
  else if (current === data.id) current = -1;
};
scope.postMessage({ kind: "ready" });
