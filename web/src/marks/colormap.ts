/**
 * Colour maps as tables of 256 colours. Magnitude: viridis (van der Walt & Smith 2015) or cividis (Nunez, Anderton &
 * Renslow 2018); signed values: blue-white-red around zero, in dark mode blue-black-red. Categories: Okabe & Ito 2008.
 */

export type ColormapName = "viridis" | "cividis" | "signed" | "error" | "grey";

type Rgb = readonly [number, number, number];

// Published colours at equal distances; between them the tables run straight, which is off by less than 2 of 255.
const VIRIDIS =
  "440154 471365 482475 463480 414487 3b528b 355f8d 2f6c8e 2a788e 25848e 21918c 1e9c89 22a884 2fb47c 44bf70 5ec962 7ad151 9bd93c bddf26 dfe318 fde725";
const CIVIDIS =
  "00224e 002a5f 003170 1a386f 2a3f6d 38476c 434e6c 4d556c 575d6d 61656f 6a6c71 737475 7d7c78 868379 918b78 9b9476 a59c74 b0a571 bcae6c c6b667 d2c060 dec958 e9d34e f6dd3f fee838";
const SIGNED_LIGHT = "053061 2166ac 4393c3 92c5de d1e5f0 ffffff fddbc7 f4a582 d6604d b2182b 67001f";
const SIGNED_DARK = "b5dcff 74b3ff 3f86dc 275c9e 17375f 0a0b0d 5e1d1a 9c312a d2503f f5806a ffc4b4";
const ERROR_LIGHT = "ffffff fdeadf fbd3bd f8b795 f3986b e8763f d65a22 b94414 95340e 6f270b";
const ERROR_DARK = "15171a 2c1d16 4a281a 6d351f 924425 b6562d d86f3d ef8e5b f8b08a fdd4be";
const GREY_LIGHT = "ffffff f4f5f5 eaebec dfe1e3 d4d7d9 c8cbcf bbbfc4 aeb3b9 a0a6ad 9299a1";
const GREY_DARK = "15171a 1b1e22 22262b 292e33 31363c 393f46 424850 4b525b 555c65 606871";

export const CATEGORIES: readonly string[] = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#d55e00",
  "#56b4e9",
  "#cc79a7",
  "#f0e442",
  "#000000",
];

const tables = new Map<string, Uint8ClampedArray>();

/** 256 colours, RGB after RGB. */
export function colormap(name: ColormapName, dark: boolean): Uint8ClampedArray {
  const anchors = anchorsOf(name, dark);
  let table = tables.get(anchors);
  if (!table) {
    table = interpolate(anchors.split(" ").map(parse));
    tables.set(anchors, table);
  }
  return table;
}

/** The colour at a place between 0 and 1, as CSS. */
export function colour(name: ColormapName, at: number, dark: boolean): string {
  const table = colormap(name, dark);
  const place = 3 * Math.round(255 * Math.min(1, Math.max(0, at)));
  return `rgb(${table[place]} ${table[place + 1]} ${table[place + 2]})`;
}

/** The n-th category; black is turned to white in the dark. */
export function category(index: number, dark: boolean): string {
  const found = CATEGORIES[index % CATEGORIES.length] as string;
  return dark && found === "#000000" ? "#ffffff" : found;
}

/** Whether black or white text stands out on the colour at this place. */
export function textOn(name: ColormapName, at: number, dark: boolean): "#000000" | "#ffffff" {
  const table = colormap(name, dark);
  const place = 3 * Math.round(255 * Math.min(1, Math.max(0, at)));
  const linear = (channel: number) => ((table[place + channel] ?? 0) / 255) ** 2.2;
  const luminance = 0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2);
  return luminance > 0.18 ? "#000000" : "#ffffff";
}

function anchorsOf(name: ColormapName, dark: boolean): string {
  switch (name) {
    case "viridis":
      return VIRIDIS;
    case "cividis":
      return CIVIDIS;
    case "signed":
      return dark ? SIGNED_DARK : SIGNED_LIGHT;
    case "error":
      return dark ? ERROR_DARK : ERROR_LIGHT;
    default:
      return dark ? GREY_DARK : GREY_LIGHT;
  }
}

function parse(hex: string): Rgb {
  const number = Number.parseInt(hex, 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

function interpolate(anchors: readonly Rgb[]): Uint8ClampedArray {
  const table = new Uint8ClampedArray(256 * 3);
  for (let index = 0; index < 256; index++) {
    const at = (index / 255) * (anchors.length - 1);
    const left = anchors[Math.floor(at)] as Rgb;
    const right = anchors[Math.min(anchors.length - 1, Math.floor(at) + 1)] as Rgb;
    const share = at - Math.floor(at);
    for (let channel = 0; channel < 3; channel++) {
      const from = left[channel] ?? 0;
      table[3 * index + channel] = from + share * ((right[channel] ?? 0) - from);
    }
  }
  return table;
}
