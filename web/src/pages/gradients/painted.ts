/** Calls back once what is on its way to the screen has been painted; returns how to call that off. */
export function painted(then: () => void): () => void {
  let timer = 0;
  // A frame's callbacks run before it is painted, and a timer that they set after it.
  const frame = requestAnimationFrame(() => {
    timer = window.setTimeout(then);
  });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
