/** A page of words with one button, as a plugin of jsPsych. */

import { type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { element } from "./element";

const info = {
  name: "words",
  version: "1.0.0",
  parameters: {
    /** Gives the page's elements. */
    content: { type: ParameterType.FUNCTION, default: undefined },
    /** On the button; without one the page stays. */
    button: { type: ParameterType.STRING, default: "" },
  },
  data: {},
} as const;

export class Words implements JsPsychPlugin<typeof info> {
  static readonly info = info;

  trial(display: HTMLElement, parameters: TrialType<typeof info>, loaded?: () => void): Promise<void> {
    const page = element("div", { className: "words" }, ...(parameters.content as () => Node[])());
    display.replaceChildren(page);
    scrollTo(0, 0);
    loaded?.();
    return new Promise((go) => {
      if (!parameters.button) return;
      const button = element("button", { type: "button", className: "onward" }, parameters.button);
      button.addEventListener("click", () => go(), { once: true });
      page.append(element("p", {}, button));
      button.focus({ preventScroll: true });
    });
  }
}
