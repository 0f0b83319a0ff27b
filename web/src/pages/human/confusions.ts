/** Confusions of people and of the model on one scale, and what lies between them. */
import type { HumanConfusion, HumanPanel } from "../../record/schema.gen";
import { type Cells, type Drawn, difference, drawnCells, margins } from "../confusion/matrix";
import { order } from "../confusion/order";
import type { Images } from "./images";

/** Rows and columns: the categories, and one more for "no answer" where somebody gave none. */
export function sizeOf(panel: HumanPanel): number {
  const categories = panel.categories.length;
  const silent = panel.confusions.some((one) => one.columns.some((column) => column >= categories));
  return categories + Number(silent);
}

export function confusionBy(panel: HumanPanel, observer: number): HumanConfusion | null {
  return panel.confusions.find((one) => one.observer === observer && one.count > 0) ?? null;
}

export function cellsOf(confusion: HumanConfusion, size: number): Cells {
  return {
    size,
    rows: Int32Array.from(confusion.rows),
    columns: Int32Array.from(confusion.columns),
    counts: Float64Array.from(confusion.counts),
  };
}

/** Categories that people take for one another side by side; "no answer" stays last. */
export function similar(names: readonly string[], people: Cells): Int32Array {
  const placed = order("similarity", names, people);
  return Int32Array.from([
    ...placed.filter((one) => one < names.length),
    ...placed.filter((one) => one >= names.length),
  ]);
}

export interface Sides {
  readonly people: Drawn;
  readonly model: Drawn | null;
  /** The model's share minus people's; null where they are not of the same images. */
  readonly difference: Drawn | null;
}

/** Whether both are of the same images: all people together are of the model's, and one person who answered as many as it. */
export function alike(people: HumanConfusion, model: HumanConfusion): boolean {
  return people.observer < 0 || people.count === model.count;
}

/** Shares of a row, in one order; people and model have the same scale. */
export function sides(people: Cells, model: Cells | null, order: Int32Array, comparable = true): Sides {
  const first = drawnCells(people, margins(people), order, "true");
  const second = model && drawnCells(model, margins(model), order, "true");
  const mostWrong = Math.max(first.mostWrong, second?.mostWrong ?? 0);
  const mostRight = Math.max(first.mostRight, second?.mostRight ?? 0);
  return {
    people: { ...first, mostWrong, mostRight },
    model: second && { ...second, mostWrong, mostRight },
    difference: second && comparable ? difference(second, first) : null,
  };
}

/** Images of a true category that most people, or the model, took for another one. */
export function imagesIn(images: Images, who: "people" | "model", category: number, answer: number): number[] {
  const said = who === "people" ? images.answer : images.model;
  const found: number[] = [];
  for (let place = 0; place < images.count; place++)
    if (images.category[place] === category && said[place] === answer) found.push(place);
  return found;
}
