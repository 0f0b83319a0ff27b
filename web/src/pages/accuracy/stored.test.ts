import { describe, expect, it } from "vitest";
import { f1Interval, wilson } from "../../measures/intervals";
import type { AccuracyPanel, ClassAccuracy } from "../../record/schema.gen";
import { sharesOf, storedClasses } from "./stored";

const listed = [{ index: 0, support: 1 }] as ClassAccuracy[];
const panel = (by_class: ClassAccuracy[]) => ({ by_class }) as AccuracyPanel;
const counts = BigInt64Array.of(10n, 12n, 8n, 0n, 0n, 0n);
const nothing = Array<number>(8).fill(Number.NaN);
const areas = Float64Array.from([0.9, 0.8, 0.95, 0.001, 0.7, 0.6, 0.8, 0.002, ...nothing]);

describe("the classes of a record", () => {
  it("are those of the panel where it lists them, and none while arrays are on their way", () => {
    expect(storedClasses(panel(listed), counts, areas)).toBe(listed);
    expect(storedClasses(panel([]), null, null)).toEqual([]);
  });

  it("follow from arrays of counts and areas", () => {
    const [one, other] = storedClasses(panel([]), counts, areas);
    expect(one).toMatchObject({
      index: 0,
      support: 10,
      predicted: 12,
      true_positive: 8,
      recall: 0.8,
      precision: 8 / 12,
    });
    expect(one?.f1).toBeCloseTo(16 / 22, 12);
    expect(one?.recall_interval).toMatchObject({ ...wilson(8, 10), method: "wilson" });
    expect(one?.f1_interval).toMatchObject({ ...f1Interval(8, 10, 12) });
    expect(one).toMatchObject({ area: 0.9, area_error: 0.001, average_precision: 0.7, average_precision_error: 0.002 });
    expect(one?.area_interval).toMatchObject({ low: 0.8, high: 0.95 });
    expect(one?.average_precision_interval).toMatchObject({ low: 0.6, high: 0.8 });
    for (const name of ["recall", "recall_interval", "precision", "f1", "area", "area_interval", "area_error"] as const)
      expect(other?.[name]).toBeNull();
    expect(storedClasses(panel([]), counts, null)[0]).toMatchObject({ recall: 0.8, area: null, area_interval: null });
  });

  it("are shares as a selection's are", () => {
    const [one] = sharesOf(storedClasses(panel([]), counts, null));
    expect(one?.recall).toEqual({
      correct: 8,
      count: 10,
      value: 0.8,
      interval: { ...wilson(8, 10), level: 0.95, method: "wilson" },
    });
  });
});
