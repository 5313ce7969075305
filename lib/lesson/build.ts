/**
 * Builds the lesson page: static files for any web server, or for a folder on a disk. The scripts are bundled from the compiled
 * modules of this package, so that the page trains and evaluates with the code that Node uses.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { transform, type BuildOptions } from 'esbuild';
import { tfjsInBrowser } from '#browser/bundle.mjs';
import { packageFolder } from '#setup/paths.mjs';
import { FileError } from '../errors.js';
import { replaceFolder } from '../replace-folder.js';
import { embeddedReviews } from '../reviews/embedded.js';
import type { Review } from '../reviews/review.js';
import { sampleReviews } from '../reviews/sample.js';
import { splitReviews } from '../reviews/split.js';
import { bundleScript } from './bundle-script.js';
import { lessonModelFiles } from './lesson-model.js';
import { scriptFile } from './script-file.js';

const require = createRequire(import.meta.url);
/** Source folder of the page; files that need no compilation are copied from it. */
const sources = path.join(packageFolder, 'lesson/app');

/** onnxruntime's file for WebAssembly; the package is a dependency of transformers.js. */
const onnxruntimeWasm = createRequire(require.resolve('@huggingface/transformers')).resolve(
  'onnxruntime-web/ort-wasm-simd-threaded.wasm',
);

/** Maximum number of reviews to learn from on the page. */
const maxTrain = 500;

/** What the browser enforces: everything comes from the folder of the page, and nothing is sent. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval' blob:",
  "worker-src 'self' blob:",
  "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
  // Plotly and the word attributions set inline styles on elements; other style sheets and style elements stay forbidden.
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** The reviews of the page as JSON, see LessonReviews in app/reviews.ts. */
async function lessonReviews(): Promise<{ labels: string[]; json: string }> {
  const source = await embeddedReviews();
  const labels = source.labelNames;
  const { train, test } = splitReviews(await sampleReviews(source), { seed: 42, labelNames: labels });
  const some = (reviews: Review[]) => reviews.map(({ text, label }) => ({ text, label }));
  const content = {
    name: 'sentences of product reviews on Amazon (Hutto and Gilbert, 2014, MIT license)',
    labels,
    train: some(train.slice(0, maxTrain)),
    test: some(test),
  };
  return { labels, json: JSON.stringify(content) };
}

/** The variant of onnxruntime without WebGPU has half the size. */
const withoutWebGpu: BuildOptions = {
  alias: { 'onnxruntime-web/webgpu': path.join(path.dirname(onnxruntimeWasm), 'ort.wasm.bundle.min.mjs') },
};

/** What was built. */
export interface BuiltLesson {
  /** Bytes of all files. */
  bytes: number;
  /** Bytes of the files that the page loads before it can be used: page, style, script and reviews. */
  firstBytes: number;
  files: number;
}

/** What a lesson consists of. */
const lessonFiles = ['files', 'index.html', 'lesson.js', 'plotly.js', 'service-worker.js', 'style.css'];

/**
 * The folder to create or replace: without links, and so that nothing else than a lesson is lost.
 * @throws FileError
 */
function targetOf(folder: string): string {
  const target = fs.existsSync(folder) ? fs.realpathSync(folder) : path.resolve(folder);
  const failure = (reason: string) =>
    new FileError(
      'FILE_EXISTS',
      `${folder || "''"} ${reason}. Choose another folder: npx tunebook lesson build FOLDER`,
      {
        path: folder,
      },
    );
  if (`${process.cwd()}${path.sep}`.startsWith(path.join(target, path.sep)))
    throw failure('is the working folder, or contains it');
  if (!fs.existsSync(target)) return target;
  if (!fs.statSync(target).isDirectory()) throw failure('is a file');
  const existing = fs.readdirSync(target);
  const other = existing.find((name) => !lessonFiles.includes(name));
  if (other !== undefined) throw failure(`contains ${other}, which is no part of a lesson`);
  if (existing.length > 0 && existing.length < lessonFiles.length) throw failure('does not contain a lesson');
  return target;
}

/**
 * Builds the page.
 * @param folder is created, or replaced if it contains a lesson
 * @throws FileError if the folder contains something else; nothing is written then
 * @example
 * const { files, bytes } = await buildLesson('lesson');
 */
export async function buildLesson(folder: string): Promise<BuiltLesson> {
  const target = targetOf(folder);
  const { labels, json } = await lessonReviews();
  const contents = new Map<string, Uint8Array>([
    ['reviews.json', Buffer.from(json)],
    ['encoder-worker.js', await bundleScript('app/encoder-worker.js', {}, withoutWebGpu)],
    ['trainer-worker.js', await bundleScript('trainer-worker.js', {}, tfjsInBrowser)],
    ['tfjs.wasm', fs.readFileSync(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'))],
    ['onnxruntime.wasm', fs.readFileSync(onnxruntimeWasm)],
    ...lessonModelFiles(labels),
  ]);
  const scripts = [...contents].map(([name, content]) => ({ name, parts: scriptFile(name, content) }));
  const partsOfFiles = Object.fromEntries(scripts.map(({ name, parts }) => [name, parts.length]));
  const written = new Map<string, string | Uint8Array>(
    scripts.flatMap(({ name, parts }) => parts.map((part, i): [string, string] => [`files/${name}.${i}.js`, part])),
  );
  written.set('lesson.js', await bundleScript('app/lesson.js', { partsOfFiles }));
  // The rules that the page shares with the web page of a model, then its own.
  const styles = ['serving/app/base.css', 'lesson/app/style.css'];
  written.set('style.css', styles.map((name) => fs.readFileSync(path.join(packageFolder, name), 'utf8')).join('\n'));
  written.set('index.html', fs.readFileSync(path.join(sources, 'index.html'), 'utf8').replace('POLICY', policy));
  const plotly = fs.readFileSync(require.resolve('plotly.js-dist'), 'utf8');
  written.set('plotly.js', (await transform(plotly, { minify: true, legalComments: 'inline' })).code);
  const hash = createHash('sha256');
  for (const [name, content] of written) hash.update(name).update(content);
  written.set(
    'service-worker.js',
    await bundleScript('app/service-worker.js', { lessonVersion: hash.digest('hex').slice(0, 16) }),
  );

  replaceFolder(target, (partialFolder) => {
    for (const [name, content] of written) {
      fs.mkdirSync(path.dirname(path.join(partialFolder, name)), { recursive: true });
      fs.writeFileSync(path.join(partialFolder, name), content);
    }
  });
  const sizeOf = (names: Iterable<string>) =>
    [...names].reduce((sum, name) => sum + fs.statSync(path.join(target, name)).size, 0);
  return {
    bytes: sizeOf(written.keys()),
    firstBytes: sizeOf(['index.html', 'style.css', 'lesson.js', 'files/reviews.json.0.js']),
    files: written.size,
  };
}
