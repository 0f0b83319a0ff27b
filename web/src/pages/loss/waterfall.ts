/** The parts of a score as steps that lead from nothing to the whole. */
import type { Bounds } from "../../measures/intervals";
import type { GroupParts, PartName, Parts } from "../../measures/lossparts";

export const PART_NAMES: readonly PartName[] = ["calibration", "refinement", "within", "naming"];

export const PART_WORDS: Readonly<Record<PartName, { title: string; means: string }>> = {
  calibration: {
    title: "calibration",
    means: "the confidence is not the share of right answers; a temperature or a recalibration can win this back",
  },
  refinement: {
    title: "refinement",
    means: "among answers of one confidence some are right and some are wrong, and the confidence does not tell which",
  },
  within: {
    title: "within bins",
    means: "what the single confidences of a bin lose against its mean; negative where they tell more than the mean",
  },
  naming: {
    title: "naming",
    means: "of the classes that are not the first answer, the label was given little",
  },
};

export interface Step {
  readonly name: PartName;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  /** What of it no model could do without, where labels are soft. */
  readonly irreducible: number | null;
  /** Where it may end, at 95%. */
  readonly ends: Bounds | null;
}

/** Steps from 0 to the total, each beginning where the one before ends. */
export function stepsOf(parts: Parts): Step[] {
  let at = 0;
  return PART_NAMES.map((name) => {
    const from = at;
    at += parts[name];
    const bounds = parts.intervals[name];
    const ends = bounds && { low: from + bounds.low, high: from + bounds.high };
    return { name, value: parts[name], from, to: at, irreducible: irreducibleOf(parts, name), ends };
  });
}

function irreducibleOf({ irreducible, irreducibleAnswer, refinement, naming }: Parts, name: PartName): number | null {
  if (irreducible === null || irreducibleAnswer === null) return null;
  if (name === "refinement") return Math.min(irreducibleAnswer, refinement);
  if (name === "naming") return Math.max(0, Math.min(irreducible - irreducibleAnswer, naming));
  return null;
}

/** Ends of the axis that holds every step, from 0 at least to the whole. */
export function extentOf(steps: readonly Step[]): readonly [number, number] {
  const ends = steps.flatMap((step) => [step.from, step.to, step.ends?.low ?? step.to, step.ends?.high ?? step.to]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  return high > low ? [low, high] : [0, 1];
}

/** Parts of one group laid end to end: those above 0 to the right of it, the others to the left. */
export function laid(group: GroupParts): { name: PartName; from: number; to: number }[] {
  let [left, right] = [0, 0];
  return PART_NAMES.map((name) => {
    const value = group[name];
    if (value >= 0) {
      right += value;
      return { name, from: right - value, to: right };
    }
    left += value;
    return { name, from: left, to: left - value };
  });
}
