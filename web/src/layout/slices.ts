/** Work in slices, between which whoever else waits has a turn and the work can be stopped. */

export interface Slices {
  /** Milliseconds at a stretch. */
  readonly stretch: number;
  /** Waits until others had their turn. */
  readonly pause: () => Promise<void>;
  readonly stopped: () => boolean;
}

/** What the work comes to; undefined where it was stopped. */
export async function sliced<T>(work: Iterator<undefined, T>, slices: Slices): Promise<T | undefined> {
  for (;;) {
    const until = performance.now() + slices.stretch;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < until);
    await slices.pause();
    if (slices.stopped()) return undefined;
  }
}

/** A turn for everyone who waits, without the delay that timers get when they follow one another. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** A turn in which the page can be painted, too. */
export function frame(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Does something when there is nothing else to do; soon, where a browser cannot say when that is. Gives a way to call it off. */
export function whenIdle(work: () => void): () => void {
  if ("requestIdleCallback" in globalThis) {
    const asked = requestIdleCallback(work);
    return () => cancelIdleCallback(asked);
  }
  const asked = setTimeout(work, 200);
  return () => clearTimeout(asked);
}
