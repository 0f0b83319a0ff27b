/**
 * How soon a click on an example that nobody has asked for shows its first map, in a real Chromium: node maps.mjs BROWSER
 * ADDRESS FIRST LAST prints JSON. Milliseconds as the page's own clock has them: from the input to the second frame after
 * the first map is in the page; and of these, what the server took to begin its answer, and to end it.
 */
import { createRequire } from "node:module";
import { armed } from "./clicks.mjs";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address, first, last] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(address);
  await page.locator("main h1").waitFor();
  await page.locator('nav a[href^="#/gradients"]').first().click();
  await page.locator("main [data-map]").first().waitFor();
  const maps = [];
  const answers = [];
  // From a strip of links in place of the gallery's; the model is at hand.
  for (let row = Number(first); row < Number(last); row++) {
    // Only when the last example's maps are all there: the model does one thing at a time.
    await page.waitForFunction(
      () => !document.querySelector("main [data-status=waiting], main progress, main .skeleton"),
    );
    await page.evaluate((example) => {
      performance.clearResourceTimings();
      const link = document.createElement("a");
      link.href = `#/gradients?example=${example}`;
      link.textContent = "next";
      link.id = "next";
      document.getElementById("next")?.remove();
      document.querySelector("main .strip").append(link);
    }, row);
    await page.evaluate(armed, [`main [data-map="${row}"] canvas`, "#none"]);
    await page.locator("#next").click();
    maps.push(await page.evaluate(() => window.answered));
    answers.push(
      await page.evaluate(() => {
        const [asked] = performance.getEntriesByType("resource").filter(({ name }) => name.includes("live/attribute"));
        return asked ? asked.responseEnd - asked.requestStart : null; // of a long answer it may not be listed yet
      }),
    );
  }
  console.log(JSON.stringify({ maps, answers }));
} finally {
  await browser.close();
}
