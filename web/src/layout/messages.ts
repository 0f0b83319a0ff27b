/** What the page and its worker say to each other. */

/** Of `Model`, which is told once, and of `Ask`, of which the newest counts. */
export type Request<Model, Ask> =
  | { readonly kind: "model"; readonly model: Model }
  | { readonly kind: "ask"; readonly id: number; readonly ask: Ask }
  | { readonly kind: "stop"; readonly id: number };

export type Answer<Done> =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly done: Done }
  | { readonly kind: "stopped"; readonly id: number }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };

/** What is made of a model, step by step: yields wherever it can be stopped. */
export interface Maker<Ask, Done> {
  make(ask: Ask): Generator<undefined, Done>;
}

/** Buffers of all columns in a plain object, to be handed over instead of copied. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}
