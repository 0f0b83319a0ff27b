/** Safetensors, read: a header of JSON, then the numbers. Format: huggingface.co/docs/safetensors. */

export type TensorValues = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Numbers in row-major order. 16-bit floats are widened to float32, 64-bit integers to float64. */
export interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const WIDTH: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

const MOST_HEADER_BYTES = 100_000_000;

/** Reads a whole file; throws an Error that says what is wrong with it. */
export function parseSafetensors(buffer: ArrayBuffer): TensorFile {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8)
    throw new Error(`A safetensors file has at least 8 bytes; this one has ${buffer.byteLength}.`);
  const length = Number(view.getBigUint64(0, true));
  if (length > MOST_HEADER_BYTES || 8 + length > buffer.byteLength) {
    throw new Error(`The header says it has ${length} bytes; the file has ${buffer.byteLength}.`);
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as Record<string, unknown>;
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = entry as Record<string, string>;
    else tensors.set(name, readTensor(name, entry as Entry, buffer, 8 + length));
  }
  return { tensors, metadata };
}

function readTensor(name: string, entry: Entry, buffer: ArrayBuffer, base: number): Tensor {
  const { dtype, shape } = entry;
  const [start, end] = entry.data_offsets;
  const width = WIDTH[dtype];
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (width === undefined) throw new Error(`Tensor "${name}" is of type ${dtype}, which this app does not read.`);
  if (end - start !== count * width || base + end > buffer.byteLength) {
    throw new Error(
      `Tensor "${name}" of shape [${shape}] needs ${count * width} bytes; the file holds ${end - start}.`,
    );
  }
  // Copied, so that the numbers are aligned whatever the length of the header.
  const bytes = buffer.slice(base + start, base + end);
  return { dtype, shape, values: widen(dtype, bytes) };
}

function widen(dtype: string, bytes: ArrayBuffer): TensorValues {
  switch (dtype) {
    case "F64":
      return new Float64Array(bytes);
    case "F32":
      return new Float32Array(bytes);
    case "F16":
      return widenHalves(new Uint16Array(bytes));
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer);
    case "I64":
      return Float64Array.from(new BigInt64Array(bytes), Number);
    case "I32":
      return new Int32Array(bytes);
    case "I16":
      return Int32Array.from(new Int16Array(bytes));
    case "I8":
      return Int32Array.from(new Int8Array(bytes));
    default:
      return new Uint8Array(bytes);
  }
}

let halves: Float32Array | null = null;

/** By a table of all 65,536: a picture has hundreds of thousands of them, and waits for them. */
function widenHalves(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, at) => halfToNumber(at));
  const table = halves;
  const values = new Float32Array(bits.length);
  for (let at = 0; at < bits.length; at++) values[at] = table[bits[at] as number] as number;
  return values;
}

/** An IEEE 754 half-precision number from its 16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
