/** Calibration of any selection: equal-width bins over confidence, open below and closed above, the first closed. */
import type { Answers } from "./accuracy";
import { type Bounds, wilson } from "./intervals";

export interface CalibrationBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** null where the bin is empty. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
  readonly interval: Bounds | null;
}

export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: |accuracy - confidence| by bin, weighted by count; null without examples. */
  readonly ece: number | null;
}

/** Source: Naeini, Cooper & Hauskrecht 2015, AAAI. A confidence of exactly 1 lies in the last bin. */
export function calibrationOf(
  rows: Uint32Array,
  { targets, predictions, confidences }: Answers & { confidences: Float32Array },
  binCount = 15,
): Calibration {
  const counts = new Float64Array(binCount);
  const correct = new Float64Array(binCount);
  const sums = new Float64Array(binCount);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    const confidence = confidences[row] as number;
    if (target < 0 || prediction < 0 || Number.isNaN(confidence)) continue;
    const bin = Math.min(binCount - 1, Math.max(0, Math.ceil(confidence * binCount) - 1));
    counts[bin] = (counts[bin] as number) + 1;
    sums[bin] = (sums[bin] as number) + confidence;
    if (target === prediction) correct[bin] = (correct[bin] as number) + 1;
  }
  let total = 0;
  let gap = 0;
  const bins = Array.from(counts, (count, bin): CalibrationBin => {
    const right = correct[bin] as number;
    const sum = sums[bin] as number;
    total += count;
    gap += Math.abs(right - sum);
    return {
      low: bin / binCount,
      high: (bin + 1) / binCount,
      count,
      confidence: count > 0 ? sum / count : null,
      accuracy: count > 0 ? right / count : null,
      interval: wilson(right, count),
    };
  });
  return { bins, ece: total > 0 ? gap / total : null };
}
