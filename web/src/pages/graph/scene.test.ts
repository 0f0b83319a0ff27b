/** Pictures from columns alone: what they leave room for is what is written, and their values are those of the calls. */
import { describe, expect, it } from "vitest";
import { edge, node, random, whole } from "../../../tests/support/graphs";
import { fold, foldingOf } from "../../layout/fold";
import { GraphModel } from "../../layout/model";
import { Look } from "../../marks/graph/picture";
import type { GraphNode } from "../../record/schema.gen";
import { columnsOf, letters } from "./columns";
import { badgeOf, lineOf, titleOf, wordsOn } from "./compose";
import { blockValues, boxValue, MEASURES, type Measure, type MeasureId } from "./measures";
import { type SceneAsk, SceneMaker } from "./scene";
import { boxValues } from "./values";

const measureOf = (id: MeasureId) => MEASURES.find((one) => one.id === id) as Measure;

/** A stem, a run of four blocks with an activation in each, a loop of three steps that feeds back, and a head. */
function planted(seed: number) {
  const chance = random(seed);
  const nodes: GraphNode[] = [];
  const add = (name: string, parent: number | null, more: Partial<GraphNode> = {}) => {
    nodes.push(node(nodes.length, name, parent, { parameters: Math.floor(chance() * 3) * 40_000, ...more }));
    return nodes.length - 1;
  };
  const stem = add("x", null, { kind: "input" });
  const pool = { kind: "max", window: [3, 3], stride: [2, 2], padding: [0, 0], kept: 0.25, seen: 1 } as const;
  const pooled = add("pool", null, { operation: "MaxPool2d", pool: pool as never });
  const blocks: number[] = [];
  const edges = [edge(stem, pooled, { shape: [1, -1, 56] })];
  let last = pooled;
  for (let at = 0; at < 4; at++) {
    const block = add(`block ${at}`, null, { operation: "Bottleneck" });
    const conv = add("conv", block, { operation: "Conv2d" });
    const act = add("", block, { operation: "relu", path: "relu", role: "activation", activation: "ReLU" });
    const sum = add("add", block, { operation: "add", kind: "function" });
    edges.push(edge(last, conv), edge(conv, act, { shape: [1, 64] }), edge(act, sum, { activation: "ReLU" }));
    edges.push(edge(last, sum, { output: 1, shape: [] }));
    blocks.push(block);
    last = sum;
  }
  const cells: number[] = [];
  for (let at = 0; at < 3; at++) {
    const cell = add(`cell#${at}`, null, { operation: "LSTMCell", steps: 12 });
    edges.push(edge(last, cell, { feeds_back: at > 0, activation: at === 0 ? "𝜎-gate" : null }));
    cells.push(cell);
    last = cell;
  }
  const head = add("head", null, { operation: "Linear", error: "no" });
  edges.push(edge(last, head));
  const loops = [{ calls: cells.map((id) => [id]), feeds_back: true }];
  return { model: new GraphModel({ nodes, edges, repeats: [blocks], loops }), chance };
}

function askOf(model: GraphModel, more: Partial<SceneAsk> & { open?: Set<number>; spread?: Set<number> }): SceneAsk {
  const { open = new Set(), spread = new Set(), ...rest } = more;
  const measure = rest.measure ?? "parameters";
  return {
    ...foldingOf(model, { open, spread, activationsOnArrows: rest.activationsOnArrows ?? false }),
    number: 1,
    from: null,
    shown: Float64Array.from(model.order, (at) => model.nodes[at]?.parameters ?? Number.NaN),
    sized: false,
    pictured: false,
    shapes: true,
    reaches: 0,
    dark: false,
    changes: new Uint8Array(0),
    card: false,
    density: 1,
    ground: [255, 255, 255],
    plain: [9, 9, 9],
    ...rest,
    measure,
  };
}

describe("values by columns", () => {
  it("are those of the calls, for every measure, also where some are not measured", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { model, chance } = planted(seed);
      const shown = Float64Array.from(model.order, () => (chance() < 0.2 ? Number.NaN : Math.floor(chance() * 4) - 1));
      for (const measure of MEASURES) {
        const values = boxValues(columnsOf(model), measure, shown);
        for (const { id } of model.nodes) {
          const place = model.place(id);
          if ((model.member[place] as number) > 0) continue;
          const times = model.groupOf(id)?.times ?? 1;
          for (const many of [1, times]) expect(values.at(place, many)).toBe(boxValue(measure, model, shown, id, many));
          expect(values.differ(place), `seed ${seed}, ${measure.id}, ${id}`).toBe(
            blockValues(model, shown, id) !== null,
          );
        }
      }
    }
  });
});

describe("a picture", () => {
  it("leaves room for exactly the letters that are written on boxes and arrows", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { model, chance } = planted(seed);
      const open = new Set(model.nodes.filter(({ id }) => model.holds(id) && chance() < 0.6).map(({ id }) => id));
      const spread = new Set(model.groups.filter(() => chance() < 0.4).map(({ first }) => first));
      const activationsOnArrows = chance() < 0.5;
      const ask = askOf(model, { open, spread, activationsOnArrows, shapes: chance() < 0.7 });
      const measure = measureOf("parameters");
      const scene = whole(new SceneMaker(columnsOf(model)).make(ask));
      const { visible } = scene;
      const { ids } = fold(model, { open, spread, activationsOnArrows }).visible;
      expect(visible.ids).toEqual(ids);
      const words = wordsOn({ model, measure, shown: ask.shown, shapes: ask.shapes }, visible);
      visible.source.forEach((_, arrow) => {
        const text = words.label(arrow);
        expect(scene.labelled[arrow], `seed ${seed}: ${text}`).toBe(letters(text));
      });
      visible.ids.forEach((id, box) => {
        const one = model.node(id) as GraphNode;
        const times = visible.times[box] as number;
        const line = lineOf(one, boxValue(measure, model, ask.shown, id, times), measure, times);
        const badge = badgeOf(model, id, times);
        const most = Math.max(letters(titleOf(one)) + (badge ? badge.length + 2 : 0), letters(line) + 1);
        // The title of an open one is a single line.
        const title = (letters(titleOf(one)) + 2 + (badge ? badge.length + 2 : 0)) * 7.6 + letters(line) * 6.9 + 26;
        const width =
          Math.round(Math.min(...(visible.open[box] ? [280, title] : [236, Math.max(92, most * 6.9 + 34)])) / 4) * 4;
        expect(visible.width[box], `seed ${seed}: ${line}`).toBe(width);
        expect(words.line(box)).toBe(line);
        expect(line.endsWith(words.brief(box))).toBe(true);
        expect(words.title(box).endsWith(titleOf(one))).toBe(true);
        expect(((scene.look[box] as number) & Look.strip) !== 0).toBe(
          times > 1 && !visible.open[box] && words.strip(box).length > 1,
        );
        expect(((scene.look[box] as number) & Look.failed) !== 0).toBe(one.error !== null);
        expect(scene.box[model.place(id)]).toBe(box);
      });
    }
  });

  it("scales its colours by the largest closed box, or further where another picture shares them", () => {
    const { model } = planted(1);
    const make = (more: Parameters<typeof askOf>[1]) =>
      whole(new SceneMaker(columnsOf(model)).make(askOf(model, more)));
    const values = (scene: ReturnType<typeof make>, shown: Float64Array) =>
      [...scene.visible.ids].map((id, box) =>
        boxValue(measureOf("parameters"), model, shown, id, scene.visible.times[box] as number),
      );
    const scene = make({});
    const largest = Math.max(...values(scene, askOf(model, {}).shown));
    expect([scene.most, scene.domain]).toEqual([largest, [0, largest]]);
    const shared = make({ reaches: 3 * largest });
    expect([shared.most, shared.domain]).toEqual([largest, [0, 3 * largest]]);
    expect(make({ measure: "none" }).fill.every((part) => part === 0)).toBe(true);
  });

  it("comes from the one that stands, and moves nothing where only its colours are others", () => {
    const { model } = planted(2);
    const maker = new SceneMaker(columnsOf(model));
    const block = model.groups.find(({ kind }) => kind === "run")?.first as number;
    const first = whole(maker.make(askOf(model, { number: 1 })));
    expect(first.moves).toBeNull();
    const recoloured = whole(maker.make(askOf(model, { number: 2, from: 1, dark: true })));
    expect(recoloured.moves).toBeNull();
    const opened = whole(maker.make(askOf(model, { number: 3, from: 2, open: new Set([block]) })));
    const box = opened.box[model.place(block)] as number;
    const was = first.box[model.place(block)] as number;
    expect(opened.moves?.from.slice(4 * box, 4 * box + 4)).toEqual(
      Float32Array.of(
        ...[first.placed.x, first.placed.y, first.placed.width, first.placed.height].map((at) => at[was] as number),
      ),
    );
    // One that was given up, whose columns the page never had, is no place to come from.
    expect(whole(maker.make(askOf(model, { number: 5, from: 4 }))).moves).toBeNull();
  });

  it("marks what became of calls, by their place", () => {
    const { model } = planted(3);
    const changes = Uint8Array.from(model.order, (_, place) => (place === model.place(1) ? 3 : 0));
    const scene = whole(new SceneMaker(columnsOf(model)).make(askOf(model, { changes })));
    expect([...scene.change]).toEqual([...scene.visible.ids].map((id) => (id === 1 ? 3 : 0)));
  });
});
