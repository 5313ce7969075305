/** Figures as Plotly's data and layout, with the project's default size, font and colors. */

/** A Plotly figure, for a browser or for a PNG. */
export interface Figure {
  /** Plotly's traces. */
  data: Record<string, unknown>[];
  /** Plotly's layout; width and height in pixels. */
  layout: Record<string, unknown> & { width: number; height: number };
  /** A text alternative for terminals and screen readers. */
  description: string;
}

/** A font that is part of the package, so that figures look the same on every machine. */
export const fontFamily = 'DejaVu Sans';

/** Colors that are distinct for color-blind readers (Okabe and Ito, 2008). */
export const colors = { blue: '#0072b2', orange: '#d55e00', green: '#009e73', grey: '#8a8a8a' };

/** The default layout of a figure. */
export function layoutOf(
  title: string,
  overrides: Record<string, unknown> = {},
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
    colorway: [colors.blue, colors.orange, colors.green],
    ...overrides,
  };
}

/** Escapes text so that neither Plotly nor XML parses it as markup: class names, words of reviews, paths. */
export const escapeMarkup = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** An axis with a title and a light grid. */
export const axis = (title: string, overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  title: { text: title, standoff: 12 },
  gridcolor: '#e6e6e6',
  zeroline: false,
  linecolor: '#8a8a8a',
  ...overrides,
});

/** Encodes numbers as Plotly's packed float32, which takes a quarter of the bytes of decimal digits. */
export const packed = (values: ArrayLike<number>): { dtype: 'f4'; bdata: string } => ({
  dtype: 'f4',
  bdata: Buffer.from(Float32Array.from(values).buffer).toString('base64'),
});
