// `npm run bench:readme`: updates the measurements on the pages and draws their figures.
import fs from 'node:fs';
import path from 'node:path';
import { renderPng } from '#lib/figures/render.js';
import { root } from '../checkout.js';
import { lossFigure, speedFigure } from './charts.js';
import { currentPages, readAccuracy, readSpeed } from './readme.js';
import { lossPicture, speedPicture } from './results.js';

const pages = await currentPages();
for (const [file, page] of pages) fs.writeFileSync(file, page);
fs.writeFileSync(speedPicture, await renderPng(speedFigure(readSpeed())));
fs.writeFileSync(lossPicture, await renderPng(lossFigure(readAccuracy())));
console.log([...pages.keys(), speedPicture, lossPicture].map((file) => path.relative(root, file)).join('\n'));
