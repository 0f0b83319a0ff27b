/** Runs in the page: keeps when the next click came in, and resolves once `selector` is there, `absent` is not, and that is painted. */
export function armed([selector, absent]) {
  window.answered = new Promise((resolve) => {
    addEventListener(
      "click",
      (event) => {
        const look = () => {
          if (document.querySelector(selector) && !document.querySelector(absent))
            requestAnimationFrame(() => resolve(performance.now() - event.timeStamp));
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      },
      { capture: true, once: true },
    );
  });
}
