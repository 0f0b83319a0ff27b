/**
 * Labels that look wrong, of any selection, by confident learning; twin of pellucid.measures.label_errors, which says how.
 * Source: Northcutt, Jiang & Chuang 2021, arXiv:1911.00068.
 */

/** Float32 probabilities may lack so much of a threshold that they equal. */
export const SLACK = 1e-6;

export interface Labelled {
  readonly targets: Int32Array;
  /** Cross-entropy, nats; NaN where infinite or not known. */
  readonly logLosses: Float64Array;
  /** The few most probable classes of a row and their probabilities, most probable first; empty where not known. */
  topClasses(row: number): ArrayLike<number>;
  topProbabilities(row: number): ArrayLike<number>;
  /** Whether labels are soft: the loss then says nothing of the label's own probability. */
  readonly isSoft: boolean;
}

export interface Issue {
  readonly row: number;
  readonly given: number;
  readonly suggested: number;
  readonly givenProbability: number;
  readonly suggestedProbability: number;
  /** Of the label less the highest other probability. */
  readonly margin: number;
}

export interface Disputed {
  /** Examples that were judged: with a label and probabilities. */
  readonly count: number;
  readonly issues: readonly Issue[];
  readonly unplaced: number;
  readonly undecided: number;
  /** How many labels are wrong, by the joint scaled to the labels; null where no example is counted. */
  readonly estimated: number | null;
}

/** Probability that a row's label is given; 0 where its loss is infinite, which the table writes as not known. */
export function labelProbability(row: number, labelled: Labelled): number {
  if (!labelled.isSoft) {
    const loss = labelled.logLosses[row] as number;
    return Number.isNaN(loss) ? 0 : Math.exp(-loss);
  }
  const [classes, probabilities] = [labelled.topClasses(row), labelled.topProbabilities(row)];
  let rest = 1;
  for (let at = 0; at < classes.length; at++) {
    if (classes[at] === labelled.targets[row]) return probabilities[at] as number;
    rest -= probabilities[at] as number;
  }
  return Math.max(0, rest);
}

/** The mean probability of each class over the rows that it labels; infinite where it labels none. */
export function thresholdsOf(rows: Uint32Array, labelled: Labelled, classes: number): Float64Array {
  const counts = new Float64Array(classes);
  const sums = new Float64Array(classes);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = labelled.targets[row] as number;
    if (target < 0 || target >= classes || labelled.topClasses(row).length === 0) continue;
    counts[target] = (counts[target] as number) + 1;
    sums[target] = (sums[target] as number) + labelProbability(row, labelled);
  }
  return sums.map((sum, index) => ((counts[index] as number) > 0 ? sum / (counts[index] as number) : Infinity));
}

/** The class that a row confidently belongs to: -1 where none reaches its threshold, -2 where that cannot be told. */
export function confidentClass(row: number, labelled: Labelled, thresholds: Float64Array, least: number): number {
  const [classes, probabilities] = [labelled.topClasses(row), labelled.topProbabilities(row)];
  for (let at = 0; at < classes.length; at++) {
    const index = classes[at] as number;
    if ((probabilities[at] as number) >= (thresholds[index] as number) - SLACK) return index;
  }
  const last = probabilities[probabilities.length - 1] ?? 1;
  return classes.length < thresholds.length && last >= least - SLACK ? -2 : -1;
}

/** Every disputed label among the rows, by the thresholds of all examples; lowest margin first. */
export function disputed(rows: Uint32Array, labelled: Labelled, thresholds: Float64Array): Disputed {
  const least = thresholds.reduce((one, other) => Math.min(one, other), Infinity);
  const given = new Map<number, { labelled: number; counted: number; wrong: number }>();
  const issues: Issue[] = [];
  let [count, unplaced, undecided] = [0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = labelled.targets[row] as number;
    const classes = labelled.topClasses(row);
    if (target < 0 || classes.length === 0) continue;
    count += 1;
    const of = given.get(target) ?? { labelled: 0, counted: 0, wrong: 0 };
    given.set(target, of);
    of.labelled += 1;
    const found = confidentClass(row, labelled, thresholds, least);
    if (found === -2) undecided += 1;
    else if (found === -1) unplaced += 1;
    else {
      of.counted += 1;
      if (found === target) continue;
      of.wrong += 1;
      issues.push(issueOf(row, target, found, labelled));
    }
  }
  issues.sort((one, other) => one.margin - other.margin || one.row - other.row);
  const counted = [...given.values()].filter((one) => one.counted > 0);
  const estimated = counted.length
    ? counted.reduce((sum, one) => sum + (one.labelled * one.wrong) / one.counted, 0)
    : null;
  return { count, issues, unplaced, undecided, estimated };
}

function issueOf(row: number, given: number, suggested: number, labelled: Labelled): Issue {
  const [classes, probabilities] = [labelled.topClasses(row), labelled.topProbabilities(row)];
  const own = labelProbability(row, labelled);
  const other = (classes[0] === given ? probabilities[Math.min(1, probabilities.length - 1)] : probabilities[0]) ?? 0;
  let suggestedProbability = 0;
  for (let at = 0; at < classes.length; at++) {
    if (classes[at] === suggested) suggestedProbability = probabilities[at] as number;
  }
  return { row, given, suggested, givenProbability: own, suggestedProbability, margin: own - other };
}
