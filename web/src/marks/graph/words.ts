/** Where words stand on boxes, for every renderer. */
import { fitting } from "../fitting";
import { plain } from "../format";
import { JOIN, Look, type Picture, STRIP, TITLE_BAR } from "./picture";

export type Tone = "ink" | "quiet" | "accent" | "high";

export interface Word {
  readonly text: string;
  /** Left end (right end where `right`, middle where `middle`) of its baseline, from the box's corner. */
  readonly x: number;
  readonly y: number;
  readonly most: number;
  readonly bold: boolean;
  readonly tone: Tone;
  readonly align: "left" | "right" | "middle";
}

const INSET = 8;
/** A letter, about, where there is nothing to measure with. */
const LETTER = 6.8;
/** From a frame's name to what it is. */
const APART = 10;
/** Less of a line than this says nothing. */
const LEAST = 48;

/** Width in pixels of words as they will be drawn. */
export type WordWidth = (text: string, bold: boolean) => number;

const guessed: WordWidth = (text) => text.length * LETTER;

/** Where not all has room, the name and the multiplier are kept first, then the measure, then what the box is. */
export function wordsOf(picture: Picture, box: number, widthOf: WordWidth = guessed): Word[] {
  const { placed } = picture;
  const [width, height] = [placed.width[box] as number, placed.height[box] as number];
  const look = picture.look[box] as number;
  const words: Word[] = [];
  const badge = plain(picture.words.badge(box));
  const title = plain(picture.words.title(box));
  const line = plain(picture.words.line(box));
  const said = (most: number) => sayable(line, plain(picture.words.brief(box)), most, (text) => widthOf(text, false));
  const left = look & Look.open ? INSET : STRIP + INSET;
  const badgeRoom = badge ? widthOf(badge, true) + INSET : 0;
  const room = width - left - INSET - badgeRoom;
  const tone: Tone = look & Look.failed ? "high" : "ink";
  if (look & Look.open) {
    const baseline = TITLE_BAR - 8;
    const own = Math.min(room, widthOf(title, true));
    words.push({ text: title, x: left, y: baseline, most: room, bold: true, tone, align: "left" });
    const most = room - own - APART;
    const rest = line === "" ? "" : said(most);
    if (rest !== "" && (most > LEAST || widthOf(rest, false) <= most))
      words.push({ text: rest, x: left + own + APART, y: baseline, most, bold: false, tone: "quiet", align: "left" });
    if (badge)
      words.push({
        text: badge,
        x: width - INSET,
        y: baseline,
        most: badgeRoom + 8,
        bold: true,
        tone: "quiet",
        align: "right",
      });
    return words;
  }
  const two = height >= 38 && line !== "";
  const baseline = two ? 17 : Math.min(height, 30) / 2 + 4;
  words.push({ text: title, x: left, y: baseline, most: room, bold: true, tone, align: "left" });
  if (two) {
    const most = width - left - INSET;
    words.push({ text: said(most), x: left, y: 33, most, bold: false, tone: "quiet", align: "left" });
  }
  if (badge)
    words.push({
      text: badge,
      x: width - INSET,
      y: baseline,
      most: badgeRoom + 8,
      bold: true,
      tone: "ink",
      align: "right",
    });
  return words;
}

/** Letters of what a box is, below which it is left out. */
const FEW = 6;

/** As much of a line as there is room for: its end, the measure, whole; of what comes before as much as fits. */
function sayable(line: string, brief: string, most: number, width: (text: string) => number): string {
  if (brief === "" || line === brief || width(line) <= most) return line;
  const standing = line.slice(0, -(JOIN + brief).length);
  const end = JOIN + brief;
  const cut = fitting(width, standing, most - width(end));
  return [...cut].length >= FEW && width(cut + end) <= most ? cut + end : brief;
}

/** Height of the highest bar of a folded run, and the most that one takes of the width. */
const BAR = 14;
const PITCH = 14;

/**
 * The bars of a folded run and the line on which they stand, each as its middle, upper and lower end and half its width, from
 * the box's corner, and whether it was measured.
 */
export function barsOf(
  values: readonly (number | null)[],
  width: number,
  height: number,
): { x: number; top: number; bottom: number; half: number; known: boolean }[] {
  const [left, right, bottom] = [STRIP + INSET, width - INSET, height - 5];
  const room = Math.max(1, right - left);
  const most = Math.max(1, Math.floor(room / 2));
  // More blocks than there is room for: the most of neighbours stands for them.
  const bars = Math.min(values.length, most);
  if (bars === 0) return [];
  const pitch = Math.min(PITCH, room / bars);
  const half = (bars * pitch) / 2;
  const ground = { x: left + half, top: bottom, bottom: bottom + 1, half, known: false };
  const standing = Array.from({ length: bars }, (_, bar) => {
    const some = values.slice(Math.floor((bar * values.length) / bars), Math.floor(((bar + 1) * values.length) / bars));
    const known = some.filter((value): value is number => value !== null);
    const value = known.length > 0 ? Math.max(...known) : 0;
    return {
      x: left + (bar + 0.5) * pitch,
      top: bottom - Math.max(1, BAR * value),
      bottom,
      half: Math.max(0.5, 0.36 * pitch),
      known: known.length > 0,
    };
  });
  return [...standing, ground];
}
