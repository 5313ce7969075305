import type { BuildOptions } from 'esbuild';

export const tfjsInNode: BuildOptions;
export const tfjsInBrowser: BuildOptions;
