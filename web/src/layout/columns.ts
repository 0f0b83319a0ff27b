/** Lists of lists in two columns: the items of list `i` are `items[start[i]]` up to `start[i + 1]`. */
export interface Lists {
  readonly start: Int32Array;
  readonly items: Int32Array;
}

/** Indices of `keys` by their key, in the order in which they come; those with a key below 0 are in no list. */
export function listed(keys: Int32Array, count: number): Lists {
  const start = new Int32Array(count + 1);
  for (const key of keys) if (key >= 0) start[key + 1] = (start[key + 1] as number) + 1;
  for (let at = 0; at < count; at++) start[at + 1] = (start[at + 1] as number) + (start[at] as number);
  const items = new Int32Array(start[count] as number);
  const next = start.slice(0, count);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as number;
    if (key < 0) continue;
    items[next[key] as number] = index;
    next[key] = (next[key] as number) + 1;
  }
  return { start, items };
}

export function lengthOf(lists: Lists, at: number): number {
  return (lists.start[at + 1] as number) - (lists.start[at] as number);
}
