// The lesson page in a browser, and its model in Node, for tests and measurements.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { largestStored, quantizeRows } from '#lib/export/quantize.js';
import type { Layers } from '#lib/model/layers.js';
import { parameterValues, restoreParameters } from '#lib/model/model.js';
import { TextClassifier, type ClassifierOptions } from '#lib/model/text-classifier.js';
import { embeddedModel } from '../checkout.js';

/** Opens the lesson in a page of its own; errors of its scripts fail the test. */
export async function openLesson(
  browser: Browser,
  address: string,
  use: (page: Page) => Promise<void>,
  timeout = 300_000,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(timeout);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(address);
    await page.waitForSelector('#examples li');
    await use(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}

interface PageReviews {
  labels: string[];
  train: { text: string; label: number }[];
  test: { text: string; label: number }[];
}

/** What is read from the page. */
export interface PageLesson {
  lesson: {
    session: {
      reviews: PageReviews;
      own: number[];
      trained?: {
        count: number;
        classifier: { weight: Float32Array; bias: Float32Array };
        model: { accuracy: number };
      };
      encoder: Promise<{ features: (text: string) => Promise<Float32Array> }>;
    };
  };
}

/** The reviews of the page. */
export const reviewsOf = (page: Page): Promise<PageReviews> =>
  page.evaluate(() => (globalThis as unknown as PageLesson).lesson.session.reviews);

/** The embedded model with the weights of the page: matrices are rounded to 8 bits. */
function roundedModel(options: ClassifierOptions & { labels: string[] }): TextClassifier {
  const model = TextClassifier.fromFolder(embeddedModel, { precision: 'float32', ...options });
  const rounded = [...parameterValues(model)].map(([name, { shape, data }]) => {
    if (shape.length !== 2 || model.initialized.includes(name)) return [name, { shape, data }] as const;
    const [rows, columns] = shape as [number, number];
    const { values, scales } = quantizeRows(data, rows, columns, largestStored);
    const numbers = Float32Array.from(values, (value, i) => value * scales[Math.floor(i / columns)]!);
    return [name, { shape, data: numbers }] as const;
  });
  restoreParameters(model, new Map(rounded));
  return model;
}

/** The model of which the page computes features. */
export const featuresModelOfPage = (labels: string[]): TextClassifier => roundedModel({ labels, method: 'head' });

/** The model that the page fine-tunes. @param layers their implementation. @default the fastest one here */
export const modelOfPage = (labels: string[], layers?: Layers): TextClassifier =>
  roundedModel({ labels, ...(layers && { layers }) });

/** Serves the lesson; responds with 404 to all else. */
export async function serveLesson(lessonFolder: string): Promise<{ address: string; close: () => Promise<void> }> {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
  const server = http.createServer(({ url }, response) => {
    const file = path.join(lessonFolder, url === '/' ? 'index.html' : url!);
    if (!fs.existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[path.extname(file)] });
    response.end(fs.readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    address: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
