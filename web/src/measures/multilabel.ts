/** How well sets of classes are found in any selection; the twin of pellucid.measures.multilabel. */
import type { Examples } from "../record/examples";
import type { ClassShare, Share } from "./accuracy";
import { type Bounds, deltaInterval, f1Interval, shareToF1, wilson, Z95 } from "./intervals";
import { studentQuantile95 } from "./student";

/** What rounding leaves of a sum of squares that is 0. */
const ROUNDING = 1e-12;

export interface SetSums {
  /** Examples whose two sets are known, and those of which they are the same. */
  readonly count: number;
  readonly exact: number;
  /** By class: examples of which it is true and called, true, called. */
  readonly right: Float64Array;
  readonly support: Float64Array;
  readonly called: Float64Array;
  /** Sums over examples of the classes rightly true or rightly false, and of their squares. */
  readonly labels: number;
  readonly labelsSquared: number;
  /** Sums over examples of a = 2 |true and called|, b = |true| + |called|, a², ab and b². */
  readonly both: number;
  readonly either: number;
  readonly bothSquared: number;
  readonly product: number;
  readonly eitherSquared: number;
}

export function setSums(rows: Uint32Array, sets: Pick<Examples, "classesOf" | "calledOf">, classes: number): SetSums {
  const [right, support, called] = [new Float64Array(classes), new Float64Array(classes), new Float64Array(classes)];
  const add = (counts: Float64Array, index: number) => {
    counts[index] = (counts[index] as number) + 1;
  };
  let [count, exact, labels, labelsSquared] = [0, 0, 0, 0];
  let [both, either, bothSquared, product, eitherSquared] = [0, 0, 0, 0, 0];
  for (const row of rows) {
    const [is, said] = [sets.classesOf(row), sets.calledOf(row)];
    if (!is || !said) continue;
    const among = new Set(is);
    let shared = 0;
    for (const index of is) add(support, index);
    for (const index of said) {
      add(called, index);
      if (!among.has(index)) continue;
      add(right, index);
      shared += 1;
    }
    const [a, b] = [2 * shared, is.length + said.length];
    const same = classes - (b - a);
    count += 1;
    exact += Number(a === b);
    labels += same;
    labelsSquared += same * same;
    both += a;
    either += b;
    bothSquared += a * a;
    product += a * b;
    eitherSquared += b * b;
  }
  return {
    count,
    exact,
    right,
    support,
    called,
    labels,
    labelsSquared,
    both,
    either,
    bothSquared,
    product,
    eitherSquared,
  };
}

/** Recall and precision of every class, in order of index. */
export function setShares({ right, support, called }: SetSums): ClassShare[] {
  const share = (correct: number, count: number): Share => ({
    correct,
    count,
    value: count > 0 ? correct / count : null,
    interval: wilson(correct, count),
  });
  return Array.from(right, (hits, index) => ({
    index,
    recall: share(hits, support[index] as number),
    precision: share(hits, called[index] as number),
  }));
}

export interface SetScore {
  readonly name: string;
  readonly value: number | null;
  readonly interval: Bounds | null;
  readonly method: string;
  readonly count: number;
  readonly why: string;
}

/**
 * Exact sets, single labels, F1 over all pairs of example and class, and the mean of the classes' own.
 * Source: Tsoumakas, Katakis & Vlahavas 2010, Data Mining and Knowledge Discovery Handbook, section 34.7; Cochran 1977, section 2.11.
 */
export function setScores(of: SetSums): SetScore[] {
  const classes = of.support.length;
  if (of.count === 0 || classes === 0) {
    const why = "of no example the set of classes is known";
    return ["exact sets", "single labels", "micro F1", "macro F1"].map((name) => undefinedScore(name, of.count, why));
  }
  const share = of.labels / of.count / classes;
  return [
    { ...defined("exact sets", of.exact / of.count, wilson(of.exact, of.count), "wilson"), count: of.count },
    { ...defined("single labels", share, labelsInterval(of, share, classes), "wilson"), count: of.count },
    microF1(of),
    macroF1(of),
  ];
}

/** Wilson's, of as many labels as would vary as the share does over examples. Source: Korn & Graubard 1998. */
function labelsInterval(of: SetSums, share: number, classes: number): Bounds | null {
  const spread = of.count * of.labelsSquared - of.labels ** 2;
  if (spread <= 0) return wilson(share * of.count, of.count);
  const variance = spread / (of.count - 1) / (of.count * classes) ** 2;
  const quantiles = Z95 / studentQuantile95(of.count - 1);
  const varying = ((share * (1 - share)) / variance) * quantiles ** 2;
  const trials = Math.min(Math.max(varying, of.count), of.count * classes);
  return wilson(share * trials, trials);
}

const defined = (name: string, value: number, interval: Bounds | null, method: string) => ({
  name,
  value,
  interval,
  method: interval ? method : "",
  why: "",
});

function undefinedScore(name: string, count: number, why: string): SetScore {
  return { name, value: null, interval: null, method: "", count, why };
}

function microF1(of: SetSums): SetScore {
  if (of.either === 0) return undefinedScore("micro F1", of.count, "no class is true or called anywhere");
  const ratio = of.both / of.either;
  const squares = of.bothSquared - 2 * ratio * of.product + ratio ** 2 * of.eitherSquared;
  if (squares > ROUNDING * of.eitherSquared) {
    const interval = deltaInterval(ratio, Math.sqrt(squares) / of.either, "share");
    return { ...defined("micro F1", ratio, interval, "delta"), count: of.count };
  }
  // All examples have the same ratio, as 0 or 1.
  const examples = of.either ** 2 / of.eitherSquared;
  const interval = shareToF1(wilson((ratio / (2 - ratio)) * examples, examples));
  return { ...defined("micro F1", ratio, interval, "wilson"), count: of.count };
}

/** The interval of a mean over classes is the mean of their intervals: right if all go up and down together, else too wide. */
function macroF1(of: SetSums): SetScore {
  let [number, value, low, high] = [0, 0, 0, 0];
  of.right.forEach((right, index) => {
    const [support, called] = [of.support[index] as number, of.called[index] as number];
    const interval = f1Interval(right, support, called);
    if (!interval) return;
    number += 1;
    value += (2 * right) / (support + called);
    low += interval.low;
    high += interval.high;
  });
  if (number === 0) return undefinedScore("macro F1", of.count, "no class has both examples of it and others");
  const interval = { low: low / number, high: high / number };
  return { ...defined("macro F1", value / number, interval, "at least"), count: of.count };
}
