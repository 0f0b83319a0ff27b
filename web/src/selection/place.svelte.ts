/** Where the app is: the page and the selection, in step with the URL. Back and forward walk through both. */
import { EMPTY, parseHash, type Selection, withoutFilter, writeHash } from "./selection";
import { oneOf, within } from "./settings";

export interface Step {
  /** Go to this page, else stay. */
  readonly page?: string;
  /** Replace the entry in the history: for what changes continuously, such as a slider. */
  readonly replace?: boolean;
}

class Place {
  #address = $state.raw(parseHash(globalThis.location?.hash ?? ""));

  get page(): string {
    return this.#address.page;
  }

  /** The selection now. Reading it in a component follows it. */
  get selection(): Selection {
    return this.#address.selection;
  }

  /** Changes some parts of the selection and keeps the others. */
  change(patch: Partial<Selection>, step: Step = {}): void {
    this.#go({ page: step.page ?? this.page, selection: { ...this.selection, ...patch } }, step.replace ?? false);
  }

  open(page: string): void {
    this.change({}, { page });
  }

  /** The whole selection gone, but for the settings of pages. */
  clear(): void {
    this.change({ ...EMPTY, view: this.selection.view });
  }

  clearFilter(): void {
    this.#go({ page: this.page, selection: withoutFilter(this.selection) }, false);
  }

  /** For links: where `change(patch, {page})` would lead. */
  href(patch: Partial<Selection>, page: string = this.page): string {
    return writeHash({ page, selection: { ...this.selection, ...patch } });
  }

  /** A page's setting, v.<name>. */
  view(name: string, fallback: string): string {
    return this.selection.view[name] ?? fallback;
  }

  /** The same where the page knows but these words. */
  oneOf<Value extends string>(
    name: string,
    values: readonly Value[] | Readonly<Record<Value, unknown>>,
    fallback: NoInfer<Value>,
  ): Value {
    return oneOf(this.selection.view[name], values, fallback);
  }

  /** The same of a number within a range, ends included. */
  within(name: string, range: readonly [number, number], fallback: number): number {
    return within(this.selection.view[name], range, fallback);
  }

  /** Settings replace the entry in the history: back does not walk through them. null forgets the setting. */
  setView(name: string, value: string | null): void {
    const { [name]: _, ...others } = this.selection.view;
    this.change({ view: value === null ? others : { ...others, [name]: value } }, { replace: true });
  }

  /** Starts to follow the URL; returns how to stop. */
  follow(): () => void {
    const read = () => {
      this.#address = parseHash(location.hash);
    };
    addEventListener("hashchange", read);
    addEventListener("popstate", read);
    read();
    return () => {
      removeEventListener("hashchange", read);
      removeEventListener("popstate", read);
    };
  }

  #go(address: { page: string; selection: Selection }, replace: boolean): void {
    const hash = writeHash(address);
    if (hash === location.hash) return;
    if (replace) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
    this.#address = address;
  }
}

export const place = new Place();
