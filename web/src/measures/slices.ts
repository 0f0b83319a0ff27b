/** Which examples, by a column or by a rule that is found, are answered worse than the others: a twin of pellucid.measures.slices. */
import { benjaminiHochberg } from "./compare";
import { type Bounds, wilson } from "./intervals";

/** Fewer examples cannot be told from chance. */
export const LEAST = 5;
const LEAST_LEAF = 20;
const CUTS = 32;
/** A weight below this part of a sum changes it no more. */
const NEGLIGIBLE = 1e-18;

/** Fisher's exact test, twice the smaller tail: has the slice another accuracy than the rest? No p value is 0. */
export function fisher(correct: number, count: number, allCorrect: number, total: number): number {
  const [least, most] = [Math.max(0, count + allCorrect - total), Math.min(count, allCorrect)];
  // Weights relative to the likeliest number of right answers, which is near this one, outward through the tail until they vanish.
  const mode = Math.min(most, Math.max(least, Math.floor(((count + 1) * (allCorrect + 1)) / (total + 2))));
  const ratio = (hits: number) =>
    ((allCorrect - hits) * (count - hits)) / ((hits + 1) * (total - allCorrect - count + hits + 1));
  let [all, below, above] = [1, mode <= correct ? 1 : 0, mode >= correct ? 1 : 0];
  for (let hits = mode, weight = 1; hits < most && weight > (hits < correct ? 0 : NEGLIGIBLE * above); hits++) {
    weight *= ratio(hits);
    all += weight;
    if (hits + 1 <= correct) below += weight;
    if (hits + 1 >= correct) above += weight;
  }
  for (let hits = mode, weight = 1; hits > least && weight > (hits > correct ? 0 : NEGLIGIBLE * below); hits--) {
    weight /= ratio(hits - 1);
    all += weight;
    if (hits - 1 <= correct) below += weight;
    if (hits - 1 >= correct) above += weight;
  }
  return Math.min(1, Math.max(Number.MIN_VALUE, (2 * Math.min(below, above)) / all));
}

export interface Slice {
  readonly column: string;
  readonly value: string;
  readonly count: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly interval: Bounds | null;
  /** Accuracy of the column's other values. */
  readonly rest: number;
  readonly pValue: number;
  readonly adjusted: number;
}

export interface Counted {
  readonly column: string;
  readonly value: string;
  readonly count: number;
  readonly correct: number;
}

/** Every slice against the rest of its column, surest first; the adjustment is over all that are large enough. */
export function slicesOf(counted: readonly Counted[]): Slice[] {
  const totals = new Map<string, { count: number; correct: number }>();
  for (const { column, count, correct } of counted) {
    const total = totals.get(column) ?? { count: 0, correct: 0 };
    totals.set(column, { count: total.count + count, correct: total.correct + correct });
  }
  const tested = counted
    .map((one) => ({ ...one, total: totals.get(one.column) ?? { count: 0, correct: 0 } }))
    .filter((one) => one.count >= LEAST && one.count < one.total.count);
  const pValues = tested.map((one) => fisher(one.correct, one.count, one.total.correct, one.total.count));
  const adjusted = benjaminiHochberg(pValues);
  return tested
    .map(({ total, ...one }, place) => ({
      ...one,
      accuracy: one.correct / one.count,
      interval: wilson(one.correct, one.count),
      rest: (total.correct - one.correct) / (total.count - one.count),
      pValue: pValues[place] as number,
      adjusted: adjusted[place] as number,
    }))
    .sort((a, b) => a.adjusted - b.adjusted || a.accuracy - b.accuracy);
}

/** A number or a code (0, 1, 2, ...) for every example, NaN where not there. */
export interface Feature {
  readonly name: string;
  readonly values: Float64Array;
  readonly categorical: boolean;
}

export interface Condition {
  readonly feature: number;
  readonly kind: "<=" | ">" | "is" | "is not";
  readonly cut: number;
}

export interface FoundSlice {
  readonly rule: readonly Condition[];
  readonly count: number;
  readonly correct: number;
  readonly pValue: number;
  readonly adjusted: number;
}

export function holds(
  { feature, kind, cut }: Condition,
  features: readonly { readonly values: ArrayLike<number> }[],
  place: number,
): boolean {
  const value = features[feature]?.values[place] as number;
  if (kind === "<=") return value <= cut;
  if (kind === ">") return value > cut;
  return kind === "is" ? value === cut : value !== cut;
}

/** What is known of each example, or of examples that are alike in everything, by place as the features' values are. */
export interface Answered {
  /** 0 or 1: wrong, right. */
  readonly right: Uint8Array;
  /** How many examples stand at a place. */
  readonly many: Uint32Array;
}

/**
 * Rules of a shallow tree grown on one half of the examples and judged on the other. `grown` is 0 or 1 by place; `many` is how many
 * examples are alike at each, one where it is left out.
 */
export function foundSlices(
  features: readonly Feature[],
  right: Uint8Array,
  grown: Uint8Array,
  depth = 3,
  many: Uint32Array = new Uint32Array(grown.length).fill(1),
): FoundSlice[] {
  const answered = { right, many };
  const places = (half: number) => {
    const some = new Uint32Array(grown.length + 1);
    let found = 0;
    for (let place = 0; place < grown.length; place++) {
      some[found] = place;
      found += Number(grown[place] === half);
    }
    return some.slice(0, found);
  };
  const judged = places(0);
  const all = counted(judged, answered);
  const tested = leaves(features, answered, places(1), depth, []).flatMap((rule) => {
    const inside = rule.reduce<Uint32Array>((some, condition) => held(condition, features, some), judged);
    const { count, correct } = counted(inside, answered);
    if (rule.length === 0 || count < LEAST || count >= all.count) return [];
    return [{ rule, count, correct, pValue: fisher(correct, count, all.correct, all.count) }];
  });
  const adjusted = benjaminiHochberg(tested.map((one) => one.pValue));
  return tested
    .map((one, place) => ({ ...one, adjusted: adjusted[place] as number }))
    .sort((a, b) => a.adjusted - b.adjusted || a.correct / a.count - b.correct / b.count);
}

/** How many examples stand at these places, and how many of them are right. */
function counted(places: Uint32Array, { right, many }: Answered): { count: number; correct: number } {
  let [count, correct] = [0, 0];
  for (let at = 0; at < places.length; at++) {
    const place = places[at] as number;
    const there = many[place] as number;
    count += there;
    correct += there * (right[place] as number);
  }
  return { count, correct };
}

/** The places that a condition holds at. */
function held({ feature, kind, cut }: Condition, features: readonly Feature[], places: Uint32Array): Uint32Array {
  const values = features[feature]?.values ?? new Float64Array(0);
  const some = new Uint32Array(places.length);
  let many = 0;
  for (let at = 0; at < places.length; at++) {
    const place = places[at] as number;
    const value = values[place] as number;
    const fits = kind === "<=" ? value <= cut : kind === ">" ? value > cut : (value === cut) === (kind === "is");
    if (fits) some[many++] = place;
  }
  return some.subarray(0, many);
}

function leaves(
  features: readonly Feature[],
  answered: Answered,
  places: Uint32Array,
  depth: number,
  rule: readonly Condition[],
): (readonly Condition[])[] {
  const split = depth > 0 ? bestSplit(features, answered, places) : null;
  if (!split) return [rule];
  const other: Condition = { ...split, kind: split.kind === "<=" ? ">" : "is not" };
  return [split, other].flatMap((condition) => {
    const inside = held(condition, features, places);
    return leaves(features, answered, inside, depth - 1, [...rule, condition]);
  });
}

/** The condition after which right and wrong are least mixed (Gini); of equal ones the first feature and the lowest cut. */
function bestSplit(features: readonly Feature[], answered: Answered, places: Uint32Array): Condition | null {
  const { count: all, correct: hits } = counted(places, answered);
  const mixed = (count: number, correct: number) => (count > 0 ? (correct * (count - correct)) / count : 0);
  const before = mixed(all, hits);
  let [least, best]: [number, Condition | null] = [before, null];
  features.forEach((of, feature) => {
    const { counts, correct, cuts, known, knownHits } = tallied(of, answered, places);
    let [below, belowHits] = [0, 0];
    cuts.forEach((cut, index) => {
      below = of.categorical ? (counts[index] as number) : below + (counts[index] as number);
      belowHits = of.categorical ? (correct[index] as number) : belowHits + (correct[index] as number);
      if (!of.categorical && index === cuts.length - 1) return;
      const others = (of.categorical ? all : known) - below;
      if (Math.min(below, others) < LEAST_LEAF) return;
      const rest = (of.categorical ? hits : knownHits) - belowHits;
      const missing = all - below - others;
      const found = mixed(below, belowHits) + mixed(others, rest) + mixed(missing, hits - belowHits - rest);
      if (found < before - 1e-12 && found < least - 1e-12) {
        least = found;
        best = { feature, kind: of.categorical ? "is" : "<=", cut };
      }
    });
  });
  return best;
}

/** Counts of a feature's values between its cuts: each code, or at most 32 groups of numbers by their quantiles. */
function tallied({ values, categorical }: Feature, answered: Answered, places: Uint32Array) {
  return categorical ? talliedCodes(values, answered, places) : talliedNumbers(values, answered, places);
}

function talliedCodes(values: Float64Array, { right, many }: Answered, places: Uint32Array) {
  let [most, known, knownHits] = [-1, 0, 0];
  for (let at = 0; at < places.length; at++) {
    const code = values[places[at] as number] as number;
    if (code > most) most = code;
  }
  const [counts, correct] = [new Float64Array(most + 1), new Float64Array(most + 1)];
  for (let at = 0; at < places.length; at++) {
    const place = places[at] as number;
    const code = values[place] as number;
    if (Number.isNaN(code)) continue;
    const there = many[place] as number;
    const hit = there * (right[place] as number);
    known += there;
    knownHits += hit;
    counts[code] = (counts[code] as number) + there;
    correct[code] = (correct[code] as number) + hit;
  }
  let codes = [...counts.keys()].filter((code) => (counts[code] as number) > 0);
  // One code alone splits nothing off that is there.
  if (codes.length < 2) codes = [];
  const at = (all: Float64Array) => Float64Array.from(codes, (code) => all[code] as number);
  return { counts: at(counts), correct: at(correct), cuts: codes, known, knownHits };
}

function talliedNumbers(values: Float64Array, answered: Answered, places: Uint32Array) {
  const { right, many } = answered;
  const there = places.filter((place) => !Number.isNaN(values[place]));
  const { count: known, correct: knownHits } = counted(there, answered);
  const ordered = new Float64Array(known);
  let filled = 0;
  for (const place of there) {
    const next = filled + (many[place] as number);
    ordered.fill(values[place] as number, filled, next);
    filled = next;
  }
  ordered.sort();
  let cuts = ordered.filter((value, index) => index === 0 || value !== ordered[index - 1]);
  if (cuts.length > CUTS) {
    const quantiles = Float64Array.from(
      { length: CUTS },
      (_, index) => ordered[Math.floor(((index + 1) * ordered.length) / CUTS) - 1] as number,
    );
    cuts = quantiles.filter((value, index) => index === 0 || value !== quantiles[index - 1]);
  }
  const [counts, correct] = [new Float64Array(cuts.length), new Float64Array(cuts.length)];
  for (const place of there) {
    const group = lowerBound(cuts, values[place] as number);
    if (group >= cuts.length) continue;
    counts[group] = (counts[group] as number) + (many[place] as number);
    correct[group] = (correct[group] as number) + (many[place] as number) * (right[place] as number);
  }
  return { counts, correct, cuts: [...cuts], known, knownHits };
}

/** The first place whose value is not below. */
function lowerBound(values: Float64Array, wanted: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
