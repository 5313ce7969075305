/** What a figure is here: Plotly's own data and layout, with the house's size, font and colours. */

/** A figure that Plotly draws, in a browser or as a PNG. */
export interface Figure {
  /** Plotly's traces. */
  data: Record<string, unknown>[];
  /** Plotly's layout; width and height are pixels. */
  layout: Record<string, unknown> & { width: number; height: number };
  /** The figure in words: for terminals, screen readers, and who cannot see it. */
  description: string;
}

/** Shipped with the package, so that every machine draws the same letters. */
export const fontFamily = 'DejaVu Sans';

/** Colours that differ for the colour-blind too (Okabe and Ito, 2008). */
export const colours = { blue: '#0072b2', orange: '#d55e00', green: '#009e73', grey: '#8a8a8a' };

/** The layout that all figures start from. */
export function layoutOf(
  title: string,
  more: Record<string, unknown> = {},
  width = 700,
  height = 380,
): Figure['layout'] {
  return {
    title: { text: title, x: 0.02, xanchor: 'left', font: { size: 16 } },
    width,
    height,
    font: { family: `${fontFamily}, sans-serif`, size: 12, color: '#222222' },
    margin: { l: 76, r: 24, t: 56, b: 60 },
    paper_bgcolor: '#ffffff',
    plot_bgcolor: '#ffffff',
    colorway: [colours.blue, colours.orange, colours.green],
    ...more,
  };
}

/** Text that is no markup, neither Plotly's nor XML's: names of classes, words of reviews, paths. */
export const literally = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** An axis with a title and a light grid. */
export const axis = (title: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  title: { text: title, standoff: 12 },
  gridcolor: '#e6e6e6',
  zeroline: false,
  linecolor: '#8a8a8a',
  ...more,
});

/** Numbers as Plotly's packed float32: a quarter of the bytes of digits. */
export const packed = (values: ArrayLike<number>): { dtype: 'f4'; bdata: string } => ({
  dtype: 'f4',
  bdata: Buffer.from(Float32Array.from(values).buffer).toString('base64'),
});
