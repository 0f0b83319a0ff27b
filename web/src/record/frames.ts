/** Several files in one answer: a letter ("p" partial, "a" answer, "e" error), a uint32 length, the bytes. */

export const FRAMES = "application/vnd.pellucid.frames";

export interface Frame {
  readonly kind: "partial" | "answer" | "error";
  readonly content: ArrayBuffer;
}

const KINDS: Readonly<Record<string, Frame["kind"]>> = { p: "partial", a: "answer", e: "error" };
const HEADER = 5;

/** Each frame as soon as it has arrived whole; throws an Error where the stream ends within one. */
export async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const reader = body.getReader();
  let held = new Uint8Array(0);
  try {
    for (;;) {
      const frame = first(held);
      if (frame) {
        held = held.subarray(HEADER + frame.content.byteLength);
        yield frame;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) break;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
    }
  } finally {
    reader.releaseLock();
  }
  if (held.length > 0) throw new Error("The server's answer was cut short.");
}

function first(held: Uint8Array): Frame | null {
  if (held.length < HEADER) return null;
  const length = new DataView(held.buffer, held.byteOffset).getUint32(1, true);
  if (held.length < HEADER + length) return null;
  const letter = String.fromCharCode(held[0] ?? 0);
  const kind = KINDS[letter];
  if (!kind) throw new Error(`The server's answer has a part of an unknown kind, "${letter}".`);
  return { kind, content: held.slice(HEADER, HEADER + length).buffer };
}
