/** The numbers behind each part of the page, as a table. */
import type { ClassShare } from "../../measures/accuracy";
import { type CalibrationError, diagramOf, equalWidth, type Reliability } from "../../measures/miscalibration";
import type { Pairs } from "../../measures/regression";
import type { ClassAccuracy } from "../../record/schema.gen";
import { type TableModel, tableOf } from "../../shell/table";
import type { Sliced } from "./slicing";

const ends = (one: { low: number; high: number } | null | undefined) => [one?.low ?? null, one?.high ?? null];

/** Areas are those of the panel: of the whole record. */
export function classTable(
  classes: readonly ClassShare[],
  name: (index: number) => string,
  known: readonly ClassAccuracy[] | null,
): TableModel {
  const areas = known
    ? [
        "area under ROC",
        "area low",
        "area high",
        "average precision",
        "precision low (average)",
        "precision high (average)",
      ]
    : [];
  return tableOf(
    "accuracy by class",
    [
      "class",
      "examples",
      "predicted",
      "right",
      "recall",
      "recall low",
      "recall high",
      "precision",
      "precision low",
      "precision high",
      ...areas,
    ],
    classes.map((one) => {
      const of = known?.[one.index];
      const more = known
        ? [
            of?.area ?? null,
            ...ends(of?.area_interval),
            of?.average_precision ?? null,
            ...ends(of?.average_precision_interval),
          ]
        : [];
      return [
        name(one.index),
        one.recall.count,
        one.precision.count,
        one.recall.correct,
        one.recall.value,
        ...ends(one.recall.interval),
        one.precision.value,
        ...ends(one.precision.interval),
        ...more,
      ];
    }),
    ["recall", "recall low", "recall high", "precision", "precision low", "precision high"],
  );
}

export function confidenceTable(bins: Reliability, errors: readonly CalibrationError[]): TableModel {
  const drawn = diagramOf(equalWidth(bins)).map((one) => [
    "bin",
    `${one.low.toFixed(3)} to ${one.high.toFixed(3)}`,
    one.count,
    one.confidence,
    one.accuracy,
    ...ends(one.interval),
    null,
    null,
  ]);
  const said = errors.map((one) => [
    "error",
    one.name,
    null,
    one.value,
    null,
    ...ends(one.interval),
    one.expected,
    one.limit,
  ]);
  return tableOf(
    "calibration",
    [
      "kind",
      "bin or error",
      "examples",
      "confidence, or error found",
      "accuracy",
      "low",
      "high",
      "error by chance",
      "limit by chance",
    ],
    [...drawn, ...said],
  );
}

export function sliceTable({ slices }: Sliced): TableModel {
  return tableOf(
    "accuracy by slice",
    ["column", "value", "examples", "right", "share", "low", "high", "others", "p", "adjusted p"],
    slices.map((one) => [
      one.column,
      one.value,
      one.count,
      one.correct,
      one.accuracy,
      ...ends(one.interval),
      one.rest,
      one.pValue,
      one.adjusted,
    ]),
    ["share", "low", "high", "others"],
  );
}

export function regressionTable({ rows, targets, outputs }: Pairs, id: (row: number) => string): TableModel {
  const columns = [
    { id: "id", title: "example", cell: (at: number) => id(rows[at] as number) },
    { id: "target", title: "target", numeric: true, cell: (at: number) => targets[at] ?? null },
    { id: "output", title: "output", numeric: true, cell: (at: number) => outputs[at] ?? null },
    {
      id: "off",
      title: "off by",
      numeric: true,
      cell: (at: number) => (outputs[at] as number) - (targets[at] as number),
    },
  ];
  return { title: "outputs and targets", count: rows.length, columns };
}
