/** Where words stand on boxes, for every renderer. */
import { plain } from "../format";
import { Look, type Picture, STRIP, TITLE_BAR } from "./picture";

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
/** A letter of the badge and of a title, about, where there is nothing to measure with. */
const LETTER = 6.8;

export function wordsOf(picture: Picture, box: number): Word[] {
  const { placed } = picture;
  const [width, height] = [placed.width[box] as number, placed.height[box] as number];
  const look = picture.look[box] as number;
  const words: Word[] = [];
  const badge = plain(picture.words.badge(box));
  const title = plain(picture.words.title(box));
  const line = plain(picture.words.line(box));
  const left = look & Look.open ? INSET : STRIP + INSET;
  const badgeRoom = badge ? badge.length * LETTER + INSET : 0;
  const room = width - left - INSET - badgeRoom;
  const tone: Tone = look & Look.failed ? "high" : "ink";
  if (look & Look.open) {
    const baseline = TITLE_BAR - 8;
    const own = Math.min(room, title.length * LETTER);
    words.push({ text: title, x: left, y: baseline, most: own + 8, bold: true, tone, align: "left" });
    if (room - own > 48)
      words.push({
        text: line,
        x: left + own + 10,
        y: baseline,
        most: room - own - 10,
        bold: false,
        tone: "quiet",
        align: "left",
      });
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
  if (two)
    words.push({ text: line, x: left, y: 33, most: width - left - INSET, bold: false, tone: "quiet", align: "left" });
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
