/** Scales for axes, over d3-scale; the one place that imports it. */
import { scaleLinear, scaleLog, scaleSqrt, scaleSymlog } from "d3-scale";

export type ScaleKind = "linear" | "log" | "sqrt" | "symlog";

export interface Scale {
  (value: number): number;
  invert(position: number): number;
  range(): number[];
  ticks(count: number): number[];
}

export function scale(kind: ScaleKind, domain: readonly [number, number], range: readonly [number, number]): Scale {
  const made = { linear: scaleLinear(), log: scaleLog(), sqrt: scaleSqrt(), symlog: scaleSymlog() }[kind];
  return made.domain(domain).range(range) as unknown as Scale;
}

/**
 * From 0 to the largest, and from nearer where all lie far from 0 and close together: dots stand for a place, not for a
 * length, and their differences are what one looks for.
 */
export function dotDomain(values: readonly (number | null | undefined)[]): [number, number] {
  const known = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  if (known.length === 0 || high <= 0) return [Math.min(0, low, 0), 1e-9];
  const span = Math.max(high - low, 0.01 * high);
  return low > 0.6 * high ? [Math.max(0, low - 0.25 * span), high + 0.05 * span] : [Math.min(0, low), high];
}

/** Ticks that are powers of ten on a logarithmic axis, at most `most` of them. */
export function ticks(of: Scale, kind: ScaleKind, most: number): number[] {
  if (kind !== "log") return of.ticks(most);
  const powers = of.ticks(10).filter((value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9);
  const stride = Math.max(1, Math.ceil(powers.length / most));
  const kept = powers.filter((_, index) => index % stride === 0);
  if (kept.length >= 2) return kept;
  return shortTicks(of, most);
}

/** Ticks of equal worth, the roundest first: powers of ten, then two and five of each, then its other digits, then halves. */
const WORTH: readonly ((leading: number) => boolean)[] = [
  (leading) => leading === 1,
  (leading) => leading === 2 || leading === 5,
  (leading) => Number.isInteger(leading),
  (leading) => Number.isInteger(2 * leading),
  () => true,
];

/**
 * Of a logarithmic axis without two powers of ten: as many rounds as there is room for, each whole, so that ticks reach over all
 * of it; where a round is too many, every so many of it.
 */
function shortTicks(of: Scale, most: number): number[] {
  const [start = 0, end = 0] = of.range();
  const room = (0.6 * Math.abs(end - start)) / most;
  const apart = (kept: readonly number[]) =>
    kept.every((value, at) => at === 0 || Math.abs(of(value) - of(kept[at - 1] as number)) >= room);
  const joined = (kept: readonly number[], more: readonly number[]) =>
    [...new Set([...kept, ...more])].sort((one, other) => one - other);
  const candidates = of.ticks(10);
  let kept: number[] = [];
  for (const worth of WORTH) {
    const round = candidates.filter((value) => worth(leadingOf(value)));
    const all = joined(kept, round);
    if (all.length <= most && apart(all)) kept = all;
    else if (kept.length < 2) {
      // Every so many of them: as many as there is room for.
      const thinned = all.map((_, less) => all.filter((_, at) => at % (less + 2) === 0));
      kept = thinned.find((some) => some.length >= 2 && some.length <= most && apart(some)) ?? kept;
    }
  }
  return kept;
}

/** 2.5 of 0.0025. */
const leadingOf = (value: number): number =>
  Number((value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toPrecision(6));
