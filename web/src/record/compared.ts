/** The columns of the examples table that a comparison added, by what they say of which model. */
import type { Examples } from "./examples";
import type { ComparisonPanel } from "./schema.gen";

export const SAID = ["prediction", "loss", "confidence", "matched"] as const;

/** Names of the added columns; that of the flips from the first model to the second is left out, since it is asked for most. */
export function comparedColumns(panel: ComparisonPanel | null): ReadonlySet<string> {
  const names = new Set<string>();
  for (const model of panel?.models ?? []) for (const what of SAID) names.add(`${model.name}.${what}`);
  for (const pair of panel?.pairs.slice(1) ?? []) names.add(pair.flip);
  return names;
}

export interface Saying {
  readonly name: string;
  readonly prediction: number;
  readonly confidence: number;
}

/** What the other models say of an example, the first few of them. */
export function sayings(examples: Examples, panel: ComparisonPanel | null, row: number, most = 4): Saying[] {
  const found: Saying[] = [];
  for (const { name } of panel?.models ?? []) {
    const prediction = examples.columns.get(`${name}.prediction`)?.at(row);
    const confidence = examples.columns.get(`${name}.confidence`)?.at(row);
    if (typeof prediction !== "number" || found.length >= most) continue;
    found.push({ name, prediction, confidence: typeof confidence === "number" ? confidence : Number.NaN });
  }
  return found;
}
