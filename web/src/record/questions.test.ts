import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSelection } from "../selection/selection";
import { OwnQuestions } from "./answering";
import { Examples } from "./examples";
import type { Sums } from "./questions";

type Columns = Record<string, (number | string | null)[]>;
interface Answer {
  selection: string;
  totals: Columns;
  classes: Columns;
  cells: Columns;
  losses: Columns;
  confidences: Columns;
  ranks: Columns;
  values: Record<string, Columns>;
  rows: Record<string, number[]>;
}
interface Fixture {
  table: string;
  about: { examples: number; most_loss: number; columns: unknown[] };
  answers: Answer[];
}

const path = resolve(import.meta.dirname, "../../../tests/fixtures/measures/questions.json");
const fixture = JSON.parse(readFileSync(path, "utf8")) as Fixture;
const table = Uint8Array.from(Buffer.from(fixture.table, "base64"));
const own = new OwnQuestions(Examples.parse(table.buffer), 3);

const NAMES = ["examples", "judged", "correct", "losses", "lossSum", "lossSquares"] as const;
const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function near(found: ArrayLike<number>, expected: readonly unknown[] | undefined): void {
  expect(found.length).toBe(expected?.length);
  for (let at = 0; at < found.length; at++)
    expect(Math.abs((found[at] as number) - Number(expected?.[at]))).toBeLessThan(1e-9);
}

function sameSums(found: Sums, columns: Columns, row: number): void {
  for (const name of NAMES) near([found[name]], [columns[snake(name)]?.[row]]);
}

const nonzero = (values: Float64Array) => [...values.keys()].filter((at) => values[at] !== 0);

it("tells the same of the whole", async () => {
  const about = await own.about();
  expect(about.examples).toBe(fixture.about.examples);
  near([about.mostLoss], [fixture.about.most_loss]);
  expect(about.columns).toEqual(fixture.about.columns);
});

describe.each(fixture.answers)("of the selection '$selection'", (answer) => {
  const of = parseSelection(new URLSearchParams(answer.selection));

  it("has the sums that DuckDB finds", async () => {
    sameSums(await own.totals(of), answer.totals, 0);
    const classes = await own.classes(of);
    near(classes.classes, answer.classes.class);
    for (const name of ["support", "predicted", "correct", "losses", "lossSum", "lossSquares"] as const)
      near(classes[name], answer.classes[snake(name)]);
  });

  it("has the counts that DuckDB finds", async () => {
    const cells = await own.cells(of);
    near(cells.rows, answer.cells.class);
    near(cells.columns, answer.cells.prediction);
    near(cells.counts, answer.cells.examples);
    const losses = await own.losses(of);
    near(nonzero(losses), answer.losses.bin);
    near(losses.filter(Boolean), answer.losses.examples);
    const { counts, confidences, correct } = await own.confidences(of);
    const bins = nonzero(counts);
    near(bins, answer.confidences.bin);
    near(
      bins.map((bin) => counts[bin] as number),
      answer.confidences.examples,
    );
    near(
      bins.map((bin) => confidences[bin] as number),
      answer.confidences.confidence,
    );
    near(
      bins.map((bin) => correct[bin] as number),
      answer.confidences.correct,
    );
    const ranks = await own.ranks(of);
    near(nonzero(ranks), answer.ranks.rank);
    near(ranks.filter(Boolean), answer.ranks.examples);
  });

  it.each(Object.keys(answer.values))("has the sums by %s that DuckDB finds", async (column) => {
    const [found, expected] = [await own.values(of, column), answer.values[column] as Columns];
    expect(found?.map((one) => one.value)).toEqual(expected.value);
    found?.forEach((one, row) => {
      sameSums(one, expected, row);
    });
  });

  it.each(Object.keys(answer.rows))("lists rows by %s as DuckDB does", async (order) => {
    const [column = "", way] = order.split(" ");
    const { rows } = await own.list(of, { column, descending: way === "1" }, 2, 7);
    expect([...rows]).toEqual(answer.rows[order]);
  });
});
