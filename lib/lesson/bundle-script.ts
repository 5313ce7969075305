/** Bundles compiled modules of this package as a script for browsers. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle, type BuildOptions } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));

/**
 * Bundles a script for browsers.
 * @param entry compiled module, relative to the folder of this one
 * @param define names that are replaced by values
 * @param options of esbuild
 */
export async function bundleScript(
  entry: string,
  define: Record<string, unknown> = {},
  options: BuildOptions = {},
): Promise<Uint8Array> {
  const { outputFiles } = await bundle({
    ...options,
    entryPoints: [path.join(here, entry)],
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    // As classic scripts and workers, which browsers load from a disk too.
    format: 'iife',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'error',
    define: Object.fromEntries(Object.entries(define).map(([name, value]) => [name, JSON.stringify(value)])),
  });
  return outputFiles[0]!.contents;
}
