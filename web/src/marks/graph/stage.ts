/**
 * One canvas with a drawing on it: keeps the camera, answers to the hand, moves from one picture to the next, and picks the
 * renderer: WebGL2 where a graphics card runs it, else Canvas2D. A frame is drawn only when something changed.
 */

import type { Camera, Rect, Size } from "./camera";
import * as cameras from "./camera";
import { Canvas2dRenderer } from "./canvas2d";
import { Places } from "./hit";
import { LinePlaces } from "./linehit";
import type { Palette } from "./palette";
import { type Emphasis, NO_EMPHASIS, type Picture, rectOf, wholeOf } from "./picture";
import { Pointing } from "./pointing";
import type { Renderer } from "./renderer";
import { eased, keeping, linesFrom, type Moves, midmost } from "./transition";
import { WebglRenderer } from "./webgl";

const MOVE = 180;
/** Tall graphs are first met at a size that can be read. */
const READABLE = 0.62;
const MOST_ARROWS = 400;
/** Pixels around a line that count as on it. */
const REACH = 5;
const LEAST_FOR_ARROWS = 0.15;

/** A renderer that is asked for; else the quicker one is taken. */
export type Wish = "" | "webgl" | "canvas";

export interface Answers {
  /** A box, or the paper (-1), was clicked. */
  pick(box: number): void;
  /** Clicked twice, or on its handle. */
  open(box: number): void;
  /** An arrow was clicked. */
  pickArrow(arrow: number): void;
  /** Pointed at another box or, where there is none, an arrow; -1 for neither. */
  hover(box: number, arrow: number, at: { clientX: number; clientY: number }): void;
  /** The eye moved. */
  moved(camera: Camera): void;
}

export class Stage {
  camera: Camera = { x: 0, y: 0, scale: 1 };
  view: Size = { width: 0, height: 0 };
  readonly #host: HTMLElement;
  readonly #answers: Answers;
  readonly #observer: ResizeObserver;
  readonly #pointing: Pointing;
  #canvas: HTMLCanvasElement;
  #renderer: Renderer;
  #palette: Palette;
  #picture: Picture | null = null;
  #places: Places | null = null;
  #emphasis: Emphasis = NO_EMPHASIS;
  #hovered = -1;
  #hoveredArrow = -1;
  #lines: LinePlaces | null = null;
  #asked = 0;
  #moving: { since: number; from: Camera; to: Camera; boxes: boolean } | null = null;
  /** Nothing was seen yet: the first picture is fitted. */
  #fresh = true;
  #density = 1;
  #frames = 0;

  constructor(host: HTMLElement, palette: Palette, answers: Answers, wish: Wish) {
    this.#host = host;
    this.#palette = palette;
    this.#answers = answers;
    [this.#canvas, this.#renderer] = this.#start(wish);
    this.#observer = new ResizeObserver(() => this.#resized());
    this.#observer.observe(host);
    this.#pointing = new Pointing(host, {
      pan: (dx, dy) => this.look(cameras.pan(this.camera, dx, dy)),
      zoom: (factor, x, y) => this.look(cameras.zoom(this.camera, factor, x, y)),
      point: (x, y, event) => this.#point(x, y, event),
      click: (x, y) => {
        const arrow = this.arrowAt(x, y);
        if (arrow >= 0) answers.pickArrow(arrow);
        else answers.pick(this.boxAt(x, y));
      },
      twice: (x, y) => {
        const box = this.boxAt(x, y);
        if (box >= 0) answers.open(box);
      },
      handle: (x, y) => {
        const box = this.boxAt(x, y);
        if (box < 0 || !this.onHandle(box, x, y)) return false;
        answers.open(box);
        return true;
      },
    });
    this.#resized();
  }

  get kind(): Renderer["kind"] {
    return this.#renderer.kind;
  }

  get whole(): Rect {
    return this.#picture ? wholeOf(this.#picture.placed) : { x: 0, y: 0, width: 1, height: 1 };
  }

  #start(wish: Wish): [HTMLCanvasElement, Renderer] {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const card = wish === "webgl" || (wish === "" && hasCard());
    const gl = card
      ? canvas.getContext("webgl2", { antialias: false, alpha: false, powerPreference: "high-performance" })
      : null;
    if (gl) {
      canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
      canvas.addEventListener("webglcontextrestored", () => this.#restored(gl));
      try {
        const renderer = new WebglRenderer(gl, this.#palette);
        this.#host.append(canvas);
        return [canvas, renderer];
      } catch {
        // A card that cannot run the programs draws nothing: without it the picture is the same, only slower.
      }
    }
    const plain = gl ? document.createElement("canvas") : canvas;
    plain.setAttribute("aria-hidden", "true");
    const context = plain.getContext("2d", { alpha: false });
    if (!context) throw new Error("This browser gave no canvas to draw the graph on.");
    this.#host.append(plain);
    return [plain, new Canvas2dRenderer(context, this.#palette)];
  }

  /** The card forgot everything: it is told again. */
  #restored(gl: WebGL2RenderingContext): void {
    this.#renderer = new WebglRenderer(gl, this.#palette);
    if (this.#picture && this.#places) this.#renderer.setPicture(this.#picture, this.#places, null);
    this.#emphasise();
    this.ask();
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    this.#renderer.setPalette(palette);
    this.ask();
  }

  /**
   * Another picture. `keep` is the id of the node that stays where it is on screen, for a module that was opened or closed,
   * else what is in the middle stays; `moves` is where all comes from in the picture that stands, null where nothing moves.
   */
  setPicture(picture: Picture, keep: number | null = null, moves: Moves | null = null): void {
    const old = this.#picture;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = old && moves && !still ? { ...moves, line: linesFrom(old.placed, moves.was) } : null;
    this.#picture = picture;
    this.#places = new Places(picture.placed, picture.finding.grid);
    this.#lines = null;
    // Where only colours or words are others, what is pointed at is still under the hand.
    if (moves || old?.visible.ids.length !== picture.visible.ids.length) [this.#hovered, this.#hoveredArrow] = [-1, -1];
    this.#renderer.setPicture(picture, this.#places, from);
    this.#emphasise();
    if (this.#fresh) {
      this.fit(false);
    } else if (old && moves) {
      const now = this.#moving?.to ?? this.camera;
      const stays = keep ?? midmost(now, this.view, old, picture);
      const to = stays === null ? cameras.held(now, this.whole, this.view) : keeping(now, old, picture, stays);
      this.#moving = still ? null : { since: performance.now(), from: this.camera, to, boxes: true };
      if (still) this.#set(to);
    }
    this.ask();
  }

  setEmphasis(emphasis: Emphasis): void {
    this.#emphasis = emphasis;
    this.#emphasise();
  }

  #emphasise(): void {
    const arrows = new Set(this.#emphasis.arrows);
    if (this.#hoveredArrow >= 0) arrows.add(this.#hoveredArrow);
    for (const box of [this.#emphasis.selected, this.#hovered]) {
      if (box < 0 || !this.#picture) continue;
      const { start, arrows: own } = this.#picture.finding.incident;
      for (let at = start[box] as number; at < (start[box + 1] as number) && arrows.size < MOST_ARROWS; at++)
        arrows.add(own[at] as number);
    }
    this.#renderer.setEmphasis({ ...this.#emphasis, hovered: this.#hovered, arrows: [...arrows] });
    this.ask();
  }

  /** Looks from there at once, as far as something stays in view. */
  look(camera: Camera): void {
    this.#moving = this.#moving?.boxes ? { ...this.#moving, from: camera, to: camera } : null;
    this.#set(cameras.held(camera, this.whole, this.view));
    this.#fresh = false;
    this.ask();
  }

  /** Looks from there smoothly. */
  go(camera: Camera): void {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.look(camera);
      return;
    }
    this.#moving = { since: performance.now(), from: this.camera, to: camera, boxes: false };
    this.#fresh = false;
    this.ask();
  }

  zoomBy(factor: number): void {
    this.go(cameras.zoom(this.#moving?.to ?? this.camera, factor, this.view.width / 2, this.view.height / 2));
  }

  /** The whole in view; at first, tall graphs from their top in a size that can be read. */
  fit(all = true): void {
    const camera = all ? cameras.fitted(this.whole, this.view) : cameras.fitWidth(this.whole, this.view, READABLE);
    if (!this.#fresh) {
      this.go(camera);
      return;
    }
    this.#set(camera);
    this.#fresh = this.view.width === 0;
  }

  /** Brings a box into view by the least move, at a size that can be read. */
  show(box: number): void {
    const picture = this.#picture;
    if (!picture || box < 0 || this.view.width === 0) return;
    const rect = rectOf(picture.placed, box);
    const now = this.#moving?.to ?? this.camera;
    const near =
      now.scale >= READABLE
        ? now
        : cameras.centred({ x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 }, READABLE, this.view);
    const to = cameras.reveal(near, rect, this.view);
    if (to === now) return;
    if (this.#fresh || this.#moving?.boxes) {
      this.#fresh = false;
      if (this.#moving) this.#moving = { ...this.#moving, to };
      else this.#set(to);
      this.ask();
    } else this.go(to);
  }

  /** The box at a point of the view. */
  boxAt(x: number, y: number): number {
    const point = cameras.toDrawing(this.camera, x, y);
    return this.#places?.at(point.x, point.y) ?? -1;
  }

  /** The arrow at a point of the view that no closed box covers; -1 also where arrows are too faint to be meant. */
  arrowAt(x: number, y: number): number {
    const picture = this.#picture;
    if (!picture || this.camera.scale < LEAST_FOR_ARROWS) return -1;
    const box = this.boxAt(x, y);
    if (box >= 0 && !picture.visible.open[box]) return -1;
    this.#lines ??= new LinePlaces(picture.finding.parts);
    const point = cameras.toDrawing(this.camera, x, y);
    return this.#lines.at(point.x, point.y, REACH / this.camera.scale);
  }

  /** Whether a point of the view lies on the small triangle that opens and closes. */
  onHandle(box: number, x: number, y: number): boolean {
    const picture = this.#picture;
    if (!picture || !(picture.look[box] ?? 0)) return false;
    const holds = ((picture.look[box] as number) & (1 | 32)) !== 0;
    const rect = rectOf(picture.placed, box);
    const point = cameras.toDrawing(this.camera, x, y);
    return holds && this.camera.scale > 0.5 && point.x - rect.x < 28 && point.y - rect.y < 28;
  }

  #point(x: number, y: number, event: { clientX: number; clientY: number } | null): void {
    const arrow = event ? this.arrowAt(x, y) : -1;
    const box = event && arrow < 0 ? this.boxAt(x, y) : -1;
    this.#answers.hover(box, arrow, event ?? { clientX: 0, clientY: 0 });
    if (box === this.#hovered && arrow === this.#hoveredArrow) return;
    this.#host.style.cursor = arrow >= 0 ? "pointer" : "";
    [this.#hovered, this.#hoveredArrow] = [box, arrow];
    this.#emphasise();
  }

  ask(): void {
    if (this.#asked === 0) this.#asked = requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now: number): void {
    const started = performance.now();
    this.#asked = 0;
    let share = 1;
    const moving = this.#moving;
    if (moving) {
      const linear = Math.min(1, Math.max(0, now - moving.since) / MOVE);
      share = eased(linear);
      this.#set(cameras.between(moving.from, moving.to, share));
      if (linear >= 1) this.#moving = null;
    }
    const wanting = this.#renderer.draw(this.camera, this.view, this.#density, moving?.boxes ? share : 1);
    this.#frames += 1;
    // What a frame cost, for whoever measures: tests, and people who wonder.
    const said = this.#host.dataset;
    if (this.#picture) this.#canvas.dataset.drawn = String(this.#frames);
    said.renderer = this.#renderer.kind;
    said.draws = String(this.#renderer.draws);
    said.frames = String(this.#frames);
    said.script = (performance.now() - started).toFixed(3);
    if (this.#moving || wanting) this.ask();
  }

  #set(camera: Camera): void {
    this.camera = camera;
    this.#answers.moved(camera);
  }

  #resized(): void {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (width === 0 || height === 0) return;
    const before = this.view;
    this.#density = Math.min(3, devicePixelRatio || 1);
    this.view = { width, height };
    this.#canvas.width = Math.round(width * this.#density);
    this.#canvas.height = Math.round(height * this.#density);
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    if (this.#fresh && this.#picture) this.fit(false);
    else if (before.width > 0)
      this.#set({ ...this.camera, x: this.camera.x + (before.width - width) / this.camera.scale / 2 });
    // Now, not in the next frame: a canvas that was sized is empty.
    if (this.#picture && this.#renderer.draw(this.camera, this.view, this.#density, 1)) this.ask();
  }

  dispose(): void {
    cancelAnimationFrame(this.#asked);
    this.#observer.disconnect();
    this.#pointing.dispose();
    this.#renderer.dispose();
    this.#canvas.remove();
  }
}

/**
 * Whether a card runs WebGL, not a processor that plays one: there the plain canvas is some fifty times as quick. Browsers
 * do not keep to `failIfMajorPerformanceCaveat`, so the renderer's name is asked.
 */
function hasCard(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!gl) return false;
  const named = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}
