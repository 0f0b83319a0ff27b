/** From tensors of an example to maps that can be drawn: pictures of the input, saliency, gradient x input. */

export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export type InputView = "saliency" | "gradient_x_input";

/** Whether any part of the input has a gradient, by the names of an example's tensors: whole numbers have none. */
export function hasGradient(names: readonly string[]): boolean {
  return names.some((name) => name.startsWith("input.") && name.endsWith(".gradient"));
}

/** A part of the input that has a gradient: the only one has no name. */
export interface InputPart {
  readonly name: string;
  readonly values: Tensor | null;
  readonly gradient: Tensor;
}

/** Every part of the input with a gradient, in the order in which the file holds them. */
export function inputParts(names: readonly string[], floats: (name: string) => Tensor | null): InputPart[] {
  return names.flatMap((each) => {
    const found = /^input\.(?:(.+)\.)?gradient$/.exec(each);
    const gradient = found ? floats(each) : null;
    const values = floats(each.replace(/gradient$/, "values"));
    return found && gradient ? [{ name: found[1] ?? "", values, gradient }] : [];
  });
}

/** What the model at hand would add to the stored maps of an input, and why it is not stored. */
export function further(names: readonly string[], image: boolean): { readonly what: string; readonly why: string } {
  if (!hasGradient(names))
    return {
      what: "Maps of the tokens would be here, for any class, for the loss and for any unit.",
      why: "Token gradients, integrated gradients, KernelSHAP and LIME, and rollout where there is attention, give each token a number. They run the model; the record stores the plain gradient's maps alone, and token ids have none.",
    };
  return {
    what: "More methods would be here, for any class, for the loss and for any unit.",
    why: `Integrated gradients, LRP, ${image ? "guided backpropagation, RISE, " : ""}occlusion and others run the model, and say where one does not fit it; the record stores the plain gradient's maps alone, because each of the others would cost passes of its own for every example.`,
  };
}

/** Channels, height and width of an input that has a picture: [1|3, h, w] or [h, w]; null for anything else. */
export function imageShape(shape: readonly number[]): { channels: number; height: number; width: number } | null {
  if (shape.length === 2) return { channels: 1, height: shape[0] ?? 0, width: shape[1] ?? 0 };
  if (shape.length !== 3) return null;
  const [channels = 0, height = 0, width = 0] = shape;
  return channels >= 1 && channels <= 4 && height > 1 && width > 1 ? { channels, height, width } : null;
}

/** The maps of an input along one axis, such as a row of a table: the absolute gradient, and gradient times input. */
export function stepMaps({
  gradient,
  values,
}: InputPart): { saliency: Float32Array; product: Float32Array | null } | null {
  if (gradient.shape.length !== 1) return null;
  return {
    saliency: gradient.values.map(Math.abs),
    product: values && gradient.values.map((slope, at) => slope * (values.values[at] ?? 0)),
  };
}

/** Saliency (Simonyan et al. 2014, eq. 4): the largest absolute gradient over the channels. */
export function saliency(gradient: Tensor): Plane | null {
  return reduce(gradient, (values) => Math.max(...values.map(Math.abs)));
}

/** Gradient times input, summed over the channels: signed shares of the score to first order. */
export function gradientTimesInput(gradient: Tensor, input: Tensor): Plane | null {
  const product = new Float32Array(gradient.values.length);
  for (let index = 0; index < product.length; index++) {
    product[index] = (gradient.values[index] ?? 0) * (input.values[index] ?? 0);
  }
  return reduce({ shape: gradient.shape, values: product }, (values) => values.reduce((sum, value) => sum + value, 0));
}

function reduce(tensor: Tensor, over: (channels: number[]) => number): Plane | null {
  const image = imageShape(tensor.shape);
  if (!image) return null;
  const { channels, height, width } = image;
  const size = height * width;
  const values = new Float32Array(size);
  const column = new Array<number>(channels);
  for (let place = 0; place < size; place++) {
    for (let channel = 0; channel < channels; channel++) {
      column[channel] = tensor.values[channel * size + place] ?? 0;
    }
    values[place] = over(column);
  }
  return { height, width, values };
}

/** The input as the model saw it, as RGBA pixels: each example is stretched from its own minimum to its maximum. */
export function picture(input: Tensor): ImageData | null {
  const image = imageShape(input.shape);
  if (!image) return null;
  const { channels, height, width } = image;
  const size = height * width;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of input.values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  const pixels = new Uint8ClampedArray(size * 4);
  for (let place = 0; place < size; place++) {
    for (let color = 0; color < 3; color++) {
      const channel = channels >= 3 ? color : 0;
      pixels[place * 4 + color] = ((input.values[channel * size + place] ?? 0) - low) * scale;
    }
    pixels[place * 4 + 3] = 255;
  }
  return new ImageData(pixels, width, height);
}

/** Where a map is strongest, as (row, column). */
export function strongest(plane: Plane): { row: number; column: number; value: number } {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  plane.values.forEach((value, index) => {
    if (value > most) [best, most] = [index, value];
  });
  return { row: Math.floor(best / plane.width), column: best % plane.width, value: plane.values[best] ?? 0 };
}

/** Address of a picture, for drawing a map over it. */
export function addressOf(image: ImageData): string {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/** The maps of one channel out of float[channel height width]. */
export function planeOf(tensor: Tensor, channel: number): Plane {
  const [, height = 0, width = 0] = tensor.shape;
  const size = height * width;
  return { height, width, values: tensor.values.subarray(channel * size, (channel + 1) * size) };
}
