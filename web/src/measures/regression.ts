/** How far numbers are from their targets, for any selection: a twin of pellucid.measures.regression. */
import type { Score } from "./classification";
import { type Bounds, ratioInterval } from "./intervals";
import { studentQuantile } from "./student";

/** Targets and outputs of the examples that have both, and their rows. */
export interface Pairs {
  readonly rows: Uint32Array;
  readonly targets: Float64Array;
  readonly outputs: Float64Array;
}

export function pairsOf(rows: Uint32Array, targets: Float64Array, outputs: Float64Array): Pairs {
  const known = rows.filter((row) => Number.isFinite(targets[row]) && Number.isFinite(outputs[row]));
  return {
    rows: known,
    targets: Float64Array.from(known, (row) => targets[row] as number),
    outputs: Float64Array.from(known, (row) => outputs[row] as number),
  };
}

export const REGRESSION_SCORES = ["R2", "root mean squared error", "mean absolute error", "bias"] as const;

/** R2, root mean squared error, mean absolute error and bias (mean of output less target), each with its interval. */
export function regressionScores({ targets, outputs }: Pairs): Score[] {
  const count = targets.length;
  const score = (place: number, value: number | null, interval: Bounds | null, method: string, why = ""): Score => ({
    name: REGRESSION_SCORES[place] as string,
    value,
    interval,
    count,
    why,
    method,
  });
  if (count === 0)
    return REGRESSION_SCORES.map((_, place) =>
      score(place, null, null, "", "no example has both a target and a finite output"),
    );
  const residuals = outputs.map((output, place) => output - (targets[place] as number));
  const middle = mean(targets);
  const squared = sumOf(residuals, (one) => one * one);
  const fourth = sumOf(residuals, (one) => one ** 4);
  const spread = sumOf(targets, (one) => (one - middle) ** 2);
  const absolute = residuals.map(Math.abs);
  const meanSquare = squared / count;
  const rough = count >= 3 && meanSquare > 0;
  const variance = Math.max(0, fourth / count - meanSquare ** 2) / count;
  return [
    spread > 0
      ? score(0, 1 - squared / spread, r2Interval(), "delta")
      : score(0, null, null, "delta", "all targets are equal, so that there is no spread to explain"),
    score(
      1,
      Math.sqrt(meanSquare),
      rough ? ratioInterval(Math.sqrt(meanSquare), Math.sqrt(variance) / meanSquare / 2) : null,
      "delta",
    ),
    score(2, mean(absolute), notNegative(tInterval(absolute)), "t"),
    score(3, mean(residuals), tInterval(residuals), "t"),
  ];

  function r2Interval(): Bounds | null {
    const ratio = squared / spread;
    if (!rough || ratio <= 0) return null;
    let sum = 0;
    residuals.forEach((residual, place) => {
      sum += (residual ** 2 - ratio * ((targets[place] as number) - middle) ** 2) ** 2;
    });
    const interval = ratioInterval(ratio, Math.sqrt(sum) / spread / ratio);
    return { low: 1 - interval.high, high: 1 - interval.low };
  }
}

function tInterval(values: Float64Array): Bounds | null {
  const count = values.length;
  if (count < 2) return null;
  const middle = mean(values);
  const deviation = Math.sqrt(sumOf(values, (one) => (one - middle) ** 2) / (count - 1) / count);
  const half = studentQuantile(0.975, count - 1) * deviation;
  return { low: middle - half, high: middle + half };
}

/** No mean of absolute values is negative: cut at 0 the interval holds the truth as often. */
function notNegative(interval: Bounds | null): Bounds | null {
  return interval && { low: Math.max(0, interval.low), high: interval.high };
}

function mean(values: Float64Array): number {
  return sumOf(values, (one) => one) / values.length;
}

function sumOf(values: Float64Array, of: (value: number) => number): number {
  let sum = 0;
  for (let place = 0; place < values.length; place++) sum += of(values[place] as number);
  return sum;
}
