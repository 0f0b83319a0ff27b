import { describe, expect, it } from "vitest";
import { FocusFile } from "./focus";
import { halfToNumber, parseSafetensors } from "./safetensors";

function file(header: object, bytes: ArrayBufferLike): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const whole = new Uint8Array(8 + text.length + bytes.byteLength);
  new DataView(whole.buffer).setBigUint64(0, BigInt(text.length), true);
  whole.set(text, 8);
  whole.set(new Uint8Array(bytes), 8 + text.length);
  return whole.buffer;
}

describe("safetensors", () => {
  it("reads 64-bit integers, which need no alignment in the file", () => {
    const bytes = BigInt64Array.of(-1n, 487n, 2n ** 40n).buffer;
    const found = parseSafetensors(file({ rows: { dtype: "I64", shape: [3], data_offsets: [0, 24] } }, bytes));
    expect([...(found.tensors.get("rows")?.values ?? [])]).toEqual([-1, 487, 2 ** 40]);
  });

  it("reads half precision: normal, subnormal, infinite, not a number", () => {
    expect(halfToNumber(0x3c00)).toBe(1);
    expect(halfToNumber(0xc248)).toBe(-3.140625);
    expect(halfToNumber(0x0001)).toBe(2 ** -24);
    expect(halfToNumber(0x7bff)).toBe(65504);
    expect(halfToNumber(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
    expect(halfToNumber(0x7e00)).toBeNaN();
  });

  it("says which tensor is wrong", () => {
    const short = file({ maps: { dtype: "F32", shape: [2, 2], data_offsets: [0, 8] } }, new ArrayBuffer(8));
    expect(() => parseSafetensors(short)).toThrow(/"maps" of shape \[2,2\] needs 16 bytes; the file holds 8/);
    const odd = file({ maps: { dtype: "C64", shape: [1], data_offsets: [0, 8] } }, new ArrayBuffer(8));
    expect(() => parseSafetensors(odd)).toThrow(/"maps" is of type C64/);
    expect(() => parseSafetensors(new ArrayBuffer(3))).toThrow(/at least 8 bytes/);
    expect(() => parseSafetensors(new Uint8Array(16).fill(255).buffer)).toThrow(/header says/);
  });
});

describe("a focus file", () => {
  const metadata = { focus: JSON.stringify({ row: 3, scales: { "0.maps": 4 }, layers: [] }) };
  const header = {
    __metadata__: metadata,
    "0.maps": { dtype: "F16", shape: [1, 1, 2], data_offsets: [0, 4] },
    "0.peaks": { dtype: "I32", shape: [1], data_offsets: [4, 8] },
  };
  const bytes = Uint8Array.of(0x00, 0x3c, 0x00, 0xb8, 7, 0, 0, 0).buffer;

  it("gives the numbers back in the units they were measured in", () => {
    const found = new FocusFile(file(header, bytes));
    expect([...(found.floats("0.maps")?.values ?? [])]).toEqual([4, -2]);
    expect([...(found.integers("0.peaks") ?? [])]).toEqual([7]);
    expect(found.floats("9.maps")).toBeNull();
  });

  it("refuses a file without its metadata", () => {
    const { __metadata__: _, ...rest } = header;
    expect(() => new FocusFile(file(rest, bytes))).toThrow(/no focus file/);
  });
});
