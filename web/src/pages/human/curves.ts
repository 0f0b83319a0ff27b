/** Psychometric curves and the course of learning as lines and marks. */
import { count, interval, number, percent, percentInterval, plain, plural } from "../../marks/format";
import type { PerceptualLearningPanel, PsychometricCurve, PsychometricSeries } from "../../record/schema.gen";
import type { Level, Series, Spot } from "./Plot.svelte";

const nameOf = (curve: PsychometricCurve) =>
  curve.kind === "people" ? "all people" : plain(curve.observer) || "(no name)";

/** Levels at and below zero have no place on a logarithmic scale. */
const drawable = (level: number, scale: PsychometricSeries["scale"]) =>
  Number.isFinite(level) && (scale === "linear" || level > 0);

/** How many of the levels that were seen cannot be drawn on the scale. */
export function hidden(panel: PsychometricSeries): number {
  const levels = new Set(panel.curves.flatMap((curve) => curve.points.map((point) => point.level)));
  return [...levels].filter((level) => !drawable(level, panel.scale)).length;
}

export function thresholdSaid(curve: PsychometricCurve): string {
  if (curve.threshold === null) return `no threshold: ${plain(curve.why) || "the fit has none"}`;
  const ends = curve.threshold_interval ? ` (${interval(curve.threshold_interval)} at 95%)` : " (no interval)";
  return `threshold ${number(curve.threshold)}${ends}${curve.at === null ? "" : `, where ${percent(curve.at, 0)} are right`}`;
}

export function curveSeries(panel: PsychometricSeries): Series[] {
  return panel.curves.map((curve, index) => {
    const spots: Spot[] = curve.points
      .filter((point) => point.accuracy !== null && drawable(point.level, panel.scale))
      .map((point) => ({
        x: point.level,
        y: point.accuracy as number,
        low: point.interval?.low,
        high: point.interval?.high,
        lines: [
          `${nameOf(curve)} at ${number(point.level)}`,
          `${percent(point.accuracy)} right (${point.interval ? `${percentInterval(point.interval)} at 95%` : "no interval"})`,
          `${count(point.correct)} of ${count(point.count)} answers`,
        ],
      }));
    const threshold =
      curve.threshold !== null && curve.at !== null && drawable(curve.threshold, panel.scale)
        ? {
            at: curve.threshold,
            y: curve.at,
            low: curve.threshold_interval?.low ?? null,
            high: curve.threshold_interval?.high ?? null,
            lines: [nameOf(curve), thresholdSaid(curve)],
          }
        : null;
    const line = curve.levels
      .map((level, at) => [level, curve.accuracies[at] ?? Number.NaN] as const)
      .filter(([level, value]) => drawable(level, panel.scale) && Number.isFinite(value));
    return { key: String(index), look: curve.kind, line, spots, threshold };
  });
}

/** From the least to the greatest of what is drawn; never empty. */
export function reach(series: readonly Series[], kind: "linear" | "log"): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const one of series) {
    for (const [at] of one.line) [low, high] = [Math.min(low, at), Math.max(high, at)];
    for (const { x } of one.spots) [low, high] = [Math.min(low, x), Math.max(high, x)];
  }
  if (low > high) return kind === "log" ? [0.1, 1] : [0, 1];
  if (kind === "log") return low < high ? [low / 1.1, high * 1.1] : [low / 2, high * 2];
  const room = low < high ? 0.03 * (high - low) : 0.5;
  return [low - room, high + room];
}

export interface Course {
  readonly series: Series[];
  readonly levels: Level[];
  readonly band: { x: number; low: number; high: number }[];
  readonly y: [number, number];
}

/** The kappa at each checkpoint, the band of independent errors, and the ceiling among people. */
export function courseOf(panel: PerceptualLearningPanel, href: (step: number) => string): Course {
  const known = panel.points.filter((point) => point.kappa !== null);
  const spots = known.map((point) => ({
    x: point.step,
    y: point.kappa as number,
    low: point.interval?.low,
    high: point.interval?.high,
    href: href(point.step),
    lines: [
      `step ${count(point.step)}`,
      `mean kappa with people ${number(point.kappa)} (${point.interval ? `${interval(point.interval)} at 95%` : "no interval"})`,
      `independent errors: ${point.null ? interval(point.null) : "not known"}`,
      `${percent(point.accuracy)} right of ${plural(point.count, "image")}`,
    ],
  }));
  const levels: Level[] =
    panel.people === null
      ? []
      : [
          {
            y: panel.people,
            low: panel.people_interval?.low,
            high: panel.people_interval?.high,
            label: "among people",
          },
        ];
  const band = known.flatMap((point) =>
    point.null ? [{ x: point.step, low: point.null.low, high: point.null.high }] : [],
  );
  const values = [
    0,
    ...known.flatMap((point) => [point.kappa ?? 0, point.interval?.low ?? 0, point.interval?.high ?? 0]),
    ...band.flatMap((one) => [one.low, one.high]),
    ...levels.flatMap((one) => [one.y, one.low ?? one.y, one.high ?? one.y]),
  ];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.05 * Math.max(0.1, high - low);
  return {
    series: [{ key: "model", look: "model", line: spots.map((spot) => [spot.x, spot.y] as const), spots }],
    levels,
    band,
    y: [low - room, high + room],
  };
}
