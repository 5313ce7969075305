/** Class names on the axis of a figure: shortened, with the margin that they need. */
import { escapeMarkup } from './figure.js';

/** Maximum number of characters of a class name on an axis. Descriptions and hover texts have the full names. */
const maxLength = 28;

/** Approximate width of a character of the default font in pixels. */
const characterWidth = 6.5;

/** Shortens a long name in its middle, since long names often differ at the end. */
const shorten = (name: string) =>
  name.length <= maxLength ? name : `${name.slice(0, maxLength - 9).trimEnd()}…${name.slice(-8).trimStart()}`;

/** The width of the longest name on an axis in pixels. */
export const widthOfNames = (names: string[]): number =>
  characterWidth * Math.max(...names.map((name) => shorten(name).length));

/**
 * The settings of an axis with one tick per class. Its coordinates are class numbers: on an axis of names, Plotly uses
 * names that look like numbers (stars) as coordinates.
 */
export const classAxis = (names: string[]): Record<string, unknown> => ({
  tickvals: names.map((_, label) => label),
  ticktext: names.map((name) => escapeMarkup(shorten(name))),
  range: [-0.5, names.length - 0.5],
  showgrid: false,
});
