/** Pairs of classes that are confused beyond chance, for any selection; the twin of pellucid.measures.confusion.confused_pairs. */
import type { ConfusedPair } from "../record/schema.gen";
import type { ConfusionCounts } from "./confusion";
import { wilson } from "./intervals";
import { orderOf } from "./order";
import { logGamma } from "./student";

/** Cells below this many examples cannot be told from chance: they are not listed, but counted among the tests. */
const LEAST_COUNT = 3;
const LEVEL = 0.95;

/** The pairs, most surprising first; see the record's ConfusedPair for what chance means. */
export function confusedPairs(cells: ConfusionCounts, classes: number, most = 200): ConfusedPair[] {
  const [supports, errors, called] = [0, 1, 2].map(() => new Float64Array(classes)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const counted = new Map<number, number>();
  let [wrong, total] = [0, 0];
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const [row, column, count] = [cells.rows[cell], cells.columns[cell], cells.counts[cell]] as [
      number,
      number,
      number,
    ];
    supports[row] = (supports[row] as number) + count;
    if (row === column) continue;
    wrong += 1;
    total += count;
    errors[row] = (errors[row] as number) + count;
    called[column] = (called[column] as number) + count;
    counted.set(row * classes + column, count);
  }
  const found: { row: number; column: number; count: number; expected: number; tail: number }[] = [];
  for (const [code, count] of counted) {
    if (count < LEAST_COUNT) continue;
    const [row, column] = [Math.floor(code / classes), code % classes];
    const own = errors[row] as number;
    const elsewhere = (called[column] as number) - count;
    const others =
      total - own - (called[row] as number) - (errors[column] as number) + (counted.get(column * classes + row) ?? 0);
    found.push({
      row,
      column,
      count,
      expected: ((elsewhere + 1) / (others + classes - 1)) * own,
      tail:
        others === 0
          ? binomialTail(count, own, 1 / (classes - 1))
          : hypergeometricTail(count, own, elsewhere + 1 + count, others + classes - 1 + own),
    });
  }
  const adjusted = holm(
    found.map((one) => one.tail),
    wrong,
  );
  // Of thousands of pairs only those that can be among the first are put in order.
  const last = Float64Array.from(adjusted).sort()[Math.min(most, adjusted.length) - 1] ?? 1;
  return found
    .map((one, place) => ({ ...one, pValue: adjusted[place] as number }))
    .filter((one) => one.pValue <= last)
    .sort((a, b) => a.pValue - b.pValue || b.count - a.count || a.row - b.row || a.column - b.column)
    .slice(0, most)
    .map(({ row, column, count, expected, pValue }) => {
      const support = supports[row] as number;
      const { low, high } = wilson(count, support) ?? { low: 0, high: 1 };
      const interval = { low, high, level: LEVEL, method: "wilson" };
      return {
        true: row,
        predicted: column,
        count,
        support,
        rate: count / support,
        interval,
        expected,
        p_value: pValue,
      };
    });
}

/** P(at least `marked` of `drawn` are marked) where `all` of `population` are. Source: Fisher 1934, section 21.02. */
export function hypergeometricTail(marked: number, drawn: number, all: number, population: number): number {
  const least = Math.max(0, drawn + all - population);
  const most = Math.min(drawn, all);
  if (marked <= least) return 1;
  if (marked > most) return 0;
  const choose = (of: number, take: number) => logFactorial(of) - logFactorial(take) - logFactorial(of - take);
  const at = Math.exp(choose(all, marked) + choose(population - all, drawn - marked) - choose(population, drawn));
  const rest = population - all - drawn;
  // From the value that was asked for away from the most likely one, where each chance is a known part of the one before.
  const likeliest = Math.floor(((drawn + 1) * (all + 1)) / (population + 2));
  let [sum, part] = [0, at];
  if (marked > likeliest) {
    for (let hits = marked; hits <= most && part > sum * NEGLIGIBLE; hits++) {
      sum += part;
      part *= ((all - hits) * (drawn - hits)) / ((hits + 1) * (rest + hits + 1));
    }
    return Math.min(1, sum);
  }
  for (let hits = marked; hits > least && (hits === marked || part > sum * NEGLIGIBLE); hits--) {
    part *= (hits * (rest + hits)) / ((all - hits + 1) * (drawn - hits + 1));
    sum += part;
  }
  return Math.max(0, 1 - sum);
}

/** P(at least `hits` of `number`), each with the same probability. */
export function binomialTail(hits: number, number: number, probability: number): number {
  if (hits <= 0 || probability >= 1) return 1;
  const odds = probability / (1 - probability);
  const choose = logFactorial(number) - logFactorial(hits) - logFactorial(number - hits);
  let [sum, part] = [0, Math.exp(choose + hits * Math.log(probability) + (number - hits) * Math.log1p(-probability))];
  // From the value that was asked for away from the most likely one, as above.
  if (hits > number * probability) {
    for (let many = hits; many <= number && part > sum * NEGLIGIBLE; many++) {
      sum += part;
      part *= (odds * (number - many)) / (many + 1);
    }
    return Math.min(1, sum);
  }
  for (let many = hits; many > 0 && (many === hits || part > sum * NEGLIGIBLE); many--) {
    part *= many / (odds * (number - many + 1));
    sum += part;
  }
  return Math.max(0, 1 - sum);
}

const NEGLIGIBLE = 1e-18;
const MOST_KEPT = 1 << 17;
const factorials = new Float64Array(MOST_KEPT).fill(Number.NaN);

/** ln n!, kept for small n. */
function logFactorial(number: number): number {
  if (number >= MOST_KEPT) return logGamma(number + 1);
  let known = factorials[number] as number;
  if (Number.isNaN(known)) {
    known = logGamma(number + 1);
    factorials[number] = known;
  }
  return known;
}

/** p values adjusted for `tests` tests, of which these are the smallest. Source: Holm 1979, Scand. J. Statist. 6:65. */
export function holm(pValues: readonly number[], tests = pValues.length): number[] {
  const order = orderOf(Float64Array.from(pValues));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let largest = 0;
  order.forEach((place, rank) => {
    largest = Math.max(largest, (pValues[place] as number) * (tests - rank));
    adjusted[place] = Math.min(1, largest);
  });
  return adjusted;
}
