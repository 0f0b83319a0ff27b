/** What pages draw, made from the sums that answer their questions. */
import type { ClassSums, FineCounts, Sums } from "../record/questions";
import type { ClassShare, Mean, Share } from "./accuracy";
import { meanInterval, wilson } from "./intervals";
import type { ClassLoss } from "./loss";
import type { Reliability } from "./miscalibration";

export function shareOf(sums: Pick<Sums, "correct" | "judged"> | null): Share {
  return share(sums?.correct ?? 0, sums?.judged ?? 0);
}

export function meanOfSums(sums: Pick<Sums, "losses" | "lossSum" | "lossSquares"> | null): Mean {
  const { losses, lossSum, lossSquares } = sums ?? { losses: 0, lossSum: 0, lossSquares: 0 };
  return {
    count: losses,
    value: losses > 0 ? lossSum / losses : null,
    interval: meanInterval(lossSum, lossSquares, losses),
  };
}

/** Recall and precision of each class that occurs. */
export function sharesByClass(sums: ClassSums): ClassShare[] {
  return Array.from(sums.classes, (index, at) => ({
    index,
    recall: share(sums.correct[at] as number, sums.support[at] as number),
    precision: share(sums.correct[at] as number, sums.predicted[at] as number),
  }));
}

/** Mean loss and share of the total of each class that occurs. */
export function lossesByClass(sums: ClassSums): ClassLoss[] {
  const total = sums.lossSum.reduce((all, one) => all + one, 0);
  return Array.from(sums.classes, (index, at) => {
    const [count, sum] = [sums.losses[at] as number, sums.lossSum[at] as number];
    return {
      index,
      count,
      mean: count > 0 ? sum / count : null,
      share: total > 0 ? sum / total : null,
      interval: meanInterval(sum, sums.lossSquares[at] as number, count),
    };
  });
}

export function reliabilityOf({ counts, confidences, correct }: FineCounts): Reliability {
  const bins = counts.length;
  return { edges: Float64Array.from({ length: bins + 1 }, (_, bin) => bin / bins), counts, confidences, correct };
}

/** Bounds of the bins that `lossBins` has, with the counts of all and of the selected examples. */
export function lossBinsOf(all: Float64Array, part: Float64Array, mostLoss: number, floor = 1e-6) {
  const low = Math.log(floor);
  const step = (Math.log(Math.max(mostLoss, floor) * 1.0001) - low) / all.length || 1;
  return Array.from(all, (count, bin) => ({
    low: Math.exp(low + bin * step),
    high: Math.exp(low + (bin + 1) * step),
    count,
    part: part[bin] as number,
  }));
}

function share(correct: number, count: number): Share {
  return { correct, count, value: count > 0 ? correct / count : null, interval: wilson(correct, count) };
}
