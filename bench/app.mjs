/**
 * How soon the app shows something and answers a click, in a real Chromium: node app.mjs BROWSER ADDRESS prints JSON.
 * Times are milliseconds as the page's own clock has them: a click counts from the input to the second frame after the
 * page has what it waits for.
 */
import { createRequire } from "node:module";
import { armed } from "./clicks.mjs";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address] = process.argv.slice(2);
const LOADS = 5;
const ROUNDS = 3;
const PAGES = ["loss", "accuracy", "gradients", "activations", "histograms", "examples", "confusion"];

const WAITING = "main .skeleton";

async function click(page, target, position, selector, absent = WAITING) {
  await page.evaluate(armed, [selector, absent]);
  await target.click({ position });
  return page.evaluate(() => window.answered);
}

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const paints = [];
  const readies = [];
  let page;
  // A context is an empty user data folder; the first load, which finds browser and server cold, is not counted.
  for (let load = 0; load <= LOADS; load++) {
    await page?.context().close();
    page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    await page.goto(address);
    await page.locator("main h1").waitFor();
    await page.waitForFunction((selector) => !document.querySelector(selector), WAITING);
    const { painted, ready } = await page.evaluate(() => ({
      painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
      ready: performance.now(),
    }));
    if (load > 0) {
      paints.push(painted);
      readies.push(ready);
    }
  }

  const first = [];
  const pages = [];
  const cells = [];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const id of PAGES) {
      const link = page.locator(`nav a[href^="#/${id}"]`).first();
      const taken = await click(page, link, undefined, `nav a[aria-current=page][href^="#/${id}"]`);
      (round > 0 ? pages : first).push(taken);
    }
    const canvas = page.locator("main canvas").first();
    const box = await canvas.boundingBox();
    for (const digit of [1, 4, 7]) {
      const middle = ((digit + 0.5) * box.width) / 10;
      const taken = await click(
        page,
        canvas,
        { x: middle, y: middle },
        `.bar .chip button[title="Change: true ${digit}"]`,
      );
      if (round > 0) cells.push(taken);
    }
    await page.getByRole("button", { name: "clear all" }).click();
  }
  console.log(JSON.stringify({ paints, readies, first, pages, cells }));
} finally {
  await browser.close();
}
