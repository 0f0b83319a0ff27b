/** What a renderer can do; there are two, one with a graphics card and one without. */
import type { Camera, Size } from "./camera";
import type { Places } from "./hit";
import type { Palette } from "./palette";
import type { Emphasis, Picture } from "./picture";
import type { Transition } from "./transition";

export interface Renderer {
  readonly kind: "webgl2" | "canvas2d";
  /** Draw calls of the last frame. */
  readonly draws: number;
  setPalette(palette: Palette): void;
  /** Another picture; where it comes from another, `from` says how, and `share` of `draw` goes from 0 to 1. */
  setPicture(picture: Picture, places: Places, from: Transition | null): void;
  setEmphasis(emphasis: Emphasis): void;
  /** One frame; `still` once nothing moves. Returns whether another is wanted, for what could not be drawn yet. */
  draw(camera: Camera, view: Size, density: number, share: number): boolean;
  dispose(): void;
}
