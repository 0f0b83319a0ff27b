/** One small drawing a page, 16 x 16, stroked. */
export const ICONS: Readonly<Record<string, string>> = {
  overview: "M2.5 3.5h11M2.5 8h11M2.5 12.5h7",
  graph: "M8 2v3M8 11v3M3 5h10v6H3z",
  loss: "M2.5 2.5v11h11M5 5c1 5 3 6 8 6",
  accuracy: "M3 4h6M3 8h10M3 12h4M10.5 4h.1M13.5 8h.1M9 12h.1",
  confusion: "M2.5 2.5h11v11h-11zM2.5 6.2h11M2.5 9.8h11M6.2 2.5v11M9.8 2.5v11",
  gradients:
    "M8 5.5a2.5 2.5 0 1 0 .01 0M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  activations: "M2.5 2.5h5v5h-5zM8.5 4.5h5v5M4.5 8.5v5h5M8.5 8.5h5v5h-5z",
  features: "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM11.5 9.5v4M9.5 11.5h4",
  histograms: "M2.5 13.5h11M4 13V9M6.7 13V5M9.3 13V3M12 13V8",
  training: "M2.5 13.5h11M2.5 4c3 8 6 7 11 8",
  human: "M8 2.5a2.5 2.5 0 1 0 .01 0M3 13.5c.4-3.4 2.3-5 5-5s4.6 1.6 5 5",
  compare: "M2.5 3.5h4.5v9H2.5zM9 3.5h4.5v9H9zM4 9.5l1.5-2M10.5 7.5l1.5-2",
  fit: "M2.5 3.5h6v4h-3v5h-3zM9.5 8.5h4v4h-7v-3M10.5 3.5l1.5 1.5 2-3",
  examples: "M2.5 3.5h11v9h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6.2h.1",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
};
