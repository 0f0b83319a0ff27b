/** The few examples that stand for a finding. */
import type { Examples } from "../../record/examples";
import type { Finding } from "../../record/schema.gen";
import { selectRows } from "../../selection/filter";
import { isFilter, selectionOf } from "../../selection/selection";

const MOST = 4;

/** The example that the finding names, else the first of those that its selection holds; only those with a picture. */
export function picturesOf(finding: Finding, examples: Examples): number[] {
  const selection = selectionOf(finding.selection);
  const { example } = selection;
  if (example !== null) return examples.has(example) && examples.media(example) !== null ? [example] : [];
  if (!isFilter(selection)) return [];
  const rows: number[] = [];
  for (const row of selectRows(examples, selection)) {
    if (examples.media(row) !== null) rows.push(row);
    if (rows.length === MOST) break;
  }
  return rows;
}
