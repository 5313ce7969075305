// What the compiled library itself says: asking it spares a second account of what its environment variables mean.
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';

/** @param {string} module below lib/dist */
export const compiled = (module) => import(path.join(root, 'lib/dist', module));
