/** How the selected examples fall into the values of each column that has few. */
import type { Examples } from "../../record/examples";
import type { Selection } from "../../selection/selection";

export interface FacetValue {
  readonly text: string;
  readonly count: number;
  readonly chosen: boolean;
  /** Selects it, or takes it away where it is chosen. */
  readonly patch: Partial<Selection>;
}

export interface Facet {
  readonly name: string;
  readonly values: readonly FacetValue[];
  /** Values that are not listed. */
  readonly more: number;
}

const MOST_VALUES = 12;
const MOST_DISTINCT = 200;

export function facetsOf(
  examples: Examples,
  rows: Uint32Array,
  selection: Selection,
  className: (index: number) => string,
): Facet[] {
  const facets: Facet[] = [];
  const outcomes = new Map<string, number>();
  const targets = new Map<number, number>();
  for (const row of rows) {
    const right = examples.right(row);
    if (right !== null) outcomes.set(right ? "right" : "wrong", (outcomes.get(right ? "right" : "wrong") ?? 0) + 1);
    const target = examples.targets[row] ?? -1;
    if (target >= 0) targets.set(target, (targets.get(target) ?? 0) + 1);
  }
  if (outcomes.size > 0) {
    facets.push({
      name: "answer",
      more: 0,
      values: (["right", "wrong"] as const)
        .filter((outcome) => outcomes.has(outcome))
        .map((outcome) => ({
          text: outcome,
          count: outcomes.get(outcome) ?? 0,
          chosen: selection.outcome === outcome,
          patch: { outcome: selection.outcome === outcome ? null : outcome },
        })),
    });
  }
  if (targets.size > 0) {
    const found = [...targets].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    facets.push({
      name: "true class",
      more: Math.max(0, found.length - MOST_VALUES),
      values: found.slice(0, MOST_VALUES).map(([index, count]) => {
        const chosen = selection.true.includes(index);
        return { text: className(index), count, chosen, patch: { true: chosen ? [] : [index] } };
      }),
    });
  }
  for (const [name, column] of examples.columns) {
    if (column.values.length > MOST_DISTINCT || column.values.length < 2) continue;
    facets.push(columnFacet(name, column.codes, column.values, rows, selection));
  }
  return facets;
}

function columnFacet(
  name: string,
  codes: Int32Array,
  values: readonly string[],
  rows: Uint32Array,
  selection: Selection,
): Facet {
  const counts = new Float64Array(values.length);
  for (const row of rows) {
    const code = codes[row] ?? 0;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  const found = values
    .map((text, code) => ({ text, count: counts[code] ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  return {
    name: name || "(no name)",
    more: Math.max(0, found.length - MOST_VALUES),
    values: found.slice(0, MOST_VALUES).map(({ text, count }) => {
      const chosen = selection.columns[name] === text;
      const { [name]: _, ...others } = selection.columns;
      return { text, count, chosen, patch: { columns: chosen ? others : { ...others, [name]: text } } };
    }),
  };
}
