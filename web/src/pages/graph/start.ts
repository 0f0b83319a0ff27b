/** Starts the graph's worker from the app's own script: its text is in there, so it works from a file as well. */
import GraphWorker from "./worker?worker&inline";

/** Throws where workers are not allowed. */
export function startWorker(): Worker {
  return new GraphWorker({ name: "graph" });
}
