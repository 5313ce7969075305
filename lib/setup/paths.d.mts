// Types of paths.mjs for the library, which is compiled without JavaScript files.
export const setupFolder: string;
export const packageFolder: string;
export const root: string;
export const isCheckout: boolean;
export const setUpCommand: string;
export const cacheFolder: string;
export const workFolder: string;
export const venv: string;
export const python: string;
export const sourcesFile: string;
export function isSameDisk(a: string, b: string): boolean;
export function freeMegabytes(folder: string): number;
