// `npm run bench:readme`: sets the measurements into the README, and draws their charts.
import fs from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { renderPng } from 'tunebook/figures/render.js';
import { root } from '../checkout.js';
import { lossFigure, speedFigure } from './charts.js';
import { measurements, readAccuracy, readmeFile, readServing, readSpeed, withMeasurements } from './readme.js';
import { lossPicture, speedPicture } from './results.js';

const [speed, accuracy] = [readSpeed(), readAccuracy()];
const readme = withMeasurements(fs.readFileSync(readmeFile, 'utf8'), measurements(speed, accuracy, readServing()));
const options = await prettier.resolveConfig(readmeFile);
fs.writeFileSync(readmeFile, await prettier.format(readme, { ...options, filepath: readmeFile }));
fs.writeFileSync(speedPicture, await renderPng(speedFigure(speed)));
fs.writeFileSync(lossPicture, await renderPng(lossFigure(accuracy)));
console.log([readmeFile, speedPicture, lossPicture].map((file) => path.relative(root, file)).join('\n'));
