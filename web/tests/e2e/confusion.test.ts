import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";
import { bar, chip, go, says, selected } from "./looking";

const CLASSES = 10;

/** Where a cell of the confusion matrix stands on its canvas. */
async function cell(page: Page, row: number, column: number): Promise<{ x: number; y: number }> {
  const box = await page.locator("main canvas").first().boundingBox();
  const side = (box?.width ?? 0) / CLASSES;
  return { x: (column + 0.5) * side, y: (row + 0.5) * side };
}

/** Examples that the hovering explanation of a cell counts. */
async function hovered(page: Page, row: number, column: number): Promise<number> {
  await page
    .locator("main canvas")
    .first()
    .hover({ position: await cell(page, row, column) });
  const said = page.getByText(new RegExp(`^\\d+ of \\d+ ${row} \\(`));
  return Number.parseInt((await said.textContent()) ?? "", 10);
}

describe.skipIf(missing !== "")(`the confusion page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;

  beforeAll(async () => {
    here = await stage("--examples", "300");
  });
  afterAll(() => here?.close());

  for (const kind of ["served", "exported"] as const) {
    it(`narrow to the examples of a confusion cell, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind], "#/confusion");
      const counted = await hovered(page, 4, 9);
      expect(counted).toBeGreaterThan(1);
      await page
        .locator("main canvas")
        .first()
        .click({ position: await cell(page, 4, 9) });
      await page.waitForURL(/#\/confusion\?true=4&predicted=9$/);
      await chip(page, "true 4").waitFor();
      await chip(page, "predicted 9").waitFor();
      expect(await selected(page)).toBe(counted);
      await go(page, "loss");
      await says(page, `of the selected ${counted} examples`);
      await go(page, "accuracy");
      await says(page, `of the selected ${counted} examples are right: 0 right, ${counted} wrong`);
      await go(page, "examples");
      const list = page.getByRole("list", { name: `${counted} examples, sorted by loss` });
      await list.waitFor();
      expect(await list.getByRole("listitem").count()).toBe(counted);
      expect(complaints).toEqual([]);
      await page.context().close();
    });
  }

  it("walk the confusion matrix by arrows, stop at its edge, and put a cell down at a second click", async () => {
    const { page } = await visit(here, here.served, "#/confusion");
    const canvas = page.locator("main canvas").first();
    await canvas.click({ position: await cell(page, 4, 8) });
    await page.waitForURL(/true=4&predicted=8$/);
    for (const [key, place] of [
      ["ArrowRight", /true=4&predicted=9$/],
      ["ArrowDown", /true=5&predicted=9$/],
      ["ArrowUp", /true=4&predicted=9$/],
      ["ArrowLeft", /true=4&predicted=8$/],
      ["ArrowRight", /true=4&predicted=9$/],
    ] as const) {
      await canvas.press(key);
      await page.waitForURL(place);
    }
    await canvas.press("ArrowRight");
    expect(page.url()).toMatch(/true=4&predicted=9$/);
    expect(await selected(page)).toBe(await hovered(page, 4, 9));
    await canvas.click({ position: await cell(page, 4, 9) });
    await page.waitForURL(/#\/confusion$/);
    await bar(page).getByText("all 300 examples").waitFor();
    // Walking made no history of its own: one step back is the cell that was clicked, the next the page as it was.
    await page.goBack();
    await page.waitForURL(/true=4&predicted=9$/);
    await page.goBack();
    await page.waitForURL(/#\/confusion$/);
    await page.context().close();
  });

  it("take a block of the confusion matrix by dragging", async () => {
    const { page } = await visit(here, here.served, "#/confusion");
    const canvas = page.locator("main canvas").first();
    const box = await canvas.boundingBox();
    const [from, to] = [await cell(page, 2, 4), await cell(page, 5, 6)];
    await page.mouse.move((box?.x ?? 0) + from.x, (box?.y ?? 0) + from.y);
    await page.mouse.down();
    await page.mouse.move((box?.x ?? 0) + to.x, (box?.y ?? 0) + to.y, { steps: 3 });
    await page.getByText("4 rows × 3 columns").waitFor();
    await page.mouse.up();
    await page.waitForURL(/true=2-5&predicted=4-6$/);
    await chip(page, "true 2, 3, 4, 5").waitFor();
    let counted = 0;
    for (let row = 2; row <= 5; row++)
      for (let column = 4; column <= 6; column++) counted += await hovered(page, row, column);
    expect(await selected(page)).toBe(counted);
    await page.context().close();
  });

  it("keep what a subset of classes leaves out in a row of its own", async () => {
    const { page } = await visit(here, here.served, "#/confusion?v.classes=~7");
    await page.getByText("other (9 classes)").first().waitFor();
    await page.getByRole("button", { name: "Table" }).click();
    await page
      .getByRole("row", { name: /other \(9 classes\)/ })
      .first()
      .waitFor();
    await page.context().close();
  });
});
