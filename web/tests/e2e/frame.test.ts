import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";
import { go } from "./looking";

describe.skipIf(missing !== "")(`around a page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;

  beforeAll(async () => {
    here = await stage("--examples", "60", "--focus", "2");
  });
  afterAll(() => here?.close());

  it("nothing but the page is printed, and all of it", async () => {
    const { page } = await visit(here, here.exported, "#/loss");
    await page.getByText("How it is spread").waitFor();
    await page.emulateMedia({ media: "print" });
    const [tall, screen] = await page.evaluate(() => [
      document.documentElement.scrollHeight,
      document.querySelector("main")?.scrollHeight ?? 0,
    ]);
    expect(tall).toBeGreaterThan(1000);
    expect(tall).toBeGreaterThanOrEqual(screen as number);
    expect(await page.getByRole("navigation").count()).toBe(0);
    expect(await page.getByRole("button", { name: "CSV" }).isVisible()).toBe(false);
    await page.context().close();
  });

  it("galleries and graphs take the width of a wide screen, text does not", async () => {
    const { page } = await visit(here, here.exported, "#/examples", { width: 2400 });
    const wide = async () => (await page.locator("main article").boundingBox())?.width ?? 0;
    expect(await wide()).toBeGreaterThan(1800);
    await go(page, "overview");
    expect(await wide()).toBe(1280);
    await page.context().close();
  });

  it("benchmarks beyond the axis are pointed to", async () => {
    const { page } = await visit(here, here.exported, "#/loss?v.loss-target=5000");
    await page.getByText("target 5,000 →").waitFor();
    await page.context().close();
  });
});
