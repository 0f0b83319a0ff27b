/** What one of two models gave no answer to, in sentences: twin of pellucid.comparison.notes. */
import { count, plural } from "../../marks/format";
import { type Pair, type Sides, sidesOf } from "../../measures/compare";

/** Which of the models have infinite losses, and how many; "" where neither has. */
export function infiniteLosses(sides: Sides, old: string, now: string): string {
  const said = (name: string, number: number) =>
    number > 0 ? [`${name} has an infinite loss on ${plural(number, "example")}`] : [];
  return [...said(old, sides.infiniteOld), ...said(now, sides.infiniteNew)].join(" and ");
}

/** Sentences on the rows; none where both models answer all. */
export function leftOut(rows: Uint32Array, pair: Pair, old: string, now: string): string[] {
  const said: string[] = [];
  const answers = sidesOf(rows, numbered(pair.old), numbered(pair.new));
  if (answers.onlyOld + answers.onlyNew > 0) {
    const all = answers.both + answers.onlyOld + answers.onlyNew;
    said.push(
      `Of the ${plural(all, "example")} that ${old} or ${now} answers, ${old} leaves ${count(answers.onlyNew)} unanswered and ${now} ${count(answers.onlyOld)}: they count as not right there, and as answers that changed.`,
    );
  }
  const neither = rows.filter((row) => (pair.labels[row] ?? -1) >= 0 && pair.old[row] === -1 && pair.new[row] === -1);
  if (neither.length > 0)
    said.push(`Left out are examples with a label that neither ${old} nor ${now} answers: ${count(neither.length)}.`);
  for (const [what, before, after] of [
    ["loss", pair.oldLosses, pair.newLosses],
    ["confidence", pair.oldConfidences, pair.newConfidences],
  ] as const) {
    const sides = sidesOf(rows, before, after);
    if (sides.both > 0 && sides.onlyOld + sides.onlyNew > 0)
      said.push(
        `Means of ${what} are over the ${plural(sides.both, "example")} that have one by both models; left out are ${count(sides.onlyOld)} that have one by ${old} alone and ${count(sides.onlyNew)} by ${now} alone.`,
      );
  }
  return said;
}

function numbered(predictions: Int32Array): Float64Array {
  return Float64Array.from(predictions, (one) => (one < 0 ? Number.NaN : one));
}
