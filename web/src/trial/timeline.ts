/** The pages and trials of a session as jsPsych runs them. */

import { ForcedChoice } from "./forcedchoice";
import { orderOf } from "./order";
import { pagesOf } from "./pages";
import { Preload } from "./preload";
import { deliver, type Session } from "./session";
import { Words } from "./words";

const BUTTONS = {
  welcome: "Begin",
  back: "Go on",
  practice: "Start practising",
  begin: "Start",
  rest: "Go on",
  end: "",
} as const;

/**
 * @param frame ms between two frames of this screen.
 */
export function timelineOf(session: Session, frame: number): object[] {
  const pages = pagesOf(session);
  const pictures = new Preload(session);
  return orderOf(session).map((entry) => {
    if ("trial" in entry) {
      const place = entry.trial;
      return { type: ForcedChoice, session, place, look: () => pictures.look(place), deliver, frame };
    }
    const content = entry.page === "rest" ? () => pages.rest(entry.blocks) : pages[entry.page];
    return { type: Words, content, button: BUTTONS[entry.page] };
  });
}
