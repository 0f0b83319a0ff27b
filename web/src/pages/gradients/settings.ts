/** Options of methods as the address holds them, v.<method>.<option>: what is not there has its default. */
import { count } from "../../marks/format";
import type { MethodInfo, MethodOption } from "../../record/schema.gen";

/** Options that were set, as they are written. */
export type Settings = Readonly<Record<string, string>>;

/** What the address says of one method. */
export function settingsOf(method: string, view: Settings): Settings {
  const prefix = `${method}.`;
  return Object.fromEntries(
    Object.entries(view)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

/** The address's settings with one option of a method set, or forgotten where it is its default. */
export function withSetting(view: Settings, method: string, option: MethodOption, text: string): Settings {
  const { [`${method}.${option.name}`]: _, ...others } = view;
  return text === defaultOf(option) ? others : { ...others, [`${method}.${option.name}`]: text };
}

/** The address's settings without those of a method. */
export function withoutSettings(view: Settings, method: string): Settings {
  return Object.fromEntries(Object.entries(view).filter(([name]) => !name.startsWith(`${method}.`)));
}

/** A default as it would be written; empty for null. */
export function defaultOf({ default: written }: MethodOption): string {
  const value: unknown = JSON.parse(written);
  if (typeof value === "boolean") return value ? "1" : "0";
  return value === null ? "" : String(value);
}

/** Settings as the server takes them, a JSON object; empty where all are the defaults. */
export function optionsOf(info: MethodInfo, settings: Settings): string {
  const names = Object.keys(settings).sort();
  if (names.length === 0) return "";
  const known = new Map(info.options.map((option) => [option.name, option]));
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, readAs(known.get(name), settings[name] ?? "")])));
}

/** What was written, as the option takes it; what cannot be read goes as it is, for the server to refuse. */
function readAs(option: MethodOption | undefined, text: string): unknown {
  if (!option) return text;
  if (text === "" && option.unset) return null;
  if (option.kind === "flag") return text === "1" || (text === "0" ? false : text);
  if (option.kind === "number") return numberOf(text);
  if (option.kind === "extents" && text.includes(",")) return text.split(",").map((one) => numberOf(one));
  return option.kind === "choice" ? text : numberOf(text);
}

function numberOf(text: string): number | string {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

/** What the method costs with these settings. */
export function priceOf(info: MethodInfo, settings: Settings): string {
  if (!info.price_of) return info.price;
  const defaults = new Map(info.options.map((option) => [option.name, defaultOf(option)]));
  return info.price_of.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = Number(settings[name] ?? defaults.get(name));
    return Number.isFinite(value) ? count(value) : "?";
  });
}
