/** How the selected examples fall into the values of each column that has few, or into ranges of its numbers. */
import { outcomesOf, UNKNOWN } from "../../measures/accuracy";
import { codesOf, tally } from "../../measures/tally";
import type { Examples } from "../../record/examples";
import { columnGroups, type Groups } from "../../selection/columns";
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

export function facetsOf(
  examples: Examples,
  rows: Uint32Array,
  selection: Selection,
  classes: number,
  className: (index: number) => string,
  hidden: ReadonlySet<string> = new Set(),
): Facet[] {
  const facets: Facet[] = [];
  const { targets, predictions } = examples;
  const counts = tally(rows, codesOf(targets, classes), classes + 1).subarray(0, classes);
  const [wrong = 0, right = 0] = tally(rows, outcomesOf(predictions, targets), UNKNOWN + 1);
  const outcomes = [
    { text: "right", count: right },
    { text: "wrong", count: wrong },
  ] as const;
  if (right + wrong > 0) {
    facets.push({
      name: "answer",
      more: 0,
      values: outcomes
        .filter(({ count }) => count > 0)
        .map(({ text, count }) => {
          const chosen = selection.outcome === text;
          return { text, count, chosen, patch: { outcome: chosen ? null : text } };
        }),
    });
  }
  const found = [...counts.keys()].filter((index) => (counts[index] ?? 0) > 0);
  if (found.length > 0) {
    found.sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || a - b);
    facets.push({
      name: "true class",
      more: Math.max(0, found.length - MOST_VALUES),
      values: found.slice(0, MOST_VALUES).map((index) => {
        const chosen = selection.true.includes(index);
        return { text: className(index), count: counts[index] ?? 0, chosen, patch: { true: chosen ? [] : [index] } };
      }),
    });
  }
  for (const [name, column] of examples.columns) {
    if (hidden.has(name)) continue;
    const groups = columnGroups(column);
    // As many values as examples narrow to one each: names, not kinds.
    if (groups && groups.size > 1 && (groups.ranges || groups.size < examples.count))
      facets.push(columnFacet(name, groups, rows, selection));
  }
  return facets;
}

/** Values by how many examples have them; ranges of numbers in their own order. */
function columnFacet(name: string, groups: Groups, rows: Uint32Array, selection: Selection): Facet {
  const counts = tally(rows, codesOf(groups.codes, groups.size), groups.size + 1);
  const found = Array.from({ length: groups.size }, (_, group) => ({ group, count: counts[group] ?? 0 })).filter(
    ({ count }) => count > 0,
  );
  if (!groups.ranges) found.sort((a, b) => b.count - a.count);
  return {
    name: name || "(no name)",
    more: Math.max(0, found.length - MOST_VALUES),
    values: found.slice(0, MOST_VALUES).map(({ group, count }) => {
      const value = groups.textOf(group);
      const chosen = selection.columns[name] === value;
      const { [name]: _, ...others } = selection.columns;
      const columns = chosen ? others : { ...others, [name]: value };
      return { text: groups.nameOf(group), count, chosen, patch: { columns } };
    }),
  };
}
