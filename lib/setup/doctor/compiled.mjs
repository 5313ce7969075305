// Imports modules of the compiled library, so that the doctor reads environment variables as the library does.
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';

/** Imports a module of the compiled library. @param {string} module path below lib/dist */
export const compiled = (module) => import(path.join(root, 'lib/dist', module));
