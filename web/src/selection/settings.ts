/** Settings of pages as an address gives them: anything may stand there, and what does not fit is the usual value. */

/** The text where it is one of these, or a key of this table. */
export function oneOf<Value extends string>(
  text: string | undefined,
  values: readonly Value[] | Readonly<Record<Value, unknown>>,
  usual: NoInfer<Value>,
): Value {
  const known = Array.isArray(values) ? values : Object.keys(values);
  return text !== undefined && known.includes(text) ? (text as Value) : usual;
}

/** The number where it is one from `low` to `high`. */
export function within(text: string | undefined, [low, high]: readonly [number, number], usual: number): number {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return value >= low && value <= high ? value : usual;
}
