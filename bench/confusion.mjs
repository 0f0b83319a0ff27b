/**
 * What the confusion matrix costs the hand, in a real Chromium: node confusion.mjs BROWSER ADDRESS prints JSON: milliseconds of
 * script of each step of panning and of zooming, and from a click on a cell to the frame that counts its examples.
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address] = process.argv.slice(2);
const STEPS = 120;
const CLICKS = 15;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];

/** Runs in the page: one turn of the wheel a frame; what the page's script takes for it, drawing included. */
async function moved([steps, near]) {
  const canvas = document.querySelector("main canvas");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const at = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, cancelable: true };
  const spent = [];
  for (let step = 0; step < steps; step++) {
    const back = Math.floor(step / 30) % 2 === 1;
    const turn = near ? { deltaY: back ? 25 : -25, ctrlKey: true } : { deltaX: back ? -12 : 12, deltaY: back ? -20 : 20 };
    const begun = performance.now();
    canvas.dispatchEvent(new WheelEvent("wheel", { ...at, ...turn }));
    // The page draws in microtasks after the event: theirs end before this one.
    await new Promise((done) => queueMicrotask(() => queueMicrotask(() => queueMicrotask(done))));
    spent.push(performance.now() - begun);
    await new Promise(requestAnimationFrame);
  }
  return spent;
}

/** Runs in the page: a click on a cell that holds examples, until the frame in which the bar counts them. */
async function clicked([x, y]) {
  const canvas = document.querySelector("main canvas");
  const { left, top } = canvas.getBoundingClientRect();
  const at = { clientX: left + x, clientY: top + y, bubbles: true, cancelable: true, button: 0, pointerId: 1 };
  const said = () => document.querySelector("[role=region][aria-label=Selection]").textContent;
  const before = said();
  canvas.setPointerCapture = () => {};
  const begun = performance.now();
  canvas.dispatchEvent(new PointerEvent("pointerdown", at));
  canvas.dispatchEvent(new PointerEvent("pointerup", at));
  for (let frame = 0; frame < 600 && said() === before; frame++) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return said() === before ? null : performance.now() - begun;
}

const browser = await chromium.launch({ executablePath, args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(address);
  await page.evaluate(() => {
    location.hash = "#/confusion?v.classes=all&v.order=similarity";
  });
  await page.locator("main canvas").first().waitFor();
  await page.waitForTimeout(1000);
  const zoom = await page.evaluate(moved, [STEPS, true]);
  // From afar nothing can be panned: nearer first, where thousands of cells are in view.
  for (let step = 0; step < 3; step++) await page.getByRole("button", { name: "nearer" }).click();
  const pan = await page.evaluate(moved, [STEPS, false]);
  await page.getByRole("button", { name: "all of it" }).click();
  const clicks = [];
  for (let click = 0; click < CLICKS; click++) {
    const along = 20 + click * 23;
    const taken = await page.evaluate(clicked, [along, along]);
    if (taken !== null) clicks.push(taken);
  }
  console.log(JSON.stringify({ zoom, pan, clicks }));
} finally {
  await browser.close();
}
