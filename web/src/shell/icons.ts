/** One small drawing a page, 16 x 16, stroked. */
export const ICONS: Readonly<Record<string, string>> = {
  overview: "M2.5 3.5h11M2.5 8h11M2.5 12.5h7",
  graph: "M8 2v3M8 11v3M3 5h10v6H3z",
  loss: "M2.5 2.5v11h11M5 5c1 5 3 6 8 6",
  accuracy: "M3 4h6M3 8h10M3 12h4M10.500 4h.1M13.500 8h.1M9 12h.1",
  confusion: "M2.500 2.500h11v11h-11zM2.500 6.200h11M2.500 9.800h11M6.200 2.500v11M9.800 2.500v11",
  gradients:
    "M8 5.500a2.500 2.500 0 1 0 .01 0M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1",
  activations: "M2.500 2.500h5v5h-5zM8.500 4.500h5v5M4.500 8.500v5h5M8.500 8.500h5v5h-5z",
  histograms: "M2.500 13.500h11M4 13V9M6.700 13V5M9.300 13V3M12 13V8",
  training: "M2.500 13.500h11M2.500 4c3 8 6 7 11 8",
  examples: "M2.500 3.500h11v9h-11zM2.500 11l3.500-3.500 3 3 2-2 2.500 2.500M10.500 6.200h.1",
  more: "M3.500 8h.1M8 8h.1M12.500 8h.1",
};
