/**
 * A Plotly figure as a PNG, without a browser: Plotly in happy-dom, what that lacks (measuring text, canvases) from
 * @napi-rs/canvas, and the resulting SVG drawn by sharp. For viewers that run no scripts: GitHub, nbconvert, mail.
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
import { fontFamily, literally, type Figure } from './figure.js';

interface Plotly {
  newPlot(div: Element, data: unknown, layout: unknown, config: unknown): Promise<void>;
  purge(div: Element): void;
  Snapshot: { toSVG(div: Element, format: 'svg'): string };
}

const require = createRequire(import.meta.url);
const fontFolder = path.join(path.dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');

/**
 * Tells fontconfig, which sharp's text goes through, of the shipped font; without one it draws boxes and says nothing. Its file
 * stays: a thread of sharp's may still read it while the process ends.
 */
function provideFont(): void {
  if (process.env['FONTCONFIG_FILE']) return;
  const write = (folder: string) => {
    const file = path.join(folder, 'fonts.conf');
    writeAtomically(
      file,
      `<?xml version="1.0"?><fontconfig><dir>${literally(fontFolder)}</dir><cachedir>${literally(folder)}</cachedir></fontconfig>`,
    );
    return file;
  };
  try {
    process.env['FONTCONFIG_FILE'] = write(inWorkFolder('fontconfig'));
  } catch {
    // The checkout is read-only.
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

/** Where an element's marks lie, as far as Plotly asks: text, rectangles, paths by their points, and groups of them. */
function boxOf(element: Element, measure: Measure): Box | undefined {
  const number = (name: string) => Number(element.getAttribute(name) ?? 0);
  const style = (from: Element, name: 'fontSize' | 'fontWeight', attribute: string): string => {
    for (let at: Element | null = from; at; at = at.parentElement) {
      const value = (at as SVGElement).style?.[name] || at.getAttribute(attribute);
      if (value) return value;
    }
    return '';
  };
  const sizeOf = (of: Element) => parseFloat(style(of, 'fontSize', 'font-size')) || 12;
  const widthOf = (of: Element) =>
    measure(of.textContent ?? '', sizeOf(of), /bold|[6-9]00/.test(style(of, 'fontWeight', 'font-weight')));
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
      return union([...element.children].flatMap((child) => shifted(child, boxOf(child, measure)) ?? []));
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

/** A box after its element's own turn and shift. */
function shifted(element: Element, box: Box | undefined): Box | undefined {
  if (!box) return undefined;
  const transform = element.getAttribute('transform') ?? '';
  const [, angle = '0', aboutX = '0', aboutY = '0'] =
    /rotate\((-?[\d.]+)(?:[ ,]+(-?[\d.]+)[ ,]+(-?[\d.]+))?/.exec(transform) ?? [];
  const [turn, x, y] = [Number(angle), Number(aboutX), Number(aboutY)];
  // Titles of axes stand upright; where they lie decides whether Plotly moves them off the labels.
  const turned =
    turn === -90
      ? { x: x + box.y - y, y: y - (box.x + box.width - x), width: box.height, height: box.width }
      : turn === 90
        ? { x: x - (box.y + box.height - y), y: y + box.x - x, width: box.height, height: box.width }
        : box;
  const shift = /translate\((-?[\d.]+)[ ,]*(-?[\d.]+)?/.exec(transform);
  return { ...turned, x: turned.x + Number(shift?.[1] ?? 0), y: turned.y + Number(shift?.[2] ?? 0) };
}

/**
 * Evaluates Plotly's script, and keeps what V8 compiled for the next process: compiling its ten megabytes takes longer than
 * running them. V8 ends the process over content that is not its own, so a hash stands before it.
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
    // This is the first process to draw.
  }
  const script = new Script(source, { filename: 'plotly.js', ...(cachedData ? { cachedData } : {}) });
  script.runInContext(window);
  if (cachedData && !script.cachedDataRejected) return;
  const compiled = script.createCachedData();
  try {
    writeAtomically(file, Buffer.concat([hash(compiled), compiled]));
  } catch {
    // The checkout is read-only, or its disk full: the next process compiles again.
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
  // The only script that it evaluates is Plotly's.
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
      return rectangle(shifted(this, boxOf(this, measure)));
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

/** What XML 1.0 (section 2.2, Char) has no place for. */
const notInXml = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/** The figure as SVG text, as a browser would draw it. */
export async function renderSvg(figure: Figure): Promise<string> {
  const { window, plotly } = await (loading ??= load());
  const div = window.document.createElement('div');
  window.document.body.append(div);
  try {
    // Plotly writes into what it is given.
    const { data, layout } = structuredClone({ data: figure.data, layout: figure.layout });
    await plotly.newPlot(div, data, layout, { staticPlot: true });
    // A control character in a name may not stand in XML, not even as an entity.
    return plotly.Snapshot.toSVG(div, 'svg').replace(notInXml, '\uFFFD');
  } finally {
    plotly.purge(div);
    div.remove();
  }
}

/** The figure as a PNG of its layout's size, with a palette of 64 colours: half the bytes, no visible difference. */
export async function renderPng(figure: Figure): Promise<Buffer> {
  provideFont();
  const { default: sharp } = await import('sharp');
  return sharp(Buffer.from(await renderSvg(figure)))
    .png({ palette: true, colours: 64, compressionLevel: 9 })
    .toBuffer();
}
