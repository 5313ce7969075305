// Types of cache.mjs for the library, which is compiled without JavaScript files.
export type Kind = 'cpu' | 'gpu';
export const nativeFolder: string;
export const patchFile: string;
export function runtimeFolder(kind: Kind): string;
export function headersFolder(): string;
export function addonSources(): string;
export function addonFolder(kind: Kind): string;
export function installedKind(): Kind;
export const compiledConversion: string;
export function embeddedModelFolder(): string;
export const embeddedReviewsFile: string;
export function embeddedReviewsFolder(): string;
export const addonFiles: { tfjs: string; graph: string; stderr: string; loopback: string };
