import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** A family of nine models, three sizes of three seeds each, on 300 examples; the largest against the smallest first. */
const SCRIPT = `
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from support.answered import family
from pellucid import compare
from pellucid.server import serve
folder = Path(sys.argv[1])
made = family(folder, examples=300)
compare(made[0], made[-1], *made[1:-1], out=folder / "family.pellucid", fail_if="accuracy drops by 1% at 95%")
serve(folder / "family.pellucid", open_browser=False, announce=lambda url: print(url, flush=True))
`;

const verdict = (page: Page) => page.locator("main p", { hasText: "is right on" }).first();
const numberIn = (text: string | null, pattern: RegExp) => Number(pattern.exec(text ?? "")?.[1]?.replaceAll(",", ""));

describe.skipIf(missing !== "")(`the page Compare${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: LiveStage;

  const folder = mkdtempSync(join(tmpdir(), "pellucid-e2e-"));

  beforeAll(async () => {
    here = await stageOf(SCRIPT, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("says whether it is better, with the interval and what the rule said", async () => {
    const { page, complaints } = await visit(here, here.served, "#/compare");
    const said = await verdict(page).textContent();
    expect(said).toMatch(/^It is better\. width32-seed2 is right on 89\.3% instead of 67\.3% of all 300 examples/);
    expect(said).toMatch(/\+\d+\.\d points \(\+\d+\.\d to \+\d+\.\d at 95%\)/);
    await page.getByText("width32-seed2: accuracy drops by 1% at 95%: passed.").waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("shows what was fixed, narrows to it, and other pages follow", async () => {
    const { page, complaints } = await visit(here, here.served, "#/compare");
    const fixed = page.getByRole("region", { name: "Fixed: wrong before, right now" });
    const count = numberIn(await fixed.getByRole("heading").textContent(), /(\d+)$/);
    expect(count).toBeGreaterThan(20);
    await fixed.getByRole("link", { name: "look at all of them" }).click();
    await page.waitForURL(/#\/examples\?column\.flip=fixed/);
    const list = page.getByRole("list", { name: new RegExp(`^${count} examples`) });
    await list.waitFor();
    await list.getByRole("link").first().click();
    const hand = page.getByRole("complementary", { name: "In hand" });
    await hand.getByText("width8-seed0 says").waitFor();
    await page.getByText("Narrow down").waitFor();
    expect(await page.locator(".facet", { hasText: "flip" }).count(), "one facet of flips, none of each model").toBe(1);
    await page.goBack();
    await page.goBack();
    await fixed.getByRole("link", { name: "Select them" }).click();
    await page.getByTitle("Change: flip fixed").waitFor();
    await page
      .getByText(new RegExp(`is right on 100\\.0% instead of 0\\.0% of the selected ${count} examples`))
      .waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("counts anew for a class that is clicked, and for another model", async () => {
    const { page, complaints } = await visit(here, here.served, "#/compare");
    await page.getByRole("link", { name: /^class 1 \*?, \+/ }).click();
    await page.waitForURL(/true=1/);
    const said = await verdict(page).textContent();
    const some = numberIn(said, /of the selected ([\d,]+) examples/);
    expect(some).toBeGreaterThan(50);
    expect(some).toBeLessThan(200);
    await page.getByRole("combobox").first().selectOption({ label: "width16-seed1" });
    await page.waitForURL(/v\.new=width16-seed1/);
    await page.getByText(/width16-seed1 is right on/).waitFor();
    await page.getByRole("region", { name: /^Broken/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("draws cost against accuracy and takes another size into hand", async () => {
    const { page, complaints } = await visit(here, here.served, "#/compare");
    const picture = page.getByRole("group", { name: "Accuracy against parameters" });
    await picture.getByRole("link").first().waitFor();
    expect(await picture.getByRole("link").count()).toBe(3);
    await picture.getByRole("link", { name: /^width16, / }).click();
    await page.waitForURL(/v\.new=width16-seed\d/);
    await page.locator("section", { has: picture }).getByRole("combobox").selectOption("training_steps");
    await page.getByRole("group", { name: "Accuracy against training steps" }).waitFor();
    await page.getByText(/up to an accuracy of \d+%/).waitFor();
    await page.getByRole("button", { name: "loss", exact: true }).click();
    await page.getByRole("heading", { name: "Size against loss" }).waitFor();
    await page.getByRole("group", { name: "Loss against training steps" }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("has every number as a table", async () => {
    const { page } = await visit(here, here.served, "#/compare");
    await page.getByRole("button", { name: "Table", exact: true }).click();
    await page.getByRole("columnheader", { name: /p, corrected/ }).waitFor();
    expect(await page.getByRole("table").getByRole("row").count()).toBe(4);
    await page.context().close();
  });

  for (const width of [1280, 390]) {
    it(`scrolls nothing sideways at ${width} pixels`, async () => {
      const { page } = await visit(here, here.served, "#/compare", { width });
      await verdict(page).waitFor();
      const [outer, inner] = await page.evaluate(() => {
        const main = document.querySelector("main");
        return [document.documentElement.scrollWidth - innerWidth, (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0)];
      });
      expect([outer, inner]).toEqual([0, 0]);
      await page.context().close();
    });
  }
});
