/** Columns read from Arrow's own buffers: a million texts or lists without making one object for each. */
import type { BatchLike, ColumnLike } from "./table";

const LIST_TYPE = 12; // Arrow's type ids
const UTF8_TYPE = 5;
/** Texts longer than this, or of more distinct values, are read one by one. */
const LONGEST = 64;
const MOST_DISTINCT = 4096;
const SLOTS = 4 * MOST_DISTINCT;

/** The values of lists that are all of one length, in one batch without nulls; null where they are not. */
export function evenLists<Kind extends Int32Array | Float32Array>(
  column: ColumnLike | null,
  kind: { new (length: number): Kind },
): { width: number; values: Kind } | null {
  const batch = onlyBatch(column, LIST_TYPE);
  const values = batch?.children?.[0];
  if (!batch || !(batch.offsets instanceof Int32Array) || !(values?.values instanceof kind) || values.nullCount > 0)
    return null;
  const { offsets } = batch;
  const [first, width] = [offsets[0] as number, (offsets[1] as number) - (offsets[0] as number)];
  for (let row = 0; row < batch.length; row++)
    if ((offsets[row + 1] as number) - (offsets[row] as number) !== width) return null;
  return { width, values: values.values.subarray(first, first + width * batch.length) as Kind };
}

/**
 * Distinct texts in order of first appearance and the place of each row's among them, where they are few and short: compared
 * byte by byte, each decoded once. null where that does not fit.
 */
export function codesOfTexts(column: ColumnLike): { values: string[]; codes: Int32Array } | null {
  const batch = onlyBatch(column, UTF8_TYPE);
  if (!batch || !(batch.offsets instanceof Int32Array) || !(batch.values instanceof Uint8Array)) return null;
  const { offsets, values: bytes } = batch;
  const codes = new Int32Array(batch.length);
  const slots = new Int32Array(SLOTS).fill(-1);
  const starts: number[] = [];
  const same = (code: number, start: number, length: number) => {
    const at = starts[code] as number;
    for (let place = 0; place < length; place++) if (bytes[at + place] !== bytes[start + place]) return false;
    return true;
  };
  const lengths: number[] = [];
  for (let row = 0; row < batch.length; row++) {
    const start = offsets[row] as number;
    const length = (offsets[row + 1] as number) - start;
    if (length > LONGEST) return null;
    let hash = length;
    for (let place = 0; place < length; place++) hash = Math.imul(hash ^ (bytes[start + place] as number), 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    let code = slots[slot] as number;
    while (code >= 0 && !(lengths[code] === length && same(code, start, length))) {
      slot = (slot + 1) & (SLOTS - 1);
      code = slots[slot] as number;
    }
    if (code < 0) {
      code = starts.push(start) - 1;
      if (code >= MOST_DISTINCT) return null;
      lengths.push(length);
      slots[slot] = code;
    }
    codes[row] = code;
  }
  const decoder = new TextDecoder();
  const values = starts.map((start, code) => decoder.decode(bytes.subarray(start, start + (lengths[code] as number))));
  // Bytes that are no text may differ and read alike.
  return new Set(values).size === values.length ? { values, codes } : null;
}

/** The same of a column that names its values already; null where it does not. */
export function codesOfAmong({ among }: ColumnLike): { values: string[]; codes: Int32Array } | null {
  if (!among) return null;
  const values = among.values.map(String);
  const codes = new Int32Array(among.codes.length);
  for (let row = 0; row < codes.length; row++) {
    const place = among.codes[row] as number;
    codes[row] = place === 0 ? values.length : place - 1;
  }
  if (codes.includes(values.length)) values.push("");
  return new Set(values).size === values.length ? { values, codes } : null;
}

function onlyBatch(column: ColumnLike | null, type: number): BatchLike | null {
  const [batch, ...others] = column?.data ?? [];
  return batch && others.length === 0 && column?.type.typeId === type && batch.nullCount === 0 && batch.length > 0
    ? batch
    : null;
}
