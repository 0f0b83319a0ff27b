/** What a page is. The registry is src/pages/index.ts; the shell gets it from there through App. */
import type { Component } from "svelte";
import type { Finding } from "../record/schema.gen";

export interface PageModule {
  /** In the URL, and in a finding's `page`. */
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly component: Component;
  /** Shown instead where the examples are too many for a browser: it asks `instrument.questions`. */
  readonly asking?: Component;
  /** The findings that this page shows; a dot in the rail marks a page that has any. */
  findingsOf(findings: readonly Finding[]): readonly Finding[];
}

/** Findings that name the page: what most pages answer. */
export function namedFindings(id: string): PageModule["findingsOf"] {
  return (findings) => findings.filter((finding) => finding.page === id && finding.severity !== "info");
}
