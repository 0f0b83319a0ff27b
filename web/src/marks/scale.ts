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
