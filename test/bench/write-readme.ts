// `npm run bench:readme`: updates the measurements on the pages and draws their figures.
import fs from 'node:fs';
import path from 'node:path';
import { labelCurveFigure } from '#lib/figures/over-seeds.js';
import { renderPng } from '#lib/figures/render.js';
import { root } from '../checkout.js';
import { lengthsFigure, lossFigure, speedFigure } from './charts.js';
import { currentPages, curvesOf, readAccuracy, readFewLabels, readLengths, readSpeed } from './readme.js';
import { fewLabelsPicture, lossPicture, pictureOf } from './results.js';

const fewLabels = readFewLabels();
const pages = await currentPages();
for (const [file, page] of pages) fs.writeFileSync(file, page);
const figures = [
  ...readSpeed().map(([file, results]) => [pictureOf(file), speedFigure(results)] as const),
  ...readLengths().map(([file, results]) => [pictureOf(file), lengthsFigure(results)] as const),
  [lossPicture, lossFigure(readAccuracy())] as const,
  ...Object.keys(fewLabels.tests).map((reviews) => {
    const texts = {
      title: `Few labels: ${reviews}`,
      labels: 'labels per class, for training',
      accuracy: 'mean recall of the classes',
    };
    return [fewLabelsPicture(reviews), labelCurveFigure(curvesOf(fewLabels, reviews), texts)] as const;
  }),
];
for (const [file, figure] of figures) fs.writeFileSync(file, await renderPng(figure));
console.log([...pages.keys(), ...figures.map(([file]) => file)].map((file) => path.relative(root, file)).join('\n'));
