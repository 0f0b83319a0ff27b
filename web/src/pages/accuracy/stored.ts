/** The rows of classes that a record holds: listed in the panel, or as arrays where they are too many. */
import type { ClassShare, Share } from "../../measures/accuracy";
import { type Bounds, f1Interval, wilson } from "../../measures/intervals";
import type { AccuracyPanel, ClassAccuracy, Interval } from "../../record/schema.gen";

type Numbers = ArrayLike<number | bigint>;

const COUNTS = 3;
const AREAS = 8;

/** `counts` and `areas` are those of the lens's arrays, null while they are not there. */
export function storedClasses(
  panel: AccuracyPanel,
  counts: Numbers | null,
  areas: Numbers | null,
): readonly ClassAccuracy[] {
  if (panel.by_class.length > 0 || !counts) return panel.by_class;
  return Array.from({ length: counts.length / COUNTS }, (_, index) => {
    const [support, predicted, right] = [0, 1, 2].map((place) => Number(counts[COUNTS * index + place])) as [
      number,
      number,
      number,
    ];
    const area = areas ? areaOf(areas, AREAS * index) : NO_AREA;
    const precision = areas ? areaOf(areas, AREAS * index + AREAS / 2) : NO_AREA;
    return {
      index,
      support,
      predicted,
      true_positive: right,
      recall: support > 0 ? right / support : null,
      recall_interval: known(wilson(right, support), "wilson"),
      precision: predicted > 0 ? right / predicted : null,
      precision_interval: known(wilson(right, predicted), "wilson"),
      f1: support + predicted > 0 ? (2 * right) / (support + predicted) : null,
      f1_interval: known(f1Interval(right, support, predicted), "wilson"),
      area: area.value,
      area_interval: known(area.interval, "outer"),
      area_error: area.error,
      average_precision: precision.value,
      average_precision_interval: known(precision.interval, "outer"),
      average_precision_error: precision.error,
    };
  });
}

interface Area {
  readonly value: number | null;
  readonly interval: Bounds | null;
  readonly error: number | null;
}

const NO_AREA: Area = { value: null, interval: null, error: null };

function areaOf(areas: Numbers, from: number): Area {
  const at = (place: number) => {
    const value = Number(areas[from + place]);
    return Number.isNaN(value) ? null : value;
  };
  const [low, high] = [at(1), at(2)];
  return { value: at(0), interval: low === null || high === null ? null : { low, high }, error: at(3) };
}

function known(bounds: Bounds | null, method: string): Interval | null {
  return bounds && { ...bounds, level: 0.95, method };
}

/** Recall and precision of stored rows, as a selection's are. */
export function sharesOf(classes: readonly ClassAccuracy[]): ClassShare[] {
  const share = (correct: number, count: number, value: number | null, interval: Share["interval"]): Share => ({
    correct,
    count,
    value,
    interval,
  });
  return classes.map((one) => ({
    index: one.index,
    recall: share(one.true_positive, one.support, one.recall, one.recall_interval),
    precision: share(one.true_positive, one.predicted, one.precision, one.precision_interval),
  }));
}
