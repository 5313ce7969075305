/**
 * Rendering of Plotly figures as PNG without a browser, for viewers that run no scripts: GitHub, nbconvert, mail.
 * Plotly runs in happy-dom; @napi-rs/canvas provides text measurement and canvases, which happy-dom lacks; sharp
 * renders the SVG.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import type { Canvas } from '@napi-rs/canvas';
import type { Element, HTMLCanvasElement, SVGElement, Window } from 'happy-dom';
import { inWorkFolder, writeAtomically } from '../work-folder.js';
import { fontFamily, escapeMarkup, type Figure } from './figure.js';

interface Plotly {
  newPlot(div: Element, data: unknown, layout: unknown, config: unknown): Promise<void>;
  purge(div: Element): void;
  Snapshot: { toSVG(div: Element, format: 'svg'): string };
}

const require = createRequire(import.meta.url);
const fontFolder = path.join(path.dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');

/**
 * Configures fontconfig, which sharp uses for text, with the font of the package. Without a font it draws boxes,
 * without an error. The configuration file is not removed, since a thread of sharp may still read it while the process
 * exits.
 */
function provideFont(): void {
  if (process.env['FONTCONFIG_FILE']) return;
  const write = (folder: string) => {
    const file = path.join(folder, 'fonts.conf');
    writeAtomically(
      file,
      `<?xml version="1.0"?><fontconfig><dir>${escapeMarkup(fontFolder)}</dir><cachedir>${escapeMarkup(folder)}</cachedir></fontconfig>`,
    );
    return file;
  };
  try {
    process.env['FONTCONFIG_FILE'] = write(inWorkFolder('fontconfig'));
  } catch {
    // The working folder is read-only.
    process.env['FONTCONFIG_FILE'] = write(fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-fontconfig-')));
  }
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

type Measure = (text: string, size: number, bold: boolean) => number;

/** The bounding box of an element, for the elements that Plotly measures: text, rectangles, paths and groups. */
function boxOf(element: Element, measure: Measure): Box | undefined {
  const number = (name: string) => Number(element.getAttribute(name) ?? 0);
  const style = (from: Element, name: 'fontSize' | 'fontWeight', attribute: string): string => {
    for (let node: Element | null = from; node; node = node.parentElement) {
      const value = (node as SVGElement).style?.[name] || node.getAttribute(attribute);
      if (value) return value;
    }
    return '';
  };
  const sizeOf = (target: Element) => parseFloat(style(target, 'fontSize', 'font-size')) || 12;
  const widthOf = (target: Element) =>
    measure(target.textContent ?? '', sizeOf(target), /bold|[6-9]00/.test(style(target, 'fontWeight', 'font-weight')));
  switch (element.localName) {
    case 'text':
    case 'tspan': {
      if (!element.textContent) return undefined;
      const lines = [...element.querySelectorAll('tspan.line')];
      const size = sizeOf(element);
      const width = Math.max(...(lines.length ? lines : [element]).map(widthOf));
      const anchor = element.getAttribute('text-anchor') ?? (element as SVGElement).style?.textAnchor;
      const left = number('x') - (anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0);
      return {
        x: left,
        y: number('y') - 0.93 * size,
        width,
        height: size * (1.16 + 1.3 * Math.max(0, lines.length - 1)),
      };
    }
    case 'rect':
    case 'image':
      return { x: number('x'), y: number('y'), width: number('width'), height: number('height') };
    case 'circle':
      return {
        x: number('cx') - number('r'),
        y: number('cy') - number('r'),
        width: 2 * number('r'),
        height: 2 * number('r'),
      };
    case 'path': {
      const points = [...(element.getAttribute('d') ?? '').matchAll(/(-?[\d.]+)[ ,](-?[\d.]+)/g)].map(
        (pair) => [Number(pair[1]), Number(pair[2])] as const,
      );
      return union(points.map(([x, y]) => ({ x, y, width: 0, height: 0 })));
    }
    case 'defs':
    case 'clipPath':
      return undefined;
    default:
      return union([...element.children].flatMap((child) => transformed(child, boxOf(child, measure)) ?? []));
  }
}

function union(boxes: Box[]): Box | undefined {
  if (boxes.length === 0) return undefined;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

/**
 * A box after the rotation and translation of its element. Plotly uses the position of rotated tick labels and titles to
 * keep them apart.
 */
function transformed(element: Element, box: Box | undefined): Box | undefined {
  if (!box) return undefined;
  const transform = element.getAttribute('transform') ?? '';
  const [, angle = '0', aboutX = '0', aboutY = '0'] =
    /rotate\((-?[\d.]+)(?:[ ,]+(-?[\d.]+)[ ,]+(-?[\d.]+))?/.exec(transform) ?? [];
  const [x, y] = [Number(aboutX), Number(aboutY)];
  const [sin, cos] = [Math.sin, Math.cos].map((of) => of((Number(angle) * Math.PI) / 180)) as [number, number];
  const corners = [box.x, box.x + box.width].flatMap((left) =>
    [box.y, box.y + box.height].map((top) => ({
      x: x + (left - x) * cos - (top - y) * sin,
      y: y + (left - x) * sin + (top - y) * cos,
      width: 0,
      height: 0,
    })),
  );
  const rotated = union(corners)!;
  const shift = /translate\((-?[\d.]+)[ ,]*(-?[\d.]+)?/.exec(transform);
  return { ...rotated, x: rotated.x + Number(shift?.[1] ?? 0), y: rotated.y + Number(shift?.[2] ?? 0) };
}

/**
 * Evaluates Plotly's script, and caches V8's compiled code for the next process: compiling its 10 MB takes longer than
 * running it. V8 aborts the process if the cached code is corrupt, so the file begins with a hash that is checked.
 */
function evaluatePlotly(window: Window): void {
  const source = fs.readFileSync(require.resolve('plotly.js-dist'), 'utf8');
  const { version } = require('plotly.js-dist/package.json') as { version: string };
  const file = inWorkFolder(`compile-cache/plotly-${version}-${cachedDataVersionTag()}`);
  const hash = (compiled: Buffer) => createHash('sha256').update(compiled).digest();
  let cachedData: Buffer | undefined;
  try {
    const content = fs.readFileSync(file);
    const compiled = content.subarray(32);
    if (hash(compiled).equals(content.subarray(0, 32))) cachedData = compiled;
  } catch {
    // There is no cached code yet.
  }
  const script = new Script(source, { filename: 'plotly.js', ...(cachedData ? { cachedData } : {}) });
  script.runInContext(window);
  if (cachedData && !script.cachedDataRejected) return;
  const compiled = script.createCachedData();
  try {
    writeAtomically(file, Buffer.concat([hash(compiled), compiled]));
  } catch {
    // The working folder is read-only or the disk is full. The next process compiles again.
  }
}

let loading: Promise<{ window: Window; plotly: Plotly }> | undefined;

async function load(): Promise<{ window: Window; plotly: Plotly }> {
  const [{ Window }, { createCanvas, GlobalFonts }] = await Promise.all([
    import('happy-dom'),
    import('@napi-rs/canvas'),
  ]);
  for (const name of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'])
    GlobalFonts.registerFromPath(path.join(fontFolder, name), fontFamily);
  const ruler = createCanvas(1, 1).getContext('2d');
  const measure: Measure = (text, size, bold) => {
    ruler.font = `${bold ? 'bold ' : ''}${size}px "${fontFamily}"`;
    return ruler.measureText(text).width;
  };
  // Plotly's is the only script that is evaluated.
  const window = new Window({
    settings: { enableJavaScriptEvaluation: true, suppressInsecureJavaScriptEnvironmentWarning: true },
  });
  const rectangle = (box: Box = { x: 0, y: 0, width: 0, height: 0 }) => ({
    ...box,
    left: box.x,
    top: box.y,
    right: box.x + box.width,
    bottom: box.y + box.height,
  });
  const canvases = new WeakMap<object, Canvas>();
  const canvasOf = (element: { width: number; height: number }) => {
    let canvas = canvases.get(element);
    if (canvas?.width !== element.width || canvas.height !== element.height)
      canvases.set(element, (canvas = createCanvas(element.width, element.height)));
    return canvas;
  };
  Object.assign(window.URL, { createObjectURL: () => 'blob:none', revokeObjectURL: () => {} });
  Object.assign(window.SVGElement.prototype, {
    getBBox(this: SVGElement) {
      return rectangle(boxOf(this, measure));
    },
    getBoundingClientRect(this: SVGElement) {
      return rectangle(transformed(this, boxOf(this, measure)));
    },
    getComputedTextLength(this: SVGElement) {
      return boxOf(this, measure)?.width ?? 0;
    },
  });
  Object.assign(window.HTMLCanvasElement.prototype, {
    getContext(this: HTMLCanvasElement, kind: string) {
      return kind === '2d' ? canvasOf(this).getContext('2d') : null;
    },
    toDataURL(this: HTMLCanvasElement) {
      return canvasOf(this).toDataURL('image/png');
    },
  });
  evaluatePlotly(window);
  return { window, plotly: (window as unknown as { Plotly: Plotly }).Plotly };
}

/** Characters that are not allowed in XML 1.0 (section 2.2, Char). */
const invalidXml = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/** Renders a figure as SVG text, as a browser would draw it. */
export async function renderSvg(figure: Figure): Promise<string> {
  const { window, plotly } = await (loading ??= load());
  const div = window.document.createElement('div');
  window.document.body.append(div);
  try {
    // Plotly modifies its arguments.
    const { data, layout } = structuredClone({ data: figure.data, layout: figure.layout });
    await plotly.newPlot(div, data, layout, { staticPlot: true });
    // XML does not allow control characters, such as in a class name, not even as entities.
    return plotly.Snapshot.toSVG(div, 'svg').replace(invalidXml, '\uFFFD');
  } finally {
    plotly.purge(div);
    div.remove();
  }
}

/**
 * Renders a figure as a PNG of its layout's size. A palette of 64 colors halves the file size without a visible
 * difference.
 */
export async function renderPng(figure: Figure): Promise<Buffer> {
  provideFont();
  const { default: sharp } = await import('sharp');
  return sharp(Buffer.from(await renderSvg(figure)))
    .png({ palette: true, colours: 64, compressionLevel: 9 })
    .toBuffer();
}
