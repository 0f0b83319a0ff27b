/** The whole drawing as SVG: shapes and text, nothing else. What names say is escaped; it can be no markup. */
import { Route } from "../../layout/types";
import { plain } from "../format";
import { LABEL_HEIGHT, labelOf } from "./labels";
import { borderColour, CHANGE_COLOURS, css, mixed, type Palette } from "./palette";
import { FONT, Look, type Picture, RADIUS, STRIP, TITLE_BAR } from "./picture";
import { type Line, lineOf, rounded } from "./strokes";
import { barsOf, type Tone, wordsOf } from "./words";

const MARGIN = 16;
/** Widths are guessed, as nothing is measured here: a letter is about this wide. */
const LETTER = 6.4;
/** In the fonts that are widest. */
const WIDE_LETTER = 7.4;
/** Width of the colours in the caption. */
const BAR = 128;

export interface Caption {
  readonly title: string;
  /** Colours from left to right with the words at both ends; nothing where there is no measure. */
  readonly colours: readonly string[];
  readonly low: string;
  readonly high: string;
}

export function svgOf(picture: Picture, palette: Palette, caption: Caption): string {
  const { placed, visible } = picture;
  // A drawing narrower than its caption stands above the caption's middle.
  const beside = Math.max(0, (captionWidth(caption) - placed.right) / 2);
  const width = Math.ceil(placed.right + 2 * beside) + 2 * MARGIN;
  const height = Math.ceil(placed.bottom) + 2 * MARGIN + 32;
  const left = n(-MARGIN - beside);
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${-MARGIN} ${width} ${height}" font-family="${escaped(palette.sans)}" font-size="${FONT}">`,
    `<rect x="${left}" y="${-MARGIN}" width="${width}" height="${height}" fill="${css(palette.paper)}"/>`,
  ];
  const { order, frames } = picture.finding;
  for (let index = 0; index < frames; index++) parts.push(boxText(picture, palette, order[index] as number));
  for (let arrow = 0; arrow < visible.source.length; arrow++) parts.push(arrowText(picture, palette, arrow));
  for (let index = frames; index < order.length; index++) parts.push(boxText(picture, palette, order[index] as number));
  for (let arrow = 0; arrow < visible.source.length; arrow++) {
    const label = labelOf(picture, arrow);
    if (!label) continue;
    const wide = [...label.text].length * LETTER + 6;
    const middle = label.right ? label.x - wide / 2 : label.x;
    const ground = css(label.framed ? mixed(palette.paper, palette.ground, 0.6) : palette.paper);
    parts.push(
      `<rect x="${n(middle - wide / 2)}" y="${n(label.y - LABEL_HEIGHT / 2)}" width="${n(wide)}" height="${LABEL_HEIGHT}" fill="${ground}"/>`,
      `<text x="${n(middle)}" y="${n(label.y + 4)}" text-anchor="middle" fill="${css(palette.quiet)}">${escaped(label.text)}</text>`,
    );
  }
  parts.push(captionText(caption, palette, -beside, placed.bottom + 24), "</svg>");
  return parts.join("\n");
}

function boxText(picture: Picture, palette: Palette, box: number): string {
  const { placed } = picture;
  const [x, y, width, height] = [placed.x[box], placed.y[box], placed.width[box], placed.height[box]] as [
    number,
    number,
    number,
    number,
  ];
  const look = picture.look[box] as number;
  const change = picture.change[box] as number;
  const open = (look & Look.open) !== 0;
  const radius = look & Look.terminal ? height / 2 : RADIUS;
  const stroke = borderColour(palette, (look & Look.failed) !== 0, change, open);
  const rect = (shift: number, fill: string, edge: string, more = "") =>
    `<rect x="${n(x + shift)}" y="${n(y + shift)}" width="${n(width)}" height="${n(height)}" rx="${n(radius)}" fill="${fill}" stroke="${edge}"${more}/>`;
  const parts: string[] = [
    `<g><title>${escaped(plain(`${picture.words.title(box)} ${picture.words.line(box)}`))}</title>`,
  ];
  if (look & Look.repeated)
    for (const shift of [6, 3]) parts.push(rect(shift, css(palette.paper), css(palette.lineStrong)));
  const body = open
    ? mixed(palette.paper, palette.ground, 0.6)
    : change > 0
      ? mixed(palette.paper, CHANGE_COLOURS[change] ?? palette.paper, 0.2)
      : palette.paper;
  parts.push(
    rect(
      0,
      css(body),
      css(stroke),
      `${change > 0 || look & Look.failed ? ' stroke-width="2"' : ""}${change === 4 || look & Look.hollow ? ' stroke-dasharray="4 3"' : ""}`,
    ),
  );
  if (open) parts.push(`<path d="M${n(x)} ${n(y + TITLE_BAR)}H${n(x + width)}" stroke="${css(palette.line)}"/>`);
  const fill = picture.fill.subarray(4 * box, 4 * box + 4);
  if (!open && (fill[3] as number) > 0) {
    const inset = look & Look.terminal ? radius : 0;
    parts.push(
      `<rect x="${n(x + inset)}" y="${n(y + 0.5)}" width="${STRIP}" height="${n(height - 1)}" fill="${css([fill[0] as number, fill[1] as number, fill[2] as number])}"/>`,
    );
  }
  for (const bar of barsOf(look & Look.strip ? picture.words.strip(box) : [], width, height)) {
    parts.push(
      `<rect x="${n(x + bar.x - bar.half)}" y="${n(y + bar.top)}" width="${n(2 * bar.half)}" height="${n(bar.bottom - bar.top)}" fill="${css(bar.known ? palette.bar : palette.lineStrong)}"/>`,
    );
  }
  const tones: Readonly<Record<Tone, string>> = {
    ink: css(palette.ink),
    quiet: css(palette.quiet),
    accent: css(palette.accent),
    high: css(palette.high),
  };
  for (const word of wordsOf(picture, box)) {
    const letters = [...word.text];
    const most = Math.max(1, Math.floor(word.most / LETTER));
    const text = letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : word.text;
    const anchor = { left: "", right: ' text-anchor="end"', middle: ' text-anchor="middle"' }[word.align];
    parts.push(
      `<text x="${n(x + word.x)}" y="${n(y + word.y)}"${anchor}${word.bold ? ' font-weight="600"' : ""} fill="${tones[word.tone]}">${escaped(text)}</text>`,
    );
  }
  parts.push("</g>");
  return parts.join("");
}

function arrowText(picture: Picture, palette: Palette, arrow: number): string {
  const corners = lineOf(picture.placed, arrow);
  const route = picture.placed.route[arrow] as number;
  const back = picture.visible.back[arrow] === 1 || route === Route.back;
  const colour = css(
    back
      ? palette.medium
      : route === Route.lane
        ? palette.bar
        : route === Route.stub
          ? palette.lineStrong
          : palette.quiet,
  );
  const lines = route === Route.stub ? [corners.slice(0, 4), corners.slice(-4)] : [rounded(corners)];
  const path = lines.map(pathOf).join("");
  const [x0, y0, x1, y1] = (lines[lines.length - 1] as Line).slice(-4) as [number, number, number, number];
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const head = `M${n(x1)} ${n(y1)}L${n(x1 - 7 * ux + 3.5 * uy)} ${n(y1 - 7 * uy - 3.5 * ux)}L${n(x1 - 7 * ux - 3.5 * uy)} ${n(y1 - 7 * uy + 3.5 * ux)}Z`;
  return `<path d="${path}" fill="none" stroke="${colour}"${back ? ' stroke-dasharray="4 3"' : ""}/><path d="${head}" fill="${colour}"/>`;
}

function pathOf(line: Line): string {
  let path = "";
  for (let at = 0; at < line.length; at += 2)
    path += `${at === 0 ? "M" : "L"}${n(line[at] as number)} ${n(line[at + 1] as number)}`;
  return path;
}

/** Where the colours of a caption begin and its title, from its left end. */
function captionPlaces({ colours, low, high }: Caption): { bar: number; title: number } {
  if (colours.length === 0) return { bar: 0, title: 0 };
  const bar = [...low].length * WIDE_LETTER + 8;
  return { bar, title: bar + BAR + 8 + [...high].length * WIDE_LETTER + 12 };
}

function captionWidth(caption: Caption): number {
  return captionPlaces(caption).title + [...caption.title].length * WIDE_LETTER;
}

function captionText(caption: Caption, palette: Palette, left: number, y: number): string {
  const { bar, title } = captionPlaces(caption);
  const text = (x: number, words: string) =>
    `<text x="${n(left + x)}" y="${n(y)}" fill="${css(palette.quiet)}">${escaped(plain(words))}</text>`;
  if (caption.colours.length === 0) return text(0, caption.title);
  const step = BAR / caption.colours.length;
  const cells = caption.colours.map(
    (colour, index) =>
      `<rect x="${n(left + bar + index * step)}" y="${n(y - 8)}" width="${n(step + 0.2)}" height="8" fill="${escaped(colour)}"/>`,
  );
  return [text(0, caption.low), ...cells, text(bar + BAR + 8, caption.high), text(title, caption.title)].join("");
}

/** What XML forbids: control characters, halves of pairs, and two signs at the very end of the first plane. */
function allowed(code: number): boolean {
  if (code < 0x20) return code === 9 || code === 10 || code === 13;
  return !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

/** Text that is no markup, whatever it says; signs that XML does not allow are shown as the replacement sign. */
export function escaped(text: string): string {
  let clean = "";
  for (const sign of text) clean += allowed(sign.codePointAt(0) ?? 0) ? sign : "\ufffd";
  return clean
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Two decimals are a hundredth of a pixel. */
function n(value: number): string {
  return String(Math.round(value * 100) / 100);
}
