import { describe, expect, it } from "vitest";
import { framesOf } from "./frames";

function frame(kind: string, ...content: number[]): number[] {
  return [kind.charCodeAt(0), content.length & 255, content.length >> 8, 0, 0, ...content];
}

/** A body that arrives in pieces of the given sizes, the last one taking the rest. */
function body(bytes: number[], ...sizes: number[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        controller.enqueue(Uint8Array.from(bytes.slice(at, at + size)));
        at += size;
      }
      controller.close();
    },
  });
}

async function read(stream: ReadableStream<Uint8Array>): Promise<[string, number[]][]> {
  const found: [string, number[]][] = [];
  for await (const { kind, content } of framesOf(stream)) found.push([kind, [...new Uint8Array(content)]]);
  return found;
}

describe("an answer in parts", () => {
  const bytes = [...frame("p", 1, 2, 3), ...frame("p"), ...frame("a", 9, 8)];
  const parts = [
    ["partial", [1, 2, 3]],
    ["partial", []],
    ["answer", [9, 8]],
  ];

  it("is read the same wherever the network cuts it", async () => {
    expect(await read(body(bytes))).toEqual(parts);
    for (let cut = 1; cut < bytes.length; cut++) expect(await read(body(bytes, cut))).toEqual(parts);
    expect(await read(body(bytes, ...bytes.map(() => 1)))).toEqual(parts);
  });

  it("may be longer than 255 bytes", async () => {
    const long = Array.from({ length: 700 }, (_, at) => at % 256);
    expect(await read(body(frame("e", ...long), 300))).toEqual([["error", long]]);
  });

  it("that ends within a part, or has one of an unknown kind, is refused", async () => {
    await expect(read(body(bytes.slice(0, -1)))).rejects.toThrow("cut short");
    await expect(read(body(frame("x", 1)))).rejects.toThrow('unknown kind, "x"');
  });
});
