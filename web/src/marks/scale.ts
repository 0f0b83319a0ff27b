/** Scales for axes, over d3-scale; the one place that imports it. */
import { scaleLinear, scaleLog, scaleSqrt, scaleSymlog } from "d3-scale";

export type ScaleKind = "linear" | "log" | "sqrt" | "symlog";

export interface Scale {
  (value: number): number;
  invert(position: number): number;
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
  // Of a short axis one, two and five of each power: what stands between crowds towards the next.
  const leading = of
    .ticks(10)
    .filter((value) => [1, 2, 5].includes(Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9))));
  return (leading.length >= 2 ? leading : of.ticks(most)).slice(0, most);
}
