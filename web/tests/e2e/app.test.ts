import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, PAGE_IDS, type Stage, stage, visit } from "./harness";

describe.skipIf(missing !== "")(`the app${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;

  beforeAll(async () => {
    here = await stage("--examples", "300");
  });
  afterAll(() => here?.close());

  for (const kind of ["served", "exported"] as const) {
    it(`opens every page without a complaint, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind]);
      for (const id of PAGE_IDS) {
        await page.evaluate((place) => {
          location.hash = place;
        }, `#/${id}`);
        await page.locator(`nav a[aria-current=page][href^="#/${id}"]`).waitFor();
        await page.locator("main h1").waitFor();
        await page.waitForLoadState("networkidle");
        expect(await page.locator("main [role=alert]").allTextContents(), id).toEqual([]);
      }
      expect(complaints).toEqual([]);
      await page.context().close();
    });
  }

  it("leads from a finding to the page that shows it, with its selection", async () => {
    const { page } = await visit(here, here.served);
    await page.getByRole("link", { name: "4 is taken for 9" }).click();
    await page.waitForURL(/#\/confusion\?true=4&predicted=9$/);
    const bar = page.getByRole("region", { name: "Selection" });
    expect(await bar.textContent()).toMatch(/true 4/);
    const count = Number(/^\s*(\d+)/.exec((await bar.textContent()) ?? "")?.[1]);
    expect(count).toBeGreaterThan(0);
    await page.keyboard.press("0");
    await page.getByRole("list", { name: new RegExp(`^${count} examples, sorted by loss`) }).waitFor();
    await page.context().close();
  });

  it("keeps the selection in the URL, so that back, forward and a reload hold it", async () => {
    const { page } = await visit(here, here.served, "#/examples");
    await page.getByRole("button", { name: /^wrong \d+$/ }).click();
    await page.waitForURL(/outcome=wrong/);
    await page
      .getByRole("list", { name: /sorted by loss/ })
      .getByRole("link")
      .first()
      .click();
    await page.waitForURL(/outcome=wrong&example=\d+/);
    const aside = page.getByRole("complementary", { name: "In hand" });
    const inHand = await aside.getByRole("heading", { name: /^digit-/ }).textContent();
    await page.reload();
    await aside.getByRole("heading", { name: inHand ?? "" }).waitFor();
    await page.goBack();
    await page.waitForURL(/#\/examples\?outcome=wrong$/);
    await page.goBack();
    await page.waitForURL(/#\/examples$/);
    await page.goForward();
    expect(await page.getByRole("region", { name: "Selection" }).textContent()).toMatch(/answer wrong/);
    await page.context().close();
  });

  it("is steered by keys alone", async () => {
    const { page } = await visit(here, here.exported);
    await page.keyboard.press("5");
    await page.waitForURL(/#\/confusion$/);
    await page.keyboard.press("/");
    await page.getByRole("searchbox", { name: "Search" }).fill("features.4 3");
    await page.keyboard.press("Enter");
    await page.waitForURL(/layer=features\.4&unit=3/);
    await page.keyboard.press("]");
    await page.waitForURL(/example=0/);
    await page.keyboard.press("]");
    await page.waitForURL(/example=1/);
    for (const gone of ["example", "unit", "layer"]) {
      await page.keyboard.press("Escape");
      await page.waitForURL((url) => !url.hash.includes(`${gone}=`));
    }
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.context().close();
  });

  it("changes and clears a part of the selection at its chip", async () => {
    const { page } = await visit(here, here.exported, "#/examples?true=3");
    await page.getByTitle("Change: true 3").click();
    await page.getByRole("dialog").getByRole("button", { name: "5", exact: true }).click();
    await page.waitForURL(/true=3%2C5/);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Clear true 3, 5" }).click();
    await page.waitForURL(/#\/examples$/);
    await page.context().close();
  });

  it("hands over the numbers and the picture", async () => {
    const { page, complaints } = await visit(here, here.served, "#/examples?true=3");
    for (const [name, start] of [
      ["CSV", "example,true,predicted"],
      ["SVG", "<svg"],
      ["PNG", "\x89PNG"],
    ] as const) {
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name, exact: true }).click(),
      ]);
      const content = await file.createReadStream().then(async (stream) => {
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      });
      expect(content.toString("latin1").startsWith(start), name).toBe(true);
      expect(content.length).toBeGreaterThan(1000);
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("shows a table behind each picture, sorted at its titles", async () => {
    const { page } = await visit(here, here.served, "#/examples?v.as=table");
    const table = page.getByRole("table", { name: "examples" });
    const losses = () =>
      table
        .locator("[role=row][aria-rowindex]")
        .evaluateAll((rows) => rows.slice(0, 8).map((row) => Number(row.children[3]?.textContent)));
    expect(await losses()).toEqual((await losses()).sort((a, b) => b - a));
    await table.getByRole("columnheader", { name: /^loss/ }).getByRole("button").click();
    await page.waitForURL(/sort=loss-up/);
    expect(await losses()).toEqual((await losses()).sort((a, b) => a - b));
    await page.context().close();
  });

  it("follows the system's colours, and a choice of one's own", async () => {
    const { page } = await visit(here, here.served, "#/overview", { dark: true });
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    await page.getByRole("button", { name: "Theme: system" }).click();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("light");
    await page.reload();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("light");
    await page.context().close();
  });

  it("says how to get in where the token is missing", async () => {
    const context = await here.browser.newContext();
    const page = await context.newPage();
    const answer = await page.goto(new URL("/", here.served).href);
    expect(answer?.status()).toBeGreaterThanOrEqual(401);
    await context.close();
  });
});
