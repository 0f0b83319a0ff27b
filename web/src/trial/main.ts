import { initJsPsych } from "jspsych";
import "../theme.css";
import "./trial.css";
import { element } from "./element";
import { measureFrame } from "./frames";
import { fetchSession } from "./session";
import { timelineOf } from "./timeline";

const place = document.getElementById("trial");
if (!place) throw new Error("The page has no element #trial.");

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
};
follow();
dark.addEventListener("change", follow);

/** What goes wrong is told where the trial stood. */
function told(error: unknown): void {
  const again = element("button", { type: "button", className: "onward" }, "Try again");
  again.addEventListener("click", () => location.reload());
  const why = error instanceof Error ? error.message : String(error);
  const page = element(
    "div",
    { className: "words" },
    element("h1", {}, "It cannot go on"),
    element("p", {}, why),
    element("p", {}, again),
  );
  place?.replaceChildren(page);
}

window.addEventListener("unhandledrejection", (event) => told(event.reason));

try {
  const [session, frame] = await Promise.all([fetchSession(), measureFrame()]);
  const jsPsych = initJsPsych({ display_element: place });
  await jsPsych.run(timelineOf(session, frame) as Parameters<typeof jsPsych.run>[0]);
} catch (error) {
  told(error);
}
