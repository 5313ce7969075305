/** `tunebook init`: creates a folder with a script, a notebook and reviews that train a model, to start from. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import Papa from 'papaparse';
import { packageFolder } from '#setup/paths.mjs';
import { FileError } from '../errors.js';
import { embeddedReviews } from '../reviews/embedded.js';
import { sampleReviews } from '../reviews/sample.js';
import { peerDependencies, version } from '../version.js';

/** Number of reviews of the example: training takes some seconds. */
const exampleReviews = 600;

const templateFolder = path.join(packageFolder, 'cli/template');
const templates = ['finetune.ts', 'finetune.ipynb'];

/** @param installed whether the folder's code finds this package already: in a project that has it */
const manifest = (installed: boolean) => ({
  private: true,
  type: 'module',
  dependencies: { tslab: peerDependencies.tslab, ...(!installed && { tunebook: `^${version}` }) },
});

/** A sample of the embedded reviews as a CSV file. */
async function reviewsFile(): Promise<string> {
  const source = await embeddedReviews();
  const reviews = await sampleReviews(source, { rows: exampleReviews, seed: 42 });
  const rows = reviews.map(({ text, label }) => ({ text, label: source.labelNames[label] }));
  return `${Papa.unparse(rows, { newline: '\n' })}\n`;
}

/**
 * Creates the files.
 * @param folder is created if it does not exist
 * @throws FileError if one of the files exists already; nothing is written then
 */
export async function init(folder: string): Promise<void> {
  const installed = isInstalledFor(folder);
  const files = {
    // No package needs its install script, and some download hundreds of megabytes.
    '.npmrc': 'ignore-scripts=true\n',
    'package.json': `${JSON.stringify(manifest(installed), null, 2)}\n`,
    'reviews.csv': await reviewsFile(),
    ...Object.fromEntries(templates.map((name) => [name, fs.readFileSync(path.join(templateFolder, name), 'utf8')])),
  };
  for (const name of Object.keys(files)) {
    const file = path.join(folder, name);
    if (fs.existsSync(file))
      throw new FileError('FILE_EXISTS', `${file} exists already. Choose another folder: npx tunebook init FOLDER`, {
        path: file,
      });
  }
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), content);
  const install = installed ? '' : ' && npm install';
  console.log(`Created in ${folder}: ${Object.keys(files).join(', ')}. Next:

  cd ${folder}${install}
  node finetune.ts                                   # needs Node 22.18 or newer
  npx tunebook finetune --source embedded --dataset reviews.csv
  npm install tslab && npx tunebook kernel install   # then open finetune.ipynb in JupyterLab or VS Code`);
}

/** Whether code in a folder finds this package. */
function isInstalledFor(folder: string): boolean {
  try {
    createRequire(path.resolve(folder, 'finetune.ts')).resolve('tunebook/package.json');
    return true;
  } catch {
    return false;
  }
}
