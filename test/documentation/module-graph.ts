// Generates the graph of imports between the directories of lib/, which CONTRIBUTING.md contains.
import path from 'node:path';
import { cruise, type ICruiseResult, type IConfiguration } from 'dependency-cruiser';
import { root } from '../checkout.js';

export const graphPage = path.join(root, 'CONTRIBUTING.md');

/** Returns the directories that each directory imports. */
async function importedDirectories(): Promise<Map<string, Set<string>>> {
  const { default: configuration } = (await import(path.join(root, '.dependency-cruiser.mjs'))) as {
    default: IConfiguration;
  };
  const { output } = await cruise(['lib'], { ...configuration.options, baseDir: root });
  const imports = new Map<string, Set<string>>();
  const directoryOf = (file: string) => /^lib\/([^/]+)\//.exec(file)?.[1];
  for (const { source, dependencies } of (output as ICruiseResult).modules)
    for (const { resolved } of dependencies) {
      const [from, to] = [directoryOf(source), directoryOf(resolved)];
      if (from && to && from !== to) imports.set(from, (imports.get(from) ?? new Set()).add(to));
    }
  return imports;
}

/** Returns the graph in Mermaid without transitive arrows: none from a to c if a imports b and b imports c. */
export async function moduleGraph(): Promise<string> {
  const imported = await importedDirectories();
  const reaches = (from: string, to: string): boolean =>
    [...(imported.get(from) ?? [])].some((next) => next === to || reaches(next, to));
  const arrows = [...imported].flatMap(([from, directories]) =>
    [...directories]
      .filter((to) => ![...directories].some((other) => other !== to && reaches(other, to)))
      .map((to) => `  ${from} --> ${to}`),
  );
  return ['```mermaid', 'flowchart TD', ...arrows.sort(), '```'].join('\n');
}

const fence = /```mermaid\n[^]*?```/;

/** Replaces the graph of the page with the current one. */
export const withModuleGraph = async (page: string): Promise<string> => page.replace(fence, await moduleGraph());
