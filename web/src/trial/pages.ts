/** What observers are told. */

import { element } from "./element";
import type { Session } from "./session";

const p = (...children: (Node | string)[]) => element("p", {}, ...children);
const items = (tag: "ol" | "ul", texts: readonly string[]) =>
  element(tag, {}, ...texts.map((text) => element("li", {}, text)));
const count = (number: number, one: string) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
/** A duration as people say it: "0.2 s". */
const seconds = (milliseconds: number) => `${Number((milliseconds / 1000).toFixed(2))} s`;

export function pagesOf(session: Session) {
  const { timing, categories, label, code } = session;
  const blocks = Math.max(0, ...session.trials.map((trial) => trial.block));
  const practice = session.trials.filter((trial) => trial.kind === "practice").length;

  const course = label
    ? [
        "A picture is shown, with all answers beneath it.",
        'Choose what it shows. There is no hurry; "I cannot tell" is an answer too.',
      ]
    : [
        ...(timing.fixation ? [`Look at the cross in the middle (${seconds(timing.fixation)}).`] : []),
        `A picture is shown for a moment (${seconds(timing.presentation)}).`,
        ...(timing.mask ? [`Noise follows (${seconds(timing.mask)}).`] : []),
        `Choose what you saw, within ${seconds(timing.choice)}. Where you are not sure, guess.`,
      ];

  return {
    welcome: () => [
      element("h1", {}, "What do you see?"),
      p(
        `You will see ${count(session.trials.filter((trial) => trial.kind === "trial").length, "picture")}, one after the other, and say for each which of ${count(categories.length, "thing")} it shows. `,
        `It takes about ${count(minutes(session), "minute")}, with breaks.`,
      ),
      element("h2", {}, "How it goes"),
      items("ol", course),
      p(
        "Answer with the key that stands beside each name, with the mouse, or with a finger. Now and then you are told in words what to choose: choose just that.",
      ),
      element("h2", {}, "What is recorded"),
      p(
        "For each picture: your answer, how long it took, whether a key, the mouse or a finger gave it, how long the picture really stood on your screen and how often the screen is drawn, and whether you left the window meanwhile.",
      ),
      p(
        "You are known here as ",
        element("strong", {}, code),
        ". No name is asked for, and neither your computer's address, nor your browser, nor the time of day is kept.",
      ),
      p(
        "You can stop at any moment by closing the page: what you answered until then is kept. Under the same address you can go on later.",
      ),
    ],
    back: () => [
      element("h1", {}, "Welcome back"),
      p(
        `${count(session.done, "trial")} of ${session.trials.length.toLocaleString("en")} are done. It goes on where you stopped.`,
      ),
      items("ol", course),
    ],
    practice: () => [
      element("h1", {}, "First, practice"),
      p(`In ${count(practice, "trial")} you are told after each whether it was right. They do not count.`),
    ],
    begin: () => [
      element("h1", {}, practice ? "Now it counts" : "Ready?"),
      p(
        practice
          ? "Practice is over. From now on you are not told what was right."
          : "You are not told what was right.",
      ),
      p(
        `There ${blocks === 1 ? "is" : "are"} ${count(blocks, "block")}${blocks === 1 ? "" : ", with breaks between them"}.`,
      ),
    ],
    rest: (done: number) => [
      element("h1", {}, "Time for a break"),
      p(
        `${count(done, "block")} of ${blocks} ${done === 1 ? "is" : "are"} done. Look away from the screen for a moment, and go on when you like.`,
      ),
      element("progress", { max: blocks, value: done, ariaLabel: "Blocks that are done" }),
    ],
    end: () => [
      element("h1", {}, "Thank you"),
      p("That was the last picture. Everything is kept; you can close the page."),
      p("You took part as ", element("strong", {}, code), "."),
    ],
  };
}

const READING = 600; // ms that an answer takes beyond what is set

/** How long the rest of the trials takes. */
export function minutes(session: Session): number {
  const { fixation, presentation, mask, choice } = session.timing;
  const each = session.label ? 3000 : fixation + presentation + mask + Math.min(choice, 1000) + READING;
  return Math.max(1, Math.round(((session.trials.length - session.done) * each) / 60_000));
}
