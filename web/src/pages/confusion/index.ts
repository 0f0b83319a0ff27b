import { namedFindings, type PageModule } from "../../shell/pages";
import Confusion from "./Confusion.svelte";

export const confusion: PageModule = {
  id: "confusion",
  title: "Confusion",
  question: "What does it take for what?",
  component: Confusion,
  findingsOf: namedFindings("confusion"),
};
