/** One trial, as a plugin of jsPsych: cross, picture, noise, choice; or picture and choice together, without hurry. */

import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { choices, keysOf } from "./choices";
import { element } from "./element";
import { type Step, Steps } from "./frames";
import type { By, Given, Kept, Session } from "./session";

const info = {
  name: "forced-choice",
  version: "1.0.0",
  parameters: {
    session: { type: ParameterType.OBJECT, default: undefined },
    /** Number of the trial. */
    place: { type: ParameterType.INT, default: 0 },
    /** Gives the picture and the mask, drawn and ready; null where there is none. */
    look: { type: ParameterType.FUNCTION, default: undefined },
    /** Keeps what was answered. */
    deliver: { type: ParameterType.FUNCTION, default: undefined },
    /** ms between two frames of this screen. */
    frame: { type: ParameterType.FLOAT, default: 1000 / 60 },
  },
  data: {
    trial: { type: ParameterType.INT },
    response: { type: ParameterType.INT },
    milliseconds: { type: ParameterType.FLOAT },
    by: { type: ParameterType.STRING },
    fixation: { type: ParameterType.FLOAT },
    shown: { type: ParameterType.FLOAT },
    mask: { type: ParameterType.FLOAT },
    frame: { type: ParameterType.FLOAT },
    dropped: { type: ParameterType.INT },
    left: { type: ParameterType.BOOL },
  },
} as const;

export interface Look {
  readonly picture: HTMLCanvasElement | null;
  readonly mask: HTMLCanvasElement | null;
}

const CHECK_CHOICE = 4000; // ms at least to read a word and find it
const FEEDBACK = 900; // ms
const BETWEEN = 300; // ms between two pictures in plain labelling
const SLOW = 1000; // ms after which somebody who waits is told so

interface Answer {
  readonly response: number | null;
  readonly by: By | null;
  /** On the clock of the frames. */
  readonly at: number;
}

export class ForcedChoice implements JsPsychPlugin<typeof info> {
  static readonly info = info;

  constructor(private readonly jsPsych: JsPsych) {}

  async trial(display: HTMLElement, parameters: TrialType<typeof info>, loaded?: () => void): Promise<Given> {
    const session = parameters.session as unknown as Session;
    const look = await (parameters.look as () => Promise<Look>)();
    const place = Number(parameters.place);
    const trial = session.trials[place];
    if (!trial) throw new Error(`There is no trial ${place}.`);
    const check = trial.kind === "check";
    const calm = session.label;
    const stage = element("div", { className: "stage" });
    stage.dataset.shown = "nothing";
    stage.dataset.trial = String(place);
    const square = element("div", { className: "square" }, element("div", { className: "cross", ariaHidden: "true" }));
    square.style.width = square.style.height = `min(${session.size}px, 88vw, ${calm ? "46vh" : "88vh"})`;
    if (look.picture) square.append(look.picture);
    if (look.mask) square.append(look.mask);
    const told = element("p", { className: "told", attributes_: { role: "status" } });
    stage.append(square, told);
    if (check) stage.append(element("p", { className: "word" }, "Choose ", element("strong", {}, trial.word)));
    display.replaceChildren(stage);
    loaded?.();

    const watch = new AbortController();
    let left = document.visibilityState === "hidden";
    const leave = () => {
      left = true;
    };
    document.addEventListener("visibilitychange", leave, { signal: watch.signal });
    window.addEventListener("blur", leave, { signal: watch.signal });

    // Without a cross between two pictures, a double click would answer both.
    if (calm) await pause(BETWEEN);
    const { timing } = session;
    const steps: Step[] = calm
      ? []
      : check
        ? [{ name: "fixation", duration: timing.fixation }]
        : [
            { name: "fixation", duration: timing.fixation },
            { name: "picture", duration: timing.presentation },
            { name: "mask", duration: timing.mask },
          ];
    const course = new Steps(steps, parameters.frame ?? 1000 / 60);
    const onset = await this.#show(stage, course, calm);
    const limit = calm ? null : check ? Math.max(CHECK_CHOICE, timing.choice) : timing.choice;
    const answer = await this.#answer(stage, session, limit, onset);
    watch.abort();
    stage.dataset.shown = "nothing";

    const given: Given = {
      trial: place,
      response: answer.response,
      milliseconds: answer.by || calm ? Math.max(0, answer.at - onset) : null,
      by: answer.response === null ? null : answer.by,
      fixation: course.lasted.fixation ?? null,
      shown: course.lasted.picture ?? null,
      mask: course.lasted.mask ?? null,
      frame: calm ? null : (parameters.frame ?? null),
      dropped: course.dropped,
      left,
    };
    const kept = await this.#kept(parameters.deliver as Deliver, given, told);
    if (kept.right !== null) {
      told.textContent = feedback(kept, answer.response === null);
      told.dataset.right = String(kept.right);
      await pause(FEEDBACK);
    }
    return given;
  }

  /** Shows step after step; the time of the frame in which there is something to choose. */
  #show(stage: HTMLElement, course: Steps, calm: boolean): Promise<number> {
    return new Promise((begun) => {
      const tick = (now: number) => {
        const shown = course.at(now);
        stage.dataset.shown = calm ? "both" : shown;
        if (shown === "choice") begun(now);
        else requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    });
  }

  /** The first answer, or none when the time is over. */
  #answer(stage: HTMLElement, session: Session, limit: number | null, onset: number): Promise<Answer> {
    return new Promise((found) => {
      const keys = keysOf(session.categories);
      const listening = { key: null as unknown, timer: 0 };
      const end = (answer: Answer) => {
        this.jsPsych.pluginAPI.cancelAllKeyboardResponses();
        clearTimeout(listening.timer);
        grid.close();
        grid.node.remove();
        found(answer);
      };
      const options = { atOnce: limit !== null, unsure: session.label ? "I cannot tell" : "" };
      const grid = choices(session.categories, options, (response, by, at) => end({ response, by, at }));
      stage.append(grid.node);
      this.jsPsych.pluginAPI.getKeyboardResponse({
        valid_responses: session.label ? [...keys, " "] : keys,
        persist: false,
        callback_function: ({ key }: { key: string }) =>
          end({ response: key === " " ? null : keys.indexOf(key), by: "key", at: performance.now() }),
      });
      if (limit !== null)
        listening.timer = window.setTimeout(
          () => end({ response: null, by: null, at: performance.now() }),
          limit - (performance.now() - onset),
        );
    });
  }

  async #kept(deliver: Deliver, given: Given, told: HTMLElement): Promise<Kept> {
    const slow = window.setTimeout(() => {
      told.textContent = "Your answer is being kept ...";
    }, SLOW);
    const kept = await deliver(given, (why) => {
      told.textContent = why;
    });
    clearTimeout(slow);
    told.textContent = "";
    return kept;
  }
}

type Deliver = (given: Given, waiting: (why: string) => void) => Promise<Kept>;

function feedback(kept: Kept, late: boolean): string {
  if (kept.right) return "Right.";
  return late ? `Too late. It was: ${kept.answer}.` : `No, it was: ${kept.answer}.`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((go) => setTimeout(go, milliseconds));
}
