// `npm run bench:readme`: updates the measurements on the pages and draws their figures.
import fs from 'node:fs';
import path from 'node:path';
import { renderPng } from '#lib/figures/render.js';
import { root } from '../checkout.js';
import { lengthsFigure, lossFigure, speedFigure } from './charts.js';
import { currentPages, readAccuracy, readLengths, readSpeed } from './readme.js';
import { lossPicture, pictureOf } from './results.js';

const pages = await currentPages();
for (const [file, page] of pages) fs.writeFileSync(file, page);
const figures = [
  ...readSpeed().map(([file, results]) => [pictureOf(file), speedFigure(results)] as const),
  ...readLengths().map(([file, results]) => [pictureOf(file), lengthsFigure(results)] as const),
  [lossPicture, lossFigure(readAccuracy())] as const,
];
for (const [file, figure] of figures) fs.writeFileSync(file, await renderPng(figure));
console.log([...pages.keys(), ...figures.map(([file]) => file)].map((file) => path.relative(root, file)).join('\n'));
