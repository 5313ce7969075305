/**
 * Serves the files of the web page: its own, Plotly, and the libraries and the model for scoring in the browser. All
 * files come from this server; the content security policy makes browsers enforce that.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { FileError } from '../errors.js';
import type { ExportReport } from '../export/export.js';
import { readTokenizer } from '../tokenizer/tokenizer.js';
import type { SentimentModel } from './sentiment.js';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
/** Source folder of the page; files that need no compilation are served from it. */
const sources = path.resolve(here, '../../serving/app');
const packageFolder = (name: string) => {
  for (const modules of require.resolve.paths(name) ?? []) {
    const folder = path.join(modules, name);
    if (fs.existsSync(folder)) return folder;
  }
  throw new FileError('FILE_NOT_FOUND', `The package ${name} is not installed. Install the packages again.`, {
    path: name,
  });
};

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

/** Content security policy: only resources of this server. */
const policy = (nonce: string) =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    `style-src 'self' 'nonce-${nonce}'`,
    // Plotly sets inline styles on its elements; other style sheets and style elements stay forbidden.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/** The temperature by which an exported graph divides its logits; 1 for uncalibrated graphs. */
function exportedTemperature(folder: string): number {
  const file = path.join(folder, 'onnx/export.json');
  if (!fs.existsSync(file)) return 1;
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<ExportReport>).temperature ?? 1;
}

/**
 * Adds the page to a server.
 * @param model the model on the server. The browser gets its files and truncates texts to the same length
 */
export function addPage(app: FastifyInstance, model: () => SentimentModel): void {
  const ort = path.join(packageFolder('onnxruntime-web'), 'dist');
  const files: Record<string, string> = {
    'base.css': path.join(sources, 'base.css'),
    'style.css': path.join(sources, 'style.css'),
    'page.js': path.join(here, 'app/page.js'),
    'engines.js': path.join(here, 'app/engines.js'),
    'wording.js': path.join(here, 'app/wording.js'),
    'csv.js': path.join(here, 'app/csv.js'),
    'plotly.js': require.resolve('plotly.js-dist'),
    'transformers.js': path.join(packageFolder('@huggingface/transformers'), 'dist/transformers.min.js'),
    'papaparse.js': require.resolve('papaparse/papaparse.min.js'),
  };
  for (const name of fs.readdirSync(ort))
    if (/^ort-wasm.*\.(mjs|wasm)$/.test(name)) files[`ort/${name}`] = path.join(ort, name);
  const modelFiles = ['config.json', 'tokenizer.json', 'onnx/model.onnx'];
  // transformers.js truncates to model_max_length.
  app.get('/app/model/tokenizer_config.json', { schema: { hide: true } }, () => ({
    ...readTokenizer(model().folder).config,
    model_max_length: model().maxLength,
  }));
  app.get('/app/preprocessing.json', { schema: { hide: true } }, () => ({
    maxLength: model().maxLength,
    textColumns: model().preprocessing?.reading?.textColumns ?? [],
    textPairColumn: model().preprocessing?.reading?.textPairColumn ?? null,
    labels: model().labels,
    problemType: model().problemType,
    // The exported graph may divide its logits by the temperature already.
    temperature: (model().calibration?.temperature ?? 1) / exportedTemperature(model().folder),
    threshold: model().calibration?.threshold ?? null,
  }));
  app.get('/', { schema: { hide: true } }, (_, reply) => {
    const nonce = randomBytes(16).toString('base64');
    const page = fs.readFileSync(path.join(sources, 'index.html'), 'utf8').replace('NONCE', nonce);
    return reply
      .type(types['.html']!)
      .headers({
        'content-security-policy': policy(nonce),
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      .send(page);
  });
  app.get<{ Params: { '*': string } }>('/app/*', { schema: { hide: true } }, (request, reply) => {
    const name = request.params['*'];
    const modelFile = modelFiles.find((each) => name === `model/${each}`);
    const file = modelFile ? path.join(model().folder, modelFile) : files[name];
    if (file === undefined || !fs.existsSync(file)) return reply.callNotFound();
    return reply
      .type(types[path.extname(file)] ?? 'application/octet-stream')
      .headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache' })
      .send(fs.createReadStream(file));
  });
}
