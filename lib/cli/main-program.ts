/** The compiled command line, which commands start as further processes. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const mainProgram = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.js');
