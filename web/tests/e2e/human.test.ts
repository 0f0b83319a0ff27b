import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, PYTHON, stageOf, visit } from "./harness";

/** A model beside ten people in ten categories, served; the same as one file; 50 people of hostile names in 16 categories, as a file. */
const SCRIPT = `
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from support.peopled import peopled
from pellucid.export import export
from pellucid.server import serve
folder = Path(sys.argv[1])
record = peopled(folder / "people.pellucid")
export(record, folder / "people.html")
export(peopled(folder / "many.pellucid", people=50, classes=16, images=160, hostile=True), folder / "many.html")
export(peopled(folder / "alone.pellucid", people=3, images=60, model=False), folder / "alone.html")
serve(record, open_browser=False, announce=lambda url: print(url, flush=True))
`;

const section = (page: Page, name: string) => page.getByRole("region", { name, exact: true });
const selection = (page: Page) => page.locator("main p[aria-label='The selection']");
const numberIn = (text: string | null, pattern: RegExp) => Number(pattern.exec(text ?? "")?.[1]?.replaceAll(",", ""));

async function sideways(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const main = document.querySelector("main");
    return [document.documentElement.scrollWidth - innerWidth, (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0)];
  });
}

describe.skipIf(missing !== "")(`the page Human${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: LiveStage;
  const folder = mkdtempSync(join(tmpdir(), "pellucid-e2e-"));
  const exported = (name: string) => `file://${join(folder, `${name}.html`)}`;

  beforeAll(async () => {
    here = await stageOf(SCRIPT, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  for (const kind of ["served", "exported"] as const) {
    it(`answers its question with intervals and shows every view, ${kind}`, async () => {
      const { page, complaints } = await visit(here, kind === "served" ? here.served : exported("people"), "#/human");
      await page.getByText("Not yet: the network errs on other images than people do.").waitFor();
      await page.getByText(/minus kappa among people, over the same images: −0\.\d+ \(.* at 95%\)/).waitFor();
      expect(await selection(page).textContent()).toMatch(
        /^ ?On 240 images that both answered, people are right in \d+\.\d% of 2,400 answers/,
      );
      for (const name of [
        "Agreement",
        "Who gets what right",
        "Accuracy",
        "Psychometric curves",
        "Confusions",
        "Shape bias",
        "Soft labels",
        "Response times",
        "Where people look",
        "Perceptual learning",
        "Who answered",
      ])
        await section(page, name).waitFor();
      expect(await sideways(page)).toEqual([0, 0]);
      expect(complaints).toEqual([]);
      await page.context().close();
    });
  }

  it("takes a pair of observers in hand and says how alike they are", async () => {
    const { page, complaints } = await visit(here, here.served, "#/human");
    const canvas = section(page, "Agreement").locator("canvas").first();
    await canvas.waitFor();
    const box = await canvas.boundingBox();
    const side = (box?.width ?? 0) / 11;
    await canvas.click({ position: { x: 2.5 * side, y: 0.5 * side } });
    await page.waitForURL(/v\.pair=10-1$/);
    await section(page, "Agreement")
      .getByText(/^subject-02 and the network: kappa 0\.\d+ \(.* at 95%\)/)
      .waitFor();
    // The cell of the first and the third person has no kappa, and says why.
    await canvas.hover({ position: { x: 3.5 * side, y: 1.5 * side } });
    await page.getByText("kappa is not defined: both get every image right, and agree by chance alone").waitFor();
    await canvas.press("ArrowRight");
    await page.waitForURL(/v\.pair=10-2$/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("leads from who gets what right to the examples, their gradients and the selection", async () => {
    const { page, complaints } = await visit(here, here.served, "#/human");
    const view = section(page, "Who gets what right");
    const button = view.getByRole("button", { name: /^Only people are right/ });
    const many = numberIn(await button.textContent(), /right\s+(\d+)/);
    expect(many).toBeGreaterThan(10);
    await button.click();
    const list = view.getByRole("list", { name: new RegExp(`^Only people are right, ${many} images`) });
    await list.getByRole("listitem").first().getByRole("link", { name: "gradients" }).click();
    await page.waitForURL(/#\/gradients\?example=\d+/);
    await page.goBack();
    await view.getByRole("link", { name: `Select these ${many}` }).click();
    await page.waitForURL(/rows=/);
    await page.getByText(new RegExp(`On the selected ${many} images that both answered`)).waitFor();
    expect(await selection(page).textContent()).toContain("on 0.0%");
    await view.getByRole("link", { name: "look at all of them" }).click();
    await page.getByRole("list", { name: new RegExp(`^${many} examples`) }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("selects the images of a confusion, people's and the model's, and puts them down", async () => {
    const { page, complaints } = await visit(here, here.served, "#/human");
    const view = section(page, "Confusions");
    const model = view.locator("figure", { hasText: "the network" }).locator("canvas");
    await model.scrollIntoViewIfNeeded();
    const box = await model.boundingBox();
    const side = (box?.width ?? 0) / 11;
    await model.click({ position: { x: 0.5 * side, y: 0.5 * side } });
    await page.waitForURL(/rows=.*v\.cell=model-0-0/);
    const said = await selection(page).textContent();
    expect(said).toContain("on 100.0%");
    await model.click({ position: { x: 0.5 * side, y: 0.5 * side } });
    await page.waitForURL((url) => !url.hash.includes("rows="));
    await page.getByText(/On 240 images that both answered/).waitFor();
    await view.getByRole("list", { name: /part$/ }).getByRole("link").first().click();
    await page.waitForURL(/true=\d/);
    await page.getByText(/On the selected \d+ images that both answered/).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("narrows to points that are dragged over, and takes a step of the training in hand", async () => {
    const { page, complaints } = await visit(here, here.served, "#/human");
    const plot = section(page, "Soft labels").getByRole("img");
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    const [x, y] = [box?.x ?? 0, box?.y ?? 0];
    await page.mouse.move(x + 60, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + (box?.width ?? 0) * 0.6, y + (box?.height ?? 0) - 45, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/rows=/);
    await page.getByText(/On the selected \d+ images that both answered/).waitFor();
    await section(page, "Perceptual learning")
      .getByRole("link", { name: /^step 300, / })
      .click();
    await page.waitForURL(/step=300/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("has every pair as a table", async () => {
    const { page } = await visit(here, here.served, "#/human");
    await page.getByRole("button", { name: "Table", exact: true }).click();
    await page.getByRole("columnheader", { name: "bootstrap low" }).waitFor();
    await page.getByRole("cell", { name: "subject-01" }).first().waitFor();
    await page.context().close();
  });

  for (const [width, dark] of [
    [1280, true],
    [390, false],
  ] as const)
    it(`holds 50 people of hostile names in 16 categories, ${width} pixels, ${dark ? "dark" : "light"}`, async () => {
      const { page, complaints } = await visit(here, exported("many"), "#/human", { width, dark });
      await section(page, "Who answered").waitFor();
      expect(await section(page, "Agreement").getByRole("group").locator("circle").count()).toBe(1274);
      expect(await page.locator("main img[src='x']").count()).toBe(0);
      expect(await sideways(page)).toEqual([0, 0]);
      expect(complaints).toEqual([]);
      await page.context().close();
    });

  it("compares people with each other where there is no model", async () => {
    const { page, complaints } = await visit(here, exported("alone"), "#/human");
    await page.getByText("There is no model here: people are compared with each other.").waitFor();
    await section(page, "Agreement").getByText("people with each other").waitFor();
    expect(await section(page, "Who gets what right").count()).toBe(0);
    await section(page, "Soft labels").getByText("not defined: the record holds no probabilities").waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("teaches what brings people's answers where there are none", async () => {
    const file = join(folder, "none.html");
    const script = `
import sys
sys.path.insert(0, "tests")
from support.answered import answered
from pellucid.export import export
export(answered(sys.argv[1] + "/none.pellucid", [0, 1], [0, 1]), sys.argv[2])
`;
    execFileSync(PYTHON, ["-c", script, folder, file], { cwd: join(import.meta.dirname, "../../..") });
    const { page, complaints } = await visit(here, `file://${file}`, "#/human");
    await page.getByText(/pellucid human import ANSWERS.csv --record/).waitFor();
    await page.getByText(/pellucid human serve/).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
