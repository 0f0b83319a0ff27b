/** The smooth calibration error and its interval: a twin of pellucid.measures.calibration_kernel, which says what is done and why. */
import { errorInterval, type Filled, type Folded, folded, Gaps } from "./calibrationintervals";
import { remembered } from "./chosen";
import type { Bounds } from "./intervals";
import type { Reliability } from "./miscalibration";
import { erf } from "./normal";

const REACH = 6;
const GRID = 600;
const LEAST_SHARE = 1e-9;
const LEAST_CHANCE = 1e-9;
const LEAST_FOLDED = 1e-9;
/** Kernel widths beyond which nothing is left of a kernel in float64. */
const NOTHING = 9;
/** Points beyond which two kernels share nothing: points are at least half a kernel width apart. */
const FAR = 2 * NOTHING;
const ROUNDING = 1e-9;

/** Source: Blasiok & Nakkiran 2023, arXiv:2309.12236: the kernel is as wide as what it finds. */
export const smoothError = remembered((bins: Reliability): { value: number | null; interval: Bounds | null } => {
  const cells = {
    counts: inCells(bins.counts),
    confidences: inCells(bins.confidences),
    correct: inCells(bins.correct),
  };
  const total = cells.counts.reduce((sum, one) => sum + one, 0);
  if (total === 0) return { value: null, interval: null };
  const gaps = cells.correct.map((right, cell) => (right - (cells.confidences[cell] as number)) / total);
  const width = widthOf(gaps);
  return { value: smoothed(gaps, width), interval: errorInterval(seen(cells, total, width)) };
});

function inCells(values: Float64Array): Float64Array {
  const found = new Float64Array(GRID);
  const per = values.length / GRID;
  for (let bin = 0; bin < values.length; bin++) {
    const cell = Math.floor(bin / per);
    found[cell] = (found[cell] as number) + (values[bin] as number);
  }
  return found;
}

function widthOf(gaps: Float64Array): number {
  let [low, high] = [1 / GRID, 1];
  // No kernel finds more than all gaps together.
  const most = gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) * (1 + ROUNDING);
  for (let step = 0; step < 12; step++) {
    const middle = (low + high) / 2;
    if (middle <= most && smoothed(gaps, middle) > middle) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Integral of |gaps * kernel|, the kernel reflected at 0 and 1: on a circle of twice the length, with each gap's mirror image. What
 * lies as far to the left as to the right has the same weight, so that both are added before they are weighed.
 */
function smoothed(gaps: Float64Array, width: number): number {
  const number = gaps.length;
  const reach = Math.ceil(REACH * width * number);
  const around = new Float64Array(2 * number);
  let whole = 0;
  for (let at = -reach; at <= reach; at++) {
    const weight = Math.exp(-0.5 * (at / number / width) ** 2);
    const place = ((at % (2 * number)) + 2 * number) % (2 * number);
    around[place] = (around[place] as number) + weight;
    whole += weight;
  }
  // Mirror image, gaps, mirror image.
  const mirrored = new Float64Array(3 * number);
  mirrored.set(gaps.slice().reverse());
  mirrored.set(gaps, number);
  mirrored.set(mirrored.subarray(0, number), 2 * number);
  const heights = new Float64Array(number);
  // Beyond its reach the kernel is 0: a narrow one is not looked for there.
  for (let far = 0; far <= Math.min(reach, number); far++) {
    // At no distance and at half of the circle both sides are the same place.
    const weight = (around[far] as number) * (far === 0 || far === number ? 0.5 : 1);
    for (let to = 0; to < number; to++) {
      const left = mirrored[number + to - far] as number;
      const right = mirrored[number + to + far] as number;
      heights[to] = (heights[to] as number) + weight * (left + right);
    }
  }
  return heights.reduce((sum, height) => sum + Math.abs(height), 0) / whole;
}

interface Cells {
  readonly counts: Float64Array;
  readonly confidences: Float64Array;
  readonly correct: Float64Array;
}

/** What a kernel sees from each of some points: bins that overlap. */
function seen({ counts, confidences, correct }: Cells, total: number, width: number): Smoothed {
  const chances = counts.map((count, cell) => {
    const said = (confidences[cell] as number) / Math.max(count, 1);
    return count * Math.max(said * (1 - said), LEAST_CHANCE);
  });
  const kernel: View[] = [];
  const found = { counts: [] as number[], confidence: [] as number[], accuracy: [] as number[] };
  const shares: number[] = [];
  for (const view of kernelOf(width)) {
    const mass = view.sum(counts) / total;
    if (mass <= LEAST_SHARE) continue;
    kernel.push(view);
    shares.push(mass);
    found.counts.push((total * mass * mass) / (view.product(view, counts) / total));
    found.confidence.push(Math.min(view.sum(confidences) / total / mass, 1));
    found.accuracy.push(Math.min(Math.max(view.sum(correct) / total / mass, 0), 1));
  }
  const deviations = kernel.map((view) => Math.sqrt(view.product(view, chances)));
  const correlations = kernel.map((view, one) =>
    Float64Array.from(kernel.slice(one, one + FAR), (other, away) => {
      const product = view.product(other, chances);
      return product / (deviations[one] as number) / (deviations[one + away] as number);
    }),
  );
  return new Smoothed(found, total, shares, correlations);
}

/** How much of each cell from `first` on lies at a point. */
class View {
  constructor(
    readonly first: number,
    readonly weights: Float64Array,
  ) {}

  sum(values: Float64Array): number {
    return this.weights.reduce((sum, weight, place) => sum + weight * (values[this.first + place] as number), 0);
  }

  /** The sum over cells of both views' weights times the cell's value. */
  product(other: View, values: Float64Array): number {
    const end = Math.min(this.first + this.weights.length, other.first + other.weights.length);
    let sum = 0;
    for (let cell = Math.max(this.first, other.first); cell < end; cell++) {
      const both = (this.weights[cell - this.first] as number) * (other.weights[cell - other.first] as number);
      sum += both * (values[cell] as number);
    }
    return sum;
  }
}

/** Views from points no farther apart than the kernel is wide; both ends are mirrors, and the shares of a cell sum to 1. */
function kernelOf(width: number): View[] {
  const number = Math.min(GRID, Math.ceil(1 / width));
  const images = Math.ceil((REACH * width) / 2) + 1;
  const wholes = new Float64Array(GRID);
  const reach = NOTHING * width * GRID;
  const views = Array.from({ length: number }, (_, point) => {
    const at = (point + 0.5) / number;
    const first = Math.max(0, Math.floor(at * GRID - reach));
    const weights = new Float64Array(Math.min(GRID, Math.ceil(at * GRID + reach)) - first);
    for (let place = 0; place < weights.length; place++) {
      const cell = (first + place + 0.5) / GRID;
      let weight = 0;
      for (let image = -images; image <= images; image++) {
        const middle = at - 2 * image;
        for (const away of [(middle - cell) / width, (middle + cell) / width])
          if (Math.abs(away) < NOTHING) weight += Math.exp(-0.5 * away * away);
      }
      weights[place] = weight;
      wholes[first + place] = (wholes[first + place] as number) + weight;
    }
    return new View(first, weights);
  });
  for (const { first, weights } of views)
    for (let place = 0; place < weights.length; place++)
      weights[place] = (weights[place] as number) / (wholes[first + place] as number);
  return views;
}

class Smoothed extends Gaps {
  constructor(
    bins: Filled,
    total: number,
    shares: readonly number[],
    /** Of each bin with itself and with those that follow, of what chance adds to them. */
    readonly correlations: readonly Float64Array[],
  ) {
    super(bins, false, total, shares);
  }

  /** Source: Price 1958, IRE Transactions on Information Theory 4:69 (covariances of absolute values). */
  protected override ofSum(means: readonly number[], deviations: readonly number[]): Folded {
    const derivatives = means.map((mean, bin) => derivativesOf(mean, deviations[bin] as number));
    const covariances = new Float64Array(means.length);
    this.correlations.forEach((row, one) => {
      const [first, second, third, fourth] = derivatives[one] as Derivatives;
      row.forEach((correlation, away) => {
        const of = derivatives[one + away] as Derivatives;
        const powers = (third * of[2]) / 6 + (correlation * fourth * of[3]) / 24;
        const covariance = correlation * (first * of[0] + correlation * ((second * of[1]) / 2 + correlation * powers));
        covariances[one] = (covariances[one] as number) + covariance;
        if (away > 0) covariances[one + away] = (covariances[one + away] as number) + covariance;
      });
    });
    let [sum, variance, third] = [0, 0, 0];
    means.forEach((mean, bin) => {
      const deviation = deviations[bin] as number;
      const alone = folded(mean, deviation);
      const covariance = covariances[bin] as number;
      sum += alone.mean;
      variance += covariance;
      if (alone.variance > LEAST_FOLDED * deviation ** 2)
        third += alone.third * (Math.max(covariance, 0) / alone.variance) ** 2;
    });
    return { mean: sum, variance, third: (2 / Math.sqrt(3)) * third };
  }

  protected override spread(weights: readonly number[]): number {
    const deviations = weights.map((weight, bin) => weight * Math.sqrt(this.variances[bin] as number));
    let sum = 0;
    this.correlations.forEach((row, one) => {
      row.forEach((correlation, away) => {
        const product = correlation * (deviations[one] as number) * (deviations[one + away] as number);
        sum += away > 0 ? 2 * product : product;
      });
    });
    return sum;
  }

  /** With the sign of their weighted mean: bins that overlap go up and down together. */
  protected override signed(sizes: readonly number[], level: number): number[] {
    return sizes.map((size) => (level < 0 ? -size : size));
  }
}

type Derivatives = readonly [number, number, number, number];

/** What is expected of the first four derivatives of |X|, times the deviation to that power. */
function derivativesOf(mean: number, deviation: number): Derivatives {
  const away = mean / Math.max(deviation, 1e-300);
  const density = (2 * deviation * Math.exp(-0.5 * away * away)) / Math.sqrt(2 * Math.PI);
  return [deviation * erf(away / Math.SQRT2), density, -away * density, (away * away - 1) * density];
}
