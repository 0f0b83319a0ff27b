/**
 * Intervals of calibration errors: the true errors under which the found one is no surprise; a twin of
 * pellucid.measures.calibration_intervals, which says what is done and why.
 */
import { type Bounds, wilson } from "./intervals";
import { erf, normalShare } from "./normal";

const LEVEL = 0.95;
const LEAST_GAP = 1e-6;
const LEAST_DEVIATION = 1e-14;
const FAR = 8;
const UNFOLDED = 6;
const HALVINGS = 6;
const CHORDS = 30;
const NEAR = 1e-13;
const EDGE = 1e-9;

/** Bins that hold examples: how many, their mean confidence and accuracy. */
export interface Filled {
  readonly counts: readonly number[];
  readonly confidence: readonly number[];
  readonly accuracy: readonly number[];
}

interface Moments {
  readonly mean: number;
  readonly deviation: number;
  readonly skewness: number;
}

/** Mean, variance and third central moment. */
export interface Folded {
  readonly mean: number;
  readonly variance: number;
  readonly third: number;
}

/** The 95% interval of the true error; null without examples. */
export function errorInterval(bins: Gaps): Bounds | null {
  if (bins.gaps.length === 0) return null;
  const found = bins.error(bins.gaps);
  const atNone = bins.moments(bins.gaps.map(() => 0)).mean;
  const surprise = (gaps: readonly number[]) => {
    const { mean, deviation, skewness } = bins.moments(gaps);
    const above = Math.max((mean - atNone) / deviation, 0);
    return surpriseOf(above, above + normalScore((found - mean) / deviation, skewness));
  };
  const most = bins.uneven();
  const even = bins.smooth();
  let low = 0;
  if (surprise(most.map(() => 0)) > LEVEL) {
    const end = endOf((error) => surprise(bins.scaled(most, error)) - LEVEL, 0, found);
    low = bins.error(bins.scaled(most, end));
  }
  const far = found + FAR * bins.moments(bins.scaled(even, found)).deviation + 2 / bins.total;
  const end = endOf((error) => surprise(bins.scaled(even, error)) + LEVEL, low, far);
  const high = Math.max(low, bins.error(bins.scaled(even, end)));
  const ends = bins.squared ? { low: Math.sqrt(low), high: Math.sqrt(high) } : { low, high };
  const mean = ofOneKind(bins);
  return mean ? { low: Math.min(ends.low, mean.low), high: Math.max(ends.high, mean.high) } : ends;
}

/** How far confidence may be off in the mean, where all answers are right or all are wrong; null elsewhere. */
function ofOneKind(bins: Gaps): Bounds | null {
  const right = bins.mean(bins.bins.accuracy);
  if (right > EDGE && right < 1 - EDGE) return null;
  const share = wilson(Math.round(right) * bins.total, bins.total);
  if (!share) return null;
  const said = bins.mean(bins.bins.confidence);
  return {
    low: Math.max(0, share.low - said, said - share.high),
    high: Math.max(said - share.low, share.high - said),
  };
}

/** Where a falling function is 0, or `high` where it stays above. Source: Dowell & Jarratt 1971, BIT 11:168. */
function endOf(of: (value: number) => number, from: number, to: number): number {
  let [low, high] = [from, to];
  let [atLow, atHigh] = [of(low), of(high)];
  if (atHigh > 0) return high;
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    const value = of(middle);
    if (value > 0) [low, atLow] = [middle, value];
    else [high, atHigh] = [middle, value];
  }
  // An end that stays twice counts half, or the chords would come near from one side only.
  let moved = 0;
  for (let step = 0; step < CHORDS; step++) {
    const middle = (atLow * high - atHigh * low) / (atLow - atHigh);
    const value = of(middle);
    if (Math.abs(value) < NEAR) return middle;
    if (value > 0) [low, atLow, atHigh] = [middle, value, moved > 0 ? atHigh / 2 : atHigh];
    else [high, atHigh, atLow] = [middle, value, moved < 0 ? atLow / 2 : atLow];
    moved = Math.sign(value);
  }
  return (low + high) / 2;
}

/** Bins, each example in one of them; other kinds of bins are subclasses. */
export class Gaps {
  readonly gaps: readonly number[];
  readonly variances: readonly number[];

  /**
   * `squared`: of the root of the mean squared gap, or of the mean absolute one. `shares` are those of the `total` examples, where
   * they are not the counts'.
   */
  constructor(
    readonly bins: Filled,
    readonly squared = false,
    readonly total = bins.counts.reduce((sum, one) => sum + one, 0),
    readonly shares: readonly number[] = bins.counts.map((one) => one / total),
  ) {
    const { counts, confidence, accuracy } = bins;
    this.gaps = accuracy.map((one, bin) => one - (confidence[bin] as number));
    // Two more examples that are right as often as they say keep the variance from being 0.
    this.variances = counts.map((count, bin) => {
      const said = confidence[bin] as number;
      const right = ((accuracy[bin] as number) * count + 2 * said) / (count + 2);
      return Math.max(right * (1 - right), (said * (1 - said)) / 4) / count + 1e-15;
    });
  }

  error(gaps: readonly number[]): number {
    return this.weighed((bin) => {
      const gap = gaps[bin] as number;
      return this.squared ? gap * gap : Math.abs(gap);
    });
  }

  /** Of the found error, where these are the true gaps. */
  moments(gaps: readonly number[]): Moments {
    const { mean, variance, third } = this.squared ? this.ofSquares(gaps) : this.ofSizes(gaps);
    const deviation = Math.sqrt(Math.max(variance - this.error(gaps) ** 2 / this.total, LEAST_DEVIATION));
    // Both moments with what the counts of bins add by chance, as the third one has it.
    return { mean, deviation, skewness: third / Math.max(variance, LEAST_DEVIATION) ** 1.5 };
  }

  private ofSquares(gaps: readonly number[]): Folded {
    let [mean, variance, third] = [0, 0, 0];
    gaps.forEach((gap, bin) => {
      const share = this.shares[bin] as number;
      const accuracy = (this.bins.confidence[bin] as number) + gap;
      const own = (accuracy * (1 - accuracy)) / (this.bins.counts[bin] as number);
      mean += share * (gap * gap + own);
      variance += share * share * (2 * own * own + 4 * gap * gap * own) + (share * gap ** 4) / this.total;
      third += share ** 3 * (8 * own ** 3 + 24 * gap * gap * own * own);
    });
    return { mean, variance, third };
  }

  private ofSizes(gaps: readonly number[]): Folded {
    const deviations = gaps.map((gap, bin) => {
      const accuracy = (this.bins.confidence[bin] as number) + gap;
      const chance = (accuracy * (1 - accuracy) + gap * gap) / (this.bins.counts[bin] as number);
      return (this.shares[bin] as number) * Math.sqrt(chance);
    });
    return this.ofSum(
      gaps.map((gap, bin) => (this.shares[bin] as number) * gap),
      deviations,
    );
  }

  /** Of the sum of the absolute values of what the bins add to the error, which are normal. */
  protected ofSum(means: readonly number[], deviations: readonly number[]): Folded {
    let [mean, variance, third] = [0, 0, 0];
    means.forEach((one, bin) => {
      const of = folded(one, deviations[bin] as number);
      mean += of.mean;
      variance += of.variance;
      third += of.third;
    });
    return { mean, variance, third };
  }

  /** Variance of the sum of so many times each gap. */
  protected spread(weights: readonly number[]): number {
    return weights.reduce((sum, weight, bin) => sum + weight * weight * (this.variances[bin] as number), 0);
  }

  /** Likely sizes of the gaps, whose weighted mean is `level`, with their signs: those of the found ones. */
  protected signed(sizes: readonly number[], _level: number): number[] {
    return sizes.map((size, bin) => ((this.gaps[bin] as number) < 0 ? -size : size));
  }

  /** Gaps of that pattern with this error, as far as accuracies stay between 0 and 1. */
  scaled(pattern: readonly number[], error: number): number[] {
    const size = this.error(pattern);
    const factor = this.squared ? Math.sqrt(error / size) : error / size;
    return pattern.map((one, bin) => {
      const said = this.bins.confidence[bin] as number;
      return Math.min(1, Math.max(0, said + one * factor)) - said;
    });
  }

  /** The gaps as they were found, less half of what chance adds to their squares. */
  uneven(): number[] {
    return this.gaps.map((gap, bin) => {
      const size = Math.sqrt(Math.max(gap * gap - (this.variances[bin] as number) / 2, LEAST_GAP * LEAST_GAP));
      return gap < 0 ? -size : size;
    });
  }

  /** The gaps that are expected: a line over confidence, each of its two parts shrunk, and what is left, shrunk. */
  smooth(): number[] {
    const { gaps, variances, bins } = this;
    const sum = (of: (bin: number, weight: number) => number) =>
      variances.reduce((total, variance, bin) => total + of(bin, 1 / variance), 0);
    const whole = sum((_, weight) => weight);
    const middle = sum((bin, weight) => weight * (bins.confidence[bin] as number)) / whole;
    const away = bins.confidence.map((one) => one - middle);
    const spread = sum((bin, weight) => weight * (away[bin] as number) ** 2) + 1e-300;
    const level = sum((bin, weight) => weight * (gaps[bin] as number)) / whole;
    const slope = sum((bin, weight) => weight * (away[bin] as number) * (gaps[bin] as number)) / spread;
    const ofLevel = this.spread(variances.map((variance) => 1 / variance / whole));
    const ofSlope = this.spread(variances.map((variance, bin) => (away[bin] as number) / variance / spread));
    const kept = Math.max(0, 1 - ofLevel / Math.max(level * level, 1e-12 * ofLevel));
    const tilted = ofSlope > 0 ? Math.max(0, 1 - ofSlope / Math.max(slope * slope, 1e-12 * ofSlope)) : 0;
    const line = away.map((one) => kept * level + tilted * slope * one);
    const rest = gaps.map((gap, bin) => gap - (line[bin] as number));
    const left = this.weighed((bin) => (rest[bin] as number) ** 2 - (variances[bin] as number));
    const scatter = Math.max(left, 1e-8);
    const sizes = variances.map((variance, bin) => {
      const own = scatter / (scatter + variance);
      const uncertain =
        variance * own + (1 - own) ** 2 * (kept * ofLevel + tilted * (away[bin] as number) ** 2 * ofSlope);
      const size = folded((line[bin] as number) + own * (rest[bin] as number), Math.sqrt(uncertain)).mean;
      return Math.max(size, LEAST_GAP);
    });
    return this.signed(sizes, level);
  }

  /** Of what each bin has, over examples. */
  mean(values: readonly number[]): number {
    return this.weighed((bin) => values[bin] as number) / this.weighed(() => 1);
  }

  private weighed(of: (bin: number) => number): number {
    return this.shares.reduce((sum, share, bin) => sum + share * of(bin), 0);
  }
}

/** Mean, variance and third central moment of |X|, X normal. */
export function folded(mean: number, deviation: number): Folded {
  const safe = Math.max(deviation, 1e-300);
  const away = Math.abs(mean) / safe;
  const density = Math.sqrt(2 / Math.PI) * Math.exp(-0.5 * away * away);
  const inside = erf(away / Math.SQRT2);
  const first = density + away * inside;
  const second = 1 + away * away;
  const third = (away * away + 2) * density + (away ** 3 + 3 * away) * inside;
  return {
    mean: first * safe,
    variance: Math.max(second - first * first, 0) * safe * safe,
    // Far from 0 nothing is folded, and the differences would be of rounding.
    third: away > UNFOLDED ? 0 : (third - 3 * first * second + 2 * first ** 3) * safe ** 3,
  };
}

/** Where a value of a skewed distribution lies on the normal scale, by a gamma distribution of the same skewness. */
function normalScore(standardised: number, skewness: number): number {
  if (skewness < 1e-6) return standardised;
  return ((Math.cbrt(1 + (skewness * standardised) / 2) - 1 + (skewness * skewness) / 36) * 6) / skewness;
}

/** The share of normal values of deviation 1 and a mean of at least 0 that are likelier than this one; negated below the mean. */
function surpriseOf(mean: number, value: number): number {
  const order = value >= 0 ? -((value - mean) ** 2) / 2 : mean * value - (mean * mean) / 2;
  if (value < mean) return normalShare(value - mean) - normalShare(Math.sqrt(-2 * order));
  let other = 2 * mean - value;
  if (other < 0) other = mean > 0 ? (order + (mean * mean) / 2) / mean : Number.NEGATIVE_INFINITY;
  return normalShare(value - mean) - normalShare(other - mean);
}
