/** What one example makes of each call, as a small picture: from its focus file, or said in words why there is none. */
import type { GraphModel } from "../../layout/model";
import { colormap } from "../../marks/colormap";
import { plural } from "../../marks/format";
import { domainOf, paint } from "../../marks/raster";
import type { FocusFile } from "../../record/focus";
import type { GraphNode, Pool } from "../../record/schema.gen";

export interface Seen {
  readonly image: ImageData | null;
  /** What the picture is, or why there is none. */
  readonly words: string;
}

interface Grid {
  readonly values: Float32Array;
  readonly height: number;
  readonly width: number;
  readonly words: string;
}

export function seenAt(model: GraphModel, file: FocusFile | null, id: number, dark: boolean): Seen {
  const node = model.node(id);
  if (!file || !node) return { image: null, words: "no closer look at this example is kept" };
  if (node.kind === "input") return inputOf(file);
  const grid = gridOf(model, file, id) ?? pooled(model, file, node);
  if (grid) {
    const image = paint(grid.values, grid.width, grid.height, domainOf(grid.values, false), colormap("viridis", dark));
    return { image, words: grid.words };
  }
  if (node.pool) return { image: null, words: "its map cannot be made: what it pools was not kept at its full size" };
  return {
    image: null,
    words: node.layer === null ? "not a captured layer, so no map of it is kept" : "no map of this layer is kept",
  };
}

function inputOf(file: FocusFile): Seen {
  const tensor = file.floats("input.values");
  const [channels, height, width] = tensor?.shape ?? [];
  if (tensor?.shape.length !== 3 || !channels || !height || !width)
    return { image: null, words: "the input is no picture" };
  const [low, high] = domainOf(tensor.values, false);
  const image = new ImageData(width, height);
  const size = width * height;
  for (let at = 0; at < size; at++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = tensor.values[(channels >= 3 ? channel : 0) * size + at] ?? 0;
      image.data[4 * at + channel] = (255 * (value - low)) / Math.max(1e-12, high - low);
    }
    image.data[4 * at + 3] = 255;
  }
  return { image, words: "the input as the model sees it" };
}

/** The strongest channel of the layer that a call is, or of the last layer that it holds. */
function gridOf(model: GraphModel, file: FocusFile, id: number): Grid | null {
  const layers = model.inside(id).map((inside) => model.node(inside)?.layer ?? null);
  const own = model.node(id)?.layer ?? null;
  const index = own ?? layers.filter((layer): layer is number => layer !== null).pop() ?? null;
  if (index === null) return null;
  const name = file.focus.layers.find((layer) => layer.index === index)?.name ?? "";
  const of = own === null ? ` of ${name}, the last layer in it` : "";
  const maps = file.floats(`${index}.maps`);
  const [channels, height, width] = maps?.shape ?? [];
  if (maps && channels && height && width) {
    const channel = file.integers(`${index}.channels`)?.[0] ?? 0;
    return {
      values: maps.values.slice(0, height * width),
      height,
      width,
      words: `the map of channel ${channel}${of}, the strongest`,
    };
  }
  const vector = file.floats(`${index}.values`);
  if (!vector || vector.values.length === 0) return null;
  return {
    values: vector.values,
    height: 1,
    width: vector.values.length,
    words: `the values of its ${plural(vector.values.length, "unit")}${of}, side by side`,
  };
}

/** A pooling layer is worked out from the map before it, where that was kept whole. */
function pooled(model: GraphModel, file: FocusFile, node: GraphNode): Grid | null {
  const edge = node.pool ? model.edges.find((one) => one.target === node.id) : undefined;
  const before = edge ? gridOf(model, file, edge.source) : null;
  const [height, width] = (node.inputs[0] ?? []).slice(-2);
  if (!node.pool || !before || before.height !== height || before.width !== width) return null;
  const values = pool(before.values, height, width, node.pool);
  return values && { ...values, words: `${before.words} before it, pooled here` };
}

export function pool(
  values: Float32Array,
  height: number,
  width: number,
  how: Pool,
): { values: Float32Array; height: number; width: number } | null {
  const at = (list: readonly number[], axis: number) => list[list.length === 1 ? 0 : axis] ?? 0;
  if (how.kind === "lp" || how.window.length > 2) return null;
  const size = (extent: number, axis: number) =>
    Math.floor((extent + 2 * at(how.padding, axis) - at(how.window, axis)) / Math.max(1, at(how.stride, axis))) + 1;
  const [rows, columns] = [size(height, 0), size(width, 1)];
  if (rows < 1 || columns < 1) return null;
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let [most, sum, count] = [Number.NEGATIVE_INFINITY, 0, 0];
      for (let y = 0; y < at(how.window, 0); y++) {
        for (let x = 0; x < at(how.window, 1); x++) {
          const [line, place] = [
            row * at(how.stride, 0) - at(how.padding, 0) + y,
            column * at(how.stride, 1) - at(how.padding, 1) + x,
          ];
          if (line < 0 || place < 0 || line >= height || place >= width) continue;
          const value = values[line * width + place] as number;
          if (value > most) most = value;
          sum += value;
          count += 1;
        }
      }
      result[row * columns + column] =
        how.kind === "max" ? (count > 0 ? most : 0) : sum / Math.max(1, at(how.window, 0) * at(how.window, 1));
    }
  }
  return { values: result, height: rows, width: columns };
}
