import { describe, expect, it } from "vitest";
import { flat, network } from "../../tests/support/graphs";
import { WorkClient, type WorkerLike } from "./client";
import { FrameCache } from "./framecache";
import { layOut } from "./layout";
import type * as messages from "./messages";
import { serve } from "./serving";
import type { Placed, Visible } from "./types";

function placed(visible: Visible): Placed {
  const work = layOut(visible, new FrameCache());
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}

type Answer = messages.Answer<Placed>;
type Request = messages.Request<string, Visible>;

/** Lays out what it is asked for; the model says nothing. */
const LAYING = (_model: string) => {
  const cache = new FrameCache();
  return { make: (visible: Visible) => layOut(visible, cache) };
};
const clientOf = (start: () => WorkerLike, patience?: { begins: number; letsGo: number }) =>
  new WorkClient<string, Visible, Placed>("model", LAYING, start, patience);

/** A worker that does what the test says, and keeps what it was told. */
class Hand implements WorkerLike {
  onmessage: Worker["onmessage"] = null;
  onerror: Worker["onerror"] = null;
  readonly told: Request[] = [];
  ended = false;

  postMessage(request: unknown): void {
    this.told.push(request as Request);
  }

  terminate(): void {
    this.ended = true;
  }

  say(answer: Answer): void {
    this.onmessage?.call(this as unknown as Worker, { data: answer } as MessageEvent);
  }

  break(): void {
    this.onerror?.call(this as unknown as Worker, { preventDefault() {} } as unknown as ErrorEvent);
  }
}

const GRAPH = flat(60, network(60));
const PATIENCE = { begins: 20, letsGo: 20 };
const REFUSED = () => {
  throw new Error("not allowed");
};

async function outcome(promise: Promise<Placed>): Promise<string> {
  try {
    await promise;
    return "placed";
  } catch (error) {
    return error instanceof DOMException ? error.name : String(error);
  }
}

function handed(patience = { begins: 60_000, letsGo: 60_000 }) {
  const workers: Hand[] = [];
  const client = clientOf(() => {
    const hand = new Hand();
    workers.push(hand);
    return hand;
  }, patience);
  return { client, workers, worker: (at = 0) => workers[at] as Hand };
}

describe("layouts in a worker", () => {
  it("come back from it", async () => {
    const { client, worker } = handed();
    const asked = client.make(GRAPH);
    worker().say({ kind: "ready" });
    expect(worker().told).toMatchObject([
      { kind: "model", model: "model" },
      { kind: "ask", id: 1 },
    ]);
    worker().say({ kind: "done", id: 1, done: placed(GRAPH) });
    expect((await asked).x).toEqual(placed(GRAPH).x);
    expect(client.where).toBe("worker");
    client.dispose();
    expect(worker().ended).toBe(true);
  });

  it("are given up for a newer request, whose own answer is the one that counts", async () => {
    const { client, worker } = handed();
    const older = outcome(client.make(GRAPH));
    worker().say({ kind: "ready" });
    const newer = client.make(GRAPH);
    expect(await older).toBe("AbortError");
    expect(worker().told.map((one) => ("id" in one ? `${one.kind} ${one.id}` : one.kind))).toEqual([
      "model",
      "ask 1",
      "stop 1",
      "ask 2",
    ]);
    const late = placed(GRAPH);
    worker().say({ kind: "done", id: 1, done: placed(flat(2, [[0, 1]])) });
    worker().say({ kind: "done", id: 2, done: late });
    expect(await newer).toBe(late);
    client.dispose();
  });

  it("are stopped by their signal and by the end of the client, and not begun where it was aborted before", async () => {
    const { client, worker, workers } = handed();
    const before = new AbortController();
    before.abort();
    expect(await outcome(client.make(GRAPH, { signal: before.signal }))).toBe("AbortError");
    expect(workers).toHaveLength(0);
    const controller = new AbortController();
    const asked = outcome(client.make(GRAPH, { signal: controller.signal }));
    controller.abort();
    expect(await asked).toBe("AbortError");
    expect(worker().told.at(-1)).toEqual({ kind: "stop", id: 1 });
    const last = outcome(client.make(GRAPH));
    client.dispose();
    expect(await last).toBe("AbortError");
  });

  it("that it fails at are told", async () => {
    const { client, worker } = handed();
    const asked = outcome(client.make(GRAPH));
    worker().say({ kind: "ready" });
    worker().say({ kind: "failed", id: 1, message: "no room" });
    expect(await asked).toBe("Error: no room");
    client.dispose();
  });

  it("that it does not let go of end it, and a new worker gets what waits", async () => {
    const { client, worker, workers } = handed({ begins: 60_000, letsGo: 20 });
    const stuck = outcome(client.make(GRAPH));
    worker().say({ kind: "ready" });
    const waiting = client.make(GRAPH);
    expect(await stuck).toBe("AbortError");
    await expect.poll(() => workers.length).toBe(2);
    expect(worker(0).ended).toBe(true);
    expect(worker(1).told).toMatchObject([{ kind: "model" }, { kind: "ask", id: 2 }]);
    worker(1).say({ kind: "ready" });
    worker(1).say({ kind: "done", id: 2, done: placed(GRAPH) });
    await waiting;
    client.dispose();
  });
});

describe("the worker's side", () => {
  /** A scope that keeps what was said, told by `tell`. */
  function scoped() {
    const said: Answer[] = [];
    const passed: number[] = [];
    const scope: Parameters<typeof serve<string, Visible, Placed>>[0] = {
      onmessage: null,
      postMessage(answer, transfer = []) {
        said.push(answer);
        passed.push(transfer.length);
      },
    };
    serve(scope, LAYING);
    const tell = (request: Request) => scope.onmessage?.({ data: request } as MessageEvent<Request>);
    return { said, passed, tell };
  }

  it("answers what it was asked after it was told the model, and hands the columns over", async () => {
    const { said, passed, tell } = scoped();
    tell({ kind: "model", model: "model" });
    tell({ kind: "ask", id: 7, ask: GRAPH });
    await expect.poll(() => said.length).toBe(2);
    expect(said[0]).toEqual({ kind: "ready" });
    expect(said[1]).toEqual({ kind: "done", id: 7, done: placed(GRAPH) });
    // x y width height rank route start points.
    expect(passed).toEqual([0, 8]);
  });

  it("stops when it is told to, and says that it fails without a model", async () => {
    const { said, tell } = scoped();
    tell({ kind: "ask", id: 1, ask: GRAPH });
    await expect.poll(() => said.at(-1)).toMatchObject({ kind: "failed", id: 1 });
    tell({ kind: "model", model: "model" });
    tell({ kind: "ask", id: 2, ask: flat(20_000, network(20_000)) });
    tell({ kind: "stop", id: 2 });
    await expect.poll(() => said.at(-1)).toEqual({ kind: "stopped", id: 2 });
  });
});

describe("layouts on the page", () => {
  it("are the same where no worker may start, where it breaks and where it never begins", async () => {
    const refused = clientOf(REFUSED);
    expect(await refused.make(GRAPH)).toEqual(placed(GRAPH));
    expect(refused.where).toBe("page");
    const broken = handed();
    const asked = broken.client.make(GRAPH);
    broken.worker().break();
    expect(await asked).toEqual(placed(GRAPH));
    const silent = handed(PATIENCE);
    expect(await silent.client.make(GRAPH)).toEqual(placed(GRAPH));
    expect(silent.worker().ended).toBe(true);
    expect(silent.client.where).toBe("page");
  });

  it("let others have their turn, and can be stopped half-way", async () => {
    const large = flat(12_000, network(12_000));
    const client = clientOf(REFUSED);
    let turns = 0;
    const beat = setInterval(() => turns++, 0);
    await client.make(large);
    clearInterval(beat);
    expect(turns).toBeGreaterThan(3);
    const controller = new AbortController();
    const asked = outcome(client.make(flat(12_000, network(12_000, 2)), { signal: controller.signal }));
    setTimeout(() => controller.abort(), 0);
    expect(await asked).toBe("AbortError");
  });
});
