/** What notebooks import: `import * as tunebook from 'tunebook'`. */
export * from './model/classifier.js';
export * from './training/metrics.js';
