/** What a page is. The registry is src/pages/index.ts; the shell gets it from there through App. */
import type { Component } from "svelte";
import type { Finding, Manifest } from "../record/schema.gen";

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

const OF_A_GRAPH = /^panels\/graph(_difference)?\.json$/;

/** Whether a record holds a graph, or two, and nothing else: no example was run, no training watched. */
export function graphAlone(manifest: Pick<Manifest, "state" | "examples" | "watched" | "files"> | null): boolean {
  if (manifest === null || manifest.state === "running" || manifest.examples > 0 || manifest.watched) return false;
  return manifest.files.length > 0 && manifest.files.every(({ path }) => OF_A_GRAPH.test(path));
}

/** The pages that have something to show of a record. */
export function pagesOf(
  pages: readonly PageModule[],
  manifest: Parameters<typeof graphAlone>[0],
): readonly PageModule[] {
  return graphAlone(manifest) ? pages.filter(({ id }) => id === "graph") : pages;
}

/** Findings that name the page: what most pages answer. */
export function namedFindings(id: string): PageModule["findingsOf"] {
  return (findings) => findings.filter((finding) => finding.page === id && finding.severity !== "info");
}
