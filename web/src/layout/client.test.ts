import { describe, expect, it } from "vitest";
import { flat, network } from "../../tests/support/graphs";
import { LayoutClient, type WorkerLike } from "./client";
import { FrameCache } from "./framecache";
import { layOut } from "./layout";
import type { Answer, Request } from "./messages";
import type { Placed, Visible } from "./types";

function placed(visible: Visible): Placed {
  const work = layOut(visible, new FrameCache());
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}

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
  const client = new LayoutClient(() => {
    const hand = new Hand();
    workers.push(hand);
    return hand;
  }, patience);
  return { client, workers, worker: (at = 0) => workers[at] as Hand };
}

describe("layouts in a worker", () => {
  it("come back from it", async () => {
    const { client, worker } = handed();
    const asked = client.place(GRAPH);
    worker().say({ kind: "ready" });
    expect(worker().told).toMatchObject([{ kind: "place", id: 1 }]);
    worker().say({ kind: "placed", id: 1, placed: placed(GRAPH) });
    expect((await asked).x).toEqual(placed(GRAPH).x);
    expect(client.where).toBe("worker");
    client.dispose();
    expect(worker().ended).toBe(true);
  });

  it("are given up for a newer request, whose own answer is the one that counts", async () => {
    const { client, worker } = handed();
    const older = outcome(client.place(GRAPH));
    worker().say({ kind: "ready" });
    const newer = client.place(GRAPH);
    expect(await older).toBe("AbortError");
    expect(worker().told.map((one) => `${one.kind} ${one.id}`)).toEqual(["place 1", "stop 1", "place 2"]);
    const late = placed(GRAPH);
    worker().say({ kind: "placed", id: 1, placed: placed(flat(2, [[0, 1]])) });
    worker().say({ kind: "placed", id: 2, placed: late });
    expect(await newer).toBe(late);
    client.dispose();
  });

  it("are stopped by their signal and by the end of the client, and not begun where it was aborted before", async () => {
    const { client, worker, workers } = handed();
    const before = new AbortController();
    before.abort();
    expect(await outcome(client.place(GRAPH, { signal: before.signal }))).toBe("AbortError");
    expect(workers).toHaveLength(0);
    const controller = new AbortController();
    const asked = outcome(client.place(GRAPH, { signal: controller.signal }));
    controller.abort();
    expect(await asked).toBe("AbortError");
    expect(worker().told.at(-1)).toEqual({ kind: "stop", id: 1 });
    const last = outcome(client.place(GRAPH));
    client.dispose();
    expect(await last).toBe("AbortError");
  });

  it("that it fails at are told", async () => {
    const { client, worker } = handed();
    const asked = outcome(client.place(GRAPH));
    worker().say({ kind: "ready" });
    worker().say({ kind: "failed", id: 1, message: "no room" });
    expect(await asked).toBe("Error: no room");
    client.dispose();
  });

  it("that it does not let go of end it, and a new worker gets what waits", async () => {
    const { client, worker, workers } = handed({ begins: 60_000, letsGo: 20 });
    const stuck = outcome(client.place(GRAPH));
    worker().say({ kind: "ready" });
    const waiting = client.place(GRAPH);
    expect(await stuck).toBe("AbortError");
    await expect.poll(() => workers.length).toBe(2);
    expect(worker(0).ended).toBe(true);
    expect(worker(1).told).toMatchObject([{ kind: "place", id: 2 }]);
    worker(1).say({ kind: "ready" });
    worker(1).say({ kind: "placed", id: 2, placed: placed(GRAPH) });
    await waiting;
    client.dispose();
  });
});

describe("layouts on the page", () => {
  it("are the same where no worker may start, where it breaks and where it never begins", async () => {
    const refused = new LayoutClient(REFUSED);
    expect(await refused.place(GRAPH)).toEqual(placed(GRAPH));
    expect(refused.where).toBe("page");
    const broken = handed();
    const asked = broken.client.place(GRAPH);
    broken.worker().break();
    expect(await asked).toEqual(placed(GRAPH));
    const silent = handed(PATIENCE);
    expect(await silent.client.place(GRAPH)).toEqual(placed(GRAPH));
    expect(silent.worker().ended).toBe(true);
    expect(silent.client.where).toBe("page");
  });

  it("let others have their turn, and can be stopped half-way", async () => {
    const large = flat(12_000, network(12_000));
    const client = new LayoutClient(REFUSED);
    let turns = 0;
    const beat = setInterval(() => turns++, 0);
    await client.place(large);
    clearInterval(beat);
    expect(turns).toBeGreaterThan(3);
    const controller = new AbortController();
    const asked = outcome(client.place(flat(12_000, network(12_000, 2)), { signal: controller.signal }));
    setTimeout(() => controller.abort(), 0);
    expect(await asked).toBe("AbortError");
  });
});
