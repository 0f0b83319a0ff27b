import { namedFindings, type PageModule } from "../../shell/pages";
import Loss from "./Loss.svelte";

export const loss: PageModule = {
  id: "loss",
  title: "Loss",
  question: "Where does the loss come from?",
  component: Loss,
  findingsOf: namedFindings("loss"),
};
