import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";

const drawn = (page: Page) => page.locator("main canvas[data-drawn]").first().waitFor();
const boxes = (page: Page) => page.getByRole("application").getAttribute("data-boxes");

describe.skipIf(missing !== "")(`the layout's worker${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;
  beforeAll(async () => {
    here = await stage("--examples", "60");
  });
  afterAll(async () => {
    await here?.close();
  });

  for (const kind of ["served", "exported"] as const) {
    it(`starts from the app's own script, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind], "#/graph");
      await drawn(page);
      expect(page.workers().map((worker) => new URL(worker.url()).protocol)).toEqual(["blob:"]);
      expect(Number(await boxes(page))).toBeGreaterThan(3);
      expect(complaints).toEqual([]);
      await page.context().close();
    });

    it(`is done without where none may start, ${kind}, with the same picture`, async () => {
      const withWorker = await visit(here, here[kind], "#/graph");
      await drawn(withWorker.page);
      const { page, complaints } = await visit(here, here[kind], "#/overview");
      await page.evaluate(() => {
        Object.defineProperty(window, "Worker", {
          value: class {
            constructor() {
              throw new Error("not allowed");
            }
          },
        });
        location.hash = "#/graph";
      });
      await drawn(page);
      expect(page.workers()).toEqual([]);
      expect(await boxes(page)).toBe(await boxes(withWorker.page));
      const [one, other] = [await picture(page), await picture(withWorker.page)];
      expect(one.equals(other)).toBe(true);
      expect(complaints).toEqual([]);
      await page.context().close();
      await withWorker.page.context().close();
    });
  }
});

async function picture(page: Page): Promise<Buffer> {
  await page.mouse.move(0, 0);
  return page.getByRole("application").screenshot();
}
