/**
 * The drawing on a graphics card: at most 6 draw calls a frame, whatever the number of boxes. Moving the eye and the hand
 * changes uniforms only; the words around the view are set again when it leaves them.
 */
import { type Atlas, MASTER } from "./atlas";
import { type Camera, type Rect, type Size, seen } from "./camera";
import { STROKE_RUN } from "./finding";
import { Instances, type Program, programOf, tableOf } from "./gl";
import type { Places } from "./hit";
import { CHANGE_COLOURS, mixed, type Palette, type Rgb } from "./palette";
import { type Emphasis, FILLED, FONT, LEGIBLE, Look, NO_EMPHASIS, type Picture, ramp } from "./picture";
import type { Renderer } from "./renderer";
import * as shaders from "./shaders";
import { addLine, boundsOf, Kind, lineOf, rounded, Strokes } from "./strokes";
import type { Transition } from "./transition";
import { Typesetter } from "./typesetter";
import { barsOf } from "./words";

/** Boxes, as strokes, in one run that is drawn or left out as a whole. */
const RUN = STROKE_RUN;
/** Between these scales arrows come up. */
const FADED = [0.01, 0.03] as const;
const STAMP_CELLS = 16;
const STAMP_SIDE = 64;

export class WebglRenderer implements Renderer {
  readonly kind = "webgl2";
  draws = 0;
  readonly #gl: WebGL2RenderingContext;
  readonly #box: Program;
  readonly #stroke: Program;
  readonly #text: Program;
  readonly #stamp: Program;
  readonly #boxes: Instances;
  readonly #arrows: Instances;
  readonly #above: Instances;
  readonly #letters: Instances;
  readonly #stamps: Instances;
  readonly #tables: { to: WebGLTexture; from: WebGLTexture; fill: WebGLTexture; look: WebGLTexture };
  readonly #atlas: WebGLTexture;
  readonly #maps: WebGLTexture;
  #atlasOf: Atlas | null = null;
  #palette: Palette;
  #words: Typesetter;
  #picture: Picture | null = null;
  #places: Places | null = null;
  #from: Transition | null = null;
  #emphasis: Emphasis = NO_EMPHASIS;
  #frames = 0;
  #strips = new Strokes();
  #boxBounds: Float32Array = new Float32Array(0);
  #arrowBounds: Float32Array = new Float32Array(0);

  constructor(gl: WebGL2RenderingContext, palette: Palette) {
    this.#gl = gl;
    this.#palette = palette;
    this.#words = new Typesetter(palette);
    this.#box = programOf(gl, shaders.BOX_VERTEX, shaders.BOX_FRAGMENT);
    this.#stroke = programOf(gl, shaders.STROKE_VERTEX, shaders.STROKE_FRAGMENT);
    this.#text = programOf(gl, shaders.TEXT_VERTEX, shaders.TEXT_FRAGMENT);
    this.#stamp = programOf(gl, shaders.STAMP_VERTEX, shaders.STAMP_FRAGMENT);
    const lines = [0, 1, 2].map((place) => ({ place, size: 4 }));
    this.#boxes = new Instances(gl, [{ place: 0, size: 1, whole: true }]);
    this.#arrows = new Instances(gl, lines);
    this.#above = new Instances(gl, lines);
    this.#letters = new Instances(gl, [...lines.slice(0, 2), { place: 2, size: 2 }]);
    this.#stamps = new Instances(gl, [{ place: 0, size: 2 }]);
    this.#tables = {
      to: gl.createTexture(),
      from: gl.createTexture(),
      fill: gl.createTexture(),
      look: gl.createTexture(),
    };
    this.#atlas = gl.createTexture();
    this.#maps = gl.createTexture();
    gl.enable(gl.BLEND);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    this.#words = new Typesetter(palette);
  }

  setPicture(picture: Picture, places: Places, from: Transition | null): void {
    const { visible, placed, finding } = picture;
    this.#picture = picture;
    this.#places = places;
    this.#from = from;
    const count = visible.ids.length;
    const rects = new Float32Array(4 * count);
    for (let box = 0; box < count; box++) {
      rects[4 * box] = placed.x[box] as number;
      rects[4 * box + 1] = placed.y[box] as number;
      rects[4 * box + 2] = placed.width[box] as number;
      rects[4 * box + 3] = placed.height[box] as number;
    }
    tableOf(this.#gl, this.#tables.to, rects, "numbers");
    tableOf(this.#gl, this.#tables.from, from?.from ?? rects, "numbers");
    tableOf(this.#gl, this.#tables.fill, picture.fill, "colours");
    const { order, frames, strokes } = finding;
    this.#frames = frames;
    this.#boxes.fill(order, count);
    const corners = new Float32Array(4 * (count - frames));
    for (let index = frames; index < count; index++) {
      const box = order[index] as number;
      const [x, y] = [placed.x[box] as number, placed.y[box] as number];
      corners.set([x, y, x + (placed.width[box] as number), y + (placed.height[box] as number)], 4 * (index - frames));
    }
    this.#boxBounds = boundsOf(corners, count - frames, 4, RUN);
    this.#arrowBounds = strokes?.bounds ?? new Float32Array(0);
    this.#arrows.fill(strokes?.numbers ?? new Float32Array(0), strokes?.count ?? 0);
    this.#strips = stripsOf(picture);
    this.setEmphasis(NO_EMPHASIS);
    this.#sendFlags(picture);
  }

  setEmphasis(emphasis: Emphasis): void {
    const before = this.#emphasis;
    this.#emphasis = emphasis;
    const picture = this.#picture;
    if (!picture) return;
    // What is in hand or pointed at is a uniform: only lights are told box by box.
    if (before.lights !== emphasis.lights) this.#sendFlags(picture);
    const above = this.#strips.copy();
    for (const arrow of emphasis.arrows) addLine(above, rounded(lineOf(picture.placed, arrow)), Kind.hand, null, false);
    this.#above.fill(above.numbers, above.count);
    if (before.stamps !== emphasis.stamps) this.#setStamps(emphasis);
  }

  #sendFlags(picture: Picture): void {
    const count = picture.visible.ids.length;
    const { lights } = this.#emphasis;
    const flags = new Uint8Array(4 * count);
    for (let box = 0; box < count; box++) {
      flags[4 * box] = picture.look[box] as number;
      flags[4 * box + 1] = picture.change[box] as number;
      flags[4 * box + 2] = lights?.[box] ?? 0;
      flags[4 * box + 3] = this.#from?.appears[box] ?? 0;
    }
    tableOf(this.#gl, this.#tables.look, flags, "flags");
  }

  #setStamps({ stamps }: Emphasis): void {
    const gl = this.#gl;
    const kept = stamps.slice(0, STAMP_CELLS * STAMP_CELLS);
    this.#stamps.fill(new Float32Array(kept.flatMap((stamp, index) => [stamp.box, index])), kept.length);
    if (kept.length === 0) return;
    const side = STAMP_CELLS * STAMP_SIDE;
    gl.bindTexture(gl.TEXTURE_2D, this.#maps);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, side, side, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    kept.forEach(({ image }, index) => {
      const [x, y] = [(index % STAMP_CELLS) * STAMP_SIDE, Math.floor(index / STAMP_CELLS) * STAMP_SIDE];
      gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, gl.RGBA, gl.UNSIGNED_BYTE, stretched(image, STAMP_SIDE));
    });
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
  }

  draw(camera: Camera, view: Size, density: number, share: number): boolean {
    const gl = this.#gl;
    const [picture, places] = [this.#picture, this.#places];
    this.draws = 0;
    const paper = this.#palette.paper;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(paper[0] / 255, paper[1] / 255, paper[2] / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!picture || !places) return false;
    const use = (program: Program) => {
      gl.useProgram(program.program);
      gl.uniform3f(program.at("u_camera"), camera.x, camera.y, camera.scale);
      gl.uniform2f(program.at("u_view"), view.width, view.height);
      gl.uniform1f(program.at("u_share"), share);
      gl.uniform1f(program.at("u_density"), density);
      const units = { u_to: 0, u_from: 1, u_fill: 2, u_look: 3, u_atlas: 4, u_stamps: 5 };
      for (const [name, unit] of Object.entries(units)) gl.uniform1i(program.at(name), unit);
      return program;
    };
    [this.#tables.to, this.#tables.from, this.#tables.fill, this.#tables.look, this.#atlas, this.#maps].forEach(
      (texture, unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, texture);
      },
    );
    gl.activeTexture(gl.TEXTURE0);
    const rect = share < 1 ? null : seen(camera, view);
    const total = this.#boxes.count;
    this.#boxUniforms(use(this.#box), camera);
    this.#draw(this.#boxes, 0, this.#frames);
    this.#strokeUniforms(use(this.#stroke), camera);
    // From very far arrows are less than a shimmer, and most of the work.
    if (camera.scale > FADED[0]) {
      const [firstStroke, lastStroke] = visibleRuns(this.#arrowBounds, rect, this.#arrows.count);
      this.#draw(this.#arrows, firstStroke, lastStroke - firstStroke);
    }
    gl.useProgram(this.#box.program);
    const [firstBox, lastBox] = visibleRuns(this.#boxBounds, rect, total - this.#frames);
    this.#draw(this.#boxes, this.#frames + firstBox, lastBox - firstBox);
    gl.useProgram(this.#stroke.program);
    gl.uniform1f(this.#stroke.at("u_faint"), 1);
    this.#draw(this.#above, 0, this.#above.count);
    let wanting = false;
    if (Typesetter.legible(camera)) {
      if (this.#words.set(picture, places, camera, view)) {
        this.#letters.fill(this.#words.letters, this.#words.count);
      }
      wanting = this.#words.waiting;
      this.#sendAtlas();
      this.#textUniforms(use(this.#text), camera, density);
      this.#draw(this.#letters, 0, this.#letters.count);
    }
    if (this.#stamps.count > 0) {
      gl.uniform1f(use(this.#stamp).at("u_cells"), STAMP_CELLS);
      this.#draw(this.#stamps, 0, this.#stamps.count);
    }
    return wanting;
  }

  #draw(instances: Instances, first: number, count: number): void {
    if (count <= 0) return;
    instances.draw(first, count);
    this.draws += 1;
  }

  #boxUniforms(program: Program, camera: Camera): void {
    const gl = this.#gl;
    const palette = this.#palette;
    gl.uniform1f(program.at("u_filled"), 1 - ramp(FILLED, camera.scale));
    gl.uniform1i(program.at("u_selected"), this.#emphasis.selected);
    gl.uniform1i(program.at("u_hovered"), this.#emphasis.hovered);
    const colours: readonly (readonly [string, Rgb])[] = [
      ["u_paper", palette.paper],
      ["u_ground", palette.ground],
      ["u_line", palette.line],
      ["u_strong", palette.lineStrong],
      ["u_accent", palette.accent],
      ["u_soft", palette.accentSoft],
      ["u_high", palette.high],
    ];
    for (const [name, rgb] of colours) gl.uniform3f(program.at(name), rgb[0] / 255, rgb[1] / 255, rgb[2] / 255);
    gl.uniform3fv(
      program.at("u_changes"),
      CHANGE_COLOURS.flat().map((value) => value / 255),
    );
  }

  #strokeUniforms(program: Program, camera: Camera): void {
    const { lineStrong, quiet, bar, medium, accent } = this.#palette;
    const kinds = [quiet, bar, lineStrong, medium, accent, bar, lineStrong];
    this.#gl.uniform3fv(
      program.at("u_kinds"),
      kinds.flat().map((value) => value / 255),
    );
    this.#gl.uniform1f(program.at("u_faint"), 0.25 * ramp(FADED, camera.scale) + 0.6 * ramp([0.02, 0.3], camera.scale));
  }

  #textUniforms(program: Program, camera: Camera, density: number): void {
    const gl = this.#gl;
    const { ink, quiet, accent, high, paper, ground } = this.#palette;
    gl.uniform1f(program.at("u_master"), MASTER);
    gl.uniform1f(program.at("u_side"), this.#words.atlas.side);
    gl.uniform1f(program.at("u_footprint"), MASTER / (camera.scale * density));
    gl.uniform1f(program.at("u_alpha"), ramp(LEGIBLE, FONT * camera.scale));
    gl.uniform3fv(
      program.at("u_tones"),
      [ink, quiet, accent, high, mixed(paper, ground, 0.6), paper].flat().map((value) => value / 255),
    );
  }

  #sendAtlas(): void {
    const gl = this.#gl;
    const atlas = this.#words.atlas;
    const part = atlas.take();
    if (!part) return;
    gl.activeTexture(gl.TEXTURE4);
    gl.bindTexture(gl.TEXTURE_2D, this.#atlas);
    if (this.#atlasOf !== atlas) {
      this.#atlasOf = atlas;
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, atlas.side, atlas.side, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
      for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
        gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
    }
    // With colours multiplied by their cover, so that looks between two letters' pixels mix as light does.
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, part.x, part.y, gl.RGBA, gl.UNSIGNED_BYTE, part.pixels);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.activeTexture(gl.TEXTURE0);
  }

  dispose(): void {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** The bars of folded runs. */
function stripsOf({ words, look, placed }: Picture): Strokes {
  const strokes = new Strokes();
  for (let box = 0; box < look.length; box++) {
    if (!((look[box] as number) & Look.strip)) continue;
    const [x, y] = [placed.x[box] as number, placed.y[box] as number];
    const [width, height] = [placed.width[box] as number, placed.height[box] as number];
    for (const bar of barsOf(words.strip(box), width, height)) {
      const ends = [x + bar.x, y + bar.bottom, x + bar.x, y + bar.top];
      strokes.add([...ends, ...ends, bar.half, bar.half, 0, bar.known ? Kind.value : Kind.missing]);
    }
  }
  return strokes;
}

/** First and last instance that may be in view, from the boxes around runs of them. */
export function visibleRuns(bounds: Float32Array, rect: Rect | null, count: number): [number, number] {
  if (!rect) return [0, count];
  let [first, last] = [-1, -1];
  for (let run = 0; 4 * run < bounds.length; run++) {
    const out =
      (bounds[4 * run] as number) > rect.x + rect.width ||
      (bounds[4 * run + 2] as number) < rect.x ||
      (bounds[4 * run + 1] as number) > rect.y + rect.height ||
      (bounds[4 * run + 3] as number) < rect.y;
    if (out) continue;
    if (first < 0) first = run;
    last = run + 1;
  }
  return first < 0 ? [0, 0] : [first * RUN, Math.min(count, last * RUN)];
}

function stretched(image: ImageData, side: number): ImageData {
  const result = new ImageData(side, side);
  const [from, to] = [new Uint32Array(image.data.buffer), new Uint32Array(result.data.buffer)];
  for (let y = 0; y < side; y++) {
    const row = Math.floor((y * image.height) / side) * image.width;
    for (let x = 0; x < side; x++) to[y * side + x] = from[row + Math.floor((x * image.width) / side)] as number;
  }
  return result;
}
