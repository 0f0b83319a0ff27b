/** What tests read and click on every page: the selection, the thing in hand, the rail. */
import type { Page } from "playwright-core";

export const bar = (page: Page) => page.getByRole("region", { name: "Selection" });
export const inHand = (page: Page) => page.getByRole("complementary", { name: "In hand" });
export const chip = (page: Page, words: string) => page.getByTitle(`Change: ${words}`, { exact: true });
export const says = (page: Page, words: string | RegExp) =>
  page.locator("main p", { hasText: words }).first().waitFor();

/** How many examples the selection bar says are selected. */
export async function selected(page: Page): Promise<number> {
  return Number(await bar(page).locator(".count strong").textContent());
}

/** Another page, by the rail, with the selection. */
export async function go(page: Page, id: string): Promise<void> {
  await page.locator(`nav a[href^="#/${id}"]`).first().click();
  await page.locator(`nav a[aria-current=page][href^="#/${id}"]`).waitFor();
}
