/** What mouse, pen and fingers mean on a drawing: drag and wheel move it, two fingers or Ctrl and wheel come nearer. */

export interface Gestures {
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
  /** Pointed at; null once the pointer left. */
  point(x: number, y: number, event: PointerEvent | null): void;
  click(x: number, y: number): void;
  twice(x: number, y: number): void;
  /** Whether the click was on a handle and is thereby answered. */
  handle(x: number, y: number): boolean;
}

const SLOP = 5;
const TWICE = 350;
const LINE = 16;

export class Pointing {
  readonly #host: HTMLElement;
  readonly #gestures: Gestures;
  readonly #down = new Map<number, { x: number; y: number }>();
  readonly #stop = new AbortController();
  #dragged = false;
  #start = { x: 0, y: 0 };
  #last = { at: 0, x: 0, y: 0 };

  constructor(host: HTMLElement, gestures: Gestures) {
    this.#host = host;
    this.#gestures = gestures;
    const options = { signal: this.#stop.signal };
    host.addEventListener("pointerdown", (event) => this.#pressed(event), options);
    host.addEventListener("pointermove", (event) => this.#moved(event), options);
    host.addEventListener("pointerup", (event) => this.#released(event), options);
    host.addEventListener("pointercancel", (event) => this.#down.delete(event.pointerId), options);
    host.addEventListener("pointerleave", () => gestures.point(0, 0, null), options);
    host.addEventListener("wheel", (event) => this.#turned(event), { ...options, passive: false });
  }

  dispose(): void {
    this.#stop.abort();
  }

  #at(event: MouseEvent): { x: number; y: number } {
    const box = this.#host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #pressed(event: PointerEvent): void {
    if (event.button > 1) return;
    const at = this.#at(event);
    this.#down.set(event.pointerId, at);
    if (this.#down.size === 1) {
      this.#start = at;
      this.#dragged = false;
    }
  }

  #moved(event: PointerEvent): void {
    const at = this.#at(event);
    const before = this.#down.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.#gestures.point(at.x, at.y, event);
      return;
    }
    if (!this.#dragged && Math.hypot(at.x - this.#start.x, at.y - this.#start.y) < SLOP && this.#down.size === 1)
      return;
    if (!this.#dragged) {
      this.#dragged = true;
      // From here on the hand may leave the drawing without letting go.
      this.#host.setPointerCapture(event.pointerId);
      this.#gestures.point(0, 0, null);
    }
    const others = [...this.#down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const other = others[0];
    if (other) {
      const middle = (one: { x: number; y: number }) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
      const apart = (one: { x: number; y: number }) => Math.max(8, Math.hypot(one.x - other.x, one.y - other.y));
      const [was, is] = [middle(before), middle(at)];
      this.#gestures.pan(is.x - was.x, is.y - was.y);
      this.#gestures.zoom(apart(at) / apart(before), is.x, is.y);
    } else this.#gestures.pan(at.x - before.x, at.y - before.y);
    this.#down.set(event.pointerId, at);
  }

  #released(event: PointerEvent): void {
    if (!this.#down.delete(event.pointerId)) return;
    if (this.#dragged || this.#down.size > 0 || event.button !== 0) return;
    const at = this.#at(event);
    if (this.#gestures.handle(at.x, at.y)) return;
    const again =
      event.timeStamp - this.#last.at < TWICE && Math.hypot(at.x - this.#last.x, at.y - this.#last.y) < 2 * SLOP;
    this.#last = again ? { at: 0, x: 0, y: 0 } : { at: event.timeStamp, ...at };
    if (again) this.#gestures.twice(at.x, at.y);
    else this.#gestures.click(at.x, at.y);
  }

  #turned(event: WheelEvent): void {
    event.preventDefault();
    // What was pointed at is no longer under the hand.
    this.#gestures.point(0, 0, null);
    const factor = event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? 400 : 1;
    const at = this.#at(event);
    if (event.ctrlKey || event.metaKey)
      this.#gestures.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * factor)) / 120), at.x, at.y);
    else if (event.shiftKey && event.deltaX === 0) this.#gestures.pan(-event.deltaY * factor, 0);
    else this.#gestures.pan(-event.deltaX * factor, -event.deltaY * factor);
  }
}
