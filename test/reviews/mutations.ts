// Small files of every format, seeded damage to them, and the check that no damaged text is read as if it were intact.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import iconv from 'iconv-lite';
import { distance } from 'fastest-levenshtein';
import { TunebookError } from '#lib/errors.js';
import { seededRandom } from '#lib/reviews/random.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { fixtures } from '../checkout.js';

interface Labeled {
  text: string;
  label: string;
}

const folder = path.join(fixtures, 'formats');
/** Each text begins with <number> and ends with </number>, so that a part of a text and a joined one are recognized. */
export const reviews = JSON.parse(fs.readFileSync(path.join(folder, 'reviews.json'), 'utf8')) as Labeled[];
/** The same for formats whose texts are one line. */
const lines = reviews.map(({ text, label }) => ({ text: text.replace('\n', ' '), label }));

const quoted = (value: string, delimiter: string, always = false) =>
  always || value.includes(delimiter) || /["\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
const delimited = (delimiter: string, always = false) =>
  [['text', 'label'], ...reviews.map(({ text, label }) => [text, label])]
    .map((row) => row.map((value) => quoted(value, delimiter, always)).join(delimiter))
    .join('\n');
const python = (value: string) => `'${value.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`;
const western = (text: string) => iconv.encode(text.replaceAll('😀', ':-)'), 'windows-1252');

/** How a format can be damaged: as text, as text with two bytes per character, as bytes with checksums, as bytes without, or as a folder of texts. */
type Kind = 'text' | 'wide' | 'checked' | 'unchecked' | 'folder';

interface Base {
  name: string;
  kind: Kind;
  content: Buffer;
}

const text = (name: string, content: string | Buffer): Base => ({ name, kind: 'text', content: Buffer.from(content) });
const fixture = (name: string, kind: Kind): Base => ({
  name,
  kind,
  content: fs.readFileSync(path.join(folder, name)),
});

/** The intact files. */
export const bases: Base[] = [
  text('comma.csv', `${delimited(',')}\n`),
  text('quoted.csv', `${delimited(',', true)}\n`),
  text('semicolon.csv', `${delimited(';')}\n`),
  text('bar.txt', `${delimited('|')}\n`),
  text('quoted.tsv', `${delimited('\t')}\n`),
  text('bare.tsv', `label\tsentence\n${lines.map(({ text, label }) => `${label}\t${text}\n`).join('')}`),
  text('headerless.csv', `${delimited(',', true).split('\n').slice(1).join('\n')}\n`),
  text('western.csv', western(`${delimited(',')}\n`)),
  { name: 'utf-16.csv', kind: 'wide', content: iconv.encode(`${delimited(',')}\n`, 'utf-16le', { addBOM: true }) },
  text('fast.txt', lines.map(({ text, label }) => `__label__${label} ${text}\n`).join('')),
  text('lines.jsonl', reviews.map((row) => `${JSON.stringify(row)}\n`).join('')),
  text(
    'python.json',
    reviews.map(({ text, label }) => `{'text': ${python(text)}, 'label': '${label}', 'ok': True}\n`).join(''),
  ),
  text('array.json', JSON.stringify(reviews, undefined, 1)),
  text(
    'table.json',
    JSON.stringify({ text: reviews.map(({ text }) => text), label: reviews.map(({ label }) => label) }),
  ),
  text('index.json', JSON.stringify(Object.fromEntries(reviews.map((row, i) => [i, row])))),
  { name: 'comma.csv.gz', kind: 'checked', content: zlib.gzipSync(delimited(',')) },
  {
    name: 'lines.jsonl.gz',
    kind: 'checked',
    content: zlib.gzipSync(reviews.map((row) => JSON.stringify(row)).join('\n')),
  },
  fixture('reviews.csv.bz2', 'checked'),
  fixture('reviews.csv.zst', 'checked'),
  fixture('reviews.csv.zip', 'checked'),
  fixture('reviews.xlsx', 'checked'),
  fixture('stream.arrow', 'unchecked'),
  fixture('lz4.feather', 'unchecked'),
  fixture('zstd.feather', 'unchecked'),
  fixture('reviews.parquet', 'unchecked'),
  { name: 'folder', kind: 'folder', content: Buffer.alloc(0) },
];

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const pick = <T>(random: Random, list: T[]): T => list[below(random, list.length)]!;

/** Replaces some occurrences of a pattern. */
function replaceSome(content: Buffer, random: Random, pattern: RegExp, replace: (found: string) => string): Buffer {
  const probability = pick(random, [0.02, 0.1, 0.5]);
  return Buffer.from(
    content.toString('latin1').replace(pattern, (found) => (random() < probability ? replace(found) : found)),
    'latin1',
  );
}

interface Mutation {
  name: string;
  kinds: Kind[];
  /** Characters by which a text may differ because the damaged file is valid: a letter that became another. */
  edits: number;
  apply(content: Buffer, random: Random): Buffer;
}

const everywhere: Kind[] = ['text', 'wide', 'checked', 'unchecked', 'folder'];
const text8 = iconv.encode('Größe – né “naïve” £5', 'windows-1252');

/** The kinds of damage. */
export const mutations: Mutation[] = [
  {
    name: 'cut',
    kinds: everywhere,
    edits: 0,
    apply: (content, random) => content.subarray(0, below(random, content.length)),
  },
  {
    name: 'wrong bytes',
    kinds: everywhere,
    edits: 4,
    apply(content, random) {
      const bytes = Buffer.from(content);
      for (let i = 0; i < 4 && bytes.length > 0; i++) bytes[below(random, bytes.length)] = below(random, 256);
      return bytes;
    },
  },
  {
    name: 'zero bytes',
    kinds: everywhere,
    edits: 0,
    apply(content, random) {
      const at = below(random, content.length);
      const bytes = Buffer.from(content);
      return random() < 0.5
        ? bytes.fill(0, at, Math.min(at + 9, bytes.length))
        : Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + below(random, 3)), bytes.subarray(at)]);
    },
  },
  {
    name: 'a part lost',
    kinds: everywhere,
    edits: 0,
    apply(content, random) {
      const at = below(random, content.length);
      return Buffer.concat([content.subarray(0, at), content.subarray(at + 1 + below(random, 300))]);
    },
  },
  {
    name: 'mixed delimiters',
    kinds: ['text'],
    edits: 0,
    apply: (content, random) => {
      const to = pick(random, [',', ';', '\t', '|']);
      return replaceSome(content, random, /[,;\t|](?="?(?:positive|negative)|text|"text)/g, () => to);
    },
  },
  {
    name: 'lost delimiters',
    kinds: ['text'],
    edits: 6,
    apply: (content, random) => replaceSome(content, random, /[,;\t|:]/g, () => ''),
  },
  {
    name: 'lost quotes',
    kinds: ['text'],
    edits: 12,
    apply: (content, random) => replaceSome(content, random, /["']/g, () => ''),
  },
  {
    name: 'doubled quotes',
    kinds: ['text'],
    edits: 12,
    apply: (content, random) => replaceSome(content, random, /["']/g, (quote) => quote + quote),
  },
  {
    name: 'added quotes',
    kinds: ['text'],
    edits: 12,
    apply: (content, random) => replaceSome(content, random, / /g, () => pick(random, ['"', "'", '" '])),
  },
  {
    name: 'other newlines',
    kinds: ['text'],
    edits: 1,
    apply: (content, random) => {
      const to = pick(random, ['\r\n', '\r', '\n\n']);
      return replaceSome(content, random, /\n/g, () => to);
    },
  },
  {
    name: 'lost newlines',
    kinds: ['text'],
    edits: 1,
    apply: (content, random) => replaceSome(content, random, /\n/g, () => pick(random, ['', ' '])),
  },
  {
    name: 'shuffled brackets',
    kinds: ['text'],
    edits: 2,
    apply: (content, random) =>
      replaceSome(content, random, /[{}[\]]|:(?!-)/g, () => pick(random, ['{', '}', '[', ']', ':', ','])),
  },
  {
    name: 'another encoding',
    kinds: ['text'],
    edits: 0,
    apply(content, random) {
      const newlines = [...content.toString('latin1').matchAll(/\n/g)].map(({ index }) => index);
      const from = newlines.length > 2 ? pick(random, newlines) + 1 : 0;
      const to = Math.min(content.length, from + below(random, content.length));
      const part = content.toString('utf8', from, to);
      const encoding = pick(random, ['windows-1252', 'utf-16le', 'utf-16be']);
      const encoded = encoding === 'windows-1252' ? western(part) : iconv.encode(part, encoding);
      return Buffer.concat([content.subarray(0, from), encoded, content.subarray(to)]);
    },
  },
  {
    name: 'a line in another encoding',
    kinds: ['text', 'folder'],
    edits: 0,
    apply(content, random) {
      const at = content.indexOf(10, below(random, content.length)) + 1;
      return Buffer.concat([content.subarray(0, at), text8, content.subarray(at)]);
    },
  },
];

function write(target: string, { name, kind, content }: Base, mutation: Mutation | undefined, random: Random): string {
  if (kind !== 'folder') {
    fs.writeFileSync(path.join(target, name), mutation ? mutation.apply(content, random) : content);
    return path.join(target, name);
  }
  const damaged = below(random, reviews.length);
  for (const [i, { text, label }] of reviews.entries()) {
    const file = path.join(target, 'train', label, `${i}.txt`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, i === damaged && mutation ? mutation.apply(Buffer.from(text), random) : text);
  }
  return target;
}

const plain = (text: string) => text.replace(/\s+/g, ' ').replaceAll(':-)', '😀').trim();
/** The workbook has stars. */
const labelOf = (name: string) => ({ 1: 'negative', 5: 'positive' })[name] ?? name;
const originals = new Map(reviews.map(({ text, label }, i) => [i, { text: plain(text), label }]));

/** What is wrong with a review that was read; undefined if nothing is. */
function damageOf(
  { text, label }: Labeled,
  { kind }: Base,
  { name, edits }: Mutation,
  { isLast, dropped }: { isLast: boolean; dropped: number },
): string | undefined {
  if ((kind !== 'unchecked' && text.includes('\0')) || /[\ufffd\ufdd0]/.test(text) || !text.isWellFormed())
    return 'replaced characters';
  const read = plain(text);
  const markers = new Set([...read.matchAll(/<\/?(\d+)>/g)].map(([, number]) => number));
  // Formats without checksums cannot show which letters were changed, and no format which were lost at its end.
  if (kind === 'unchecked' || kind === 'folder' || name === 'a part lost' || (name === 'cut' && isLast))
    return undefined;
  const wanted = [...originals.values()].filter(({ text }) => distance(text, read) <= edits);
  // The last line of a text that has lost its quotes is a row; the line before it was reported.
  const isEnd =
    !read.startsWith('<') &&
    (name === 'lost newlines' || (dropped > 0 && ['lost quotes', 'wrong bytes'].includes(name)));
  // fastText's label ends with a space, and a label that lost its newline is a class of its own, which is reported.
  const hasOtherLabel = /["'<]/.test(label) && ['added quotes', 'lost newlines', 'other newlines'].includes(name);
  if (isEnd || hasOtherLabel) return undefined;
  // Two rows without the quotes between them are a valid row.
  if (wanted.length === 0 && markers.size > 1) return name === 'lost quotes' ? undefined : 'two texts in one';
  if (wanted.length === 0) return 'another text';
  if (kind !== 'wide' && !wanted.some((each) => distance(each.label, label) <= edits)) return 'another label';
  return undefined;
}

/**
 * Writes a damaged file, opens it and reads it.
 * @returns what happened, and what is wrong with that, if anything
 */
export async function readDamaged(
  seed: number,
): Promise<{ description: string; wrong?: string | undefined; outcome: string }> {
  const random = seededRandom(seed);
  const base = bases[seed % bases.length]!;
  const mutation = pick(
    random,
    mutations.filter(({ kinds }) => kinds.includes(base.kind)),
  );
  const target = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-damaged-'));
  const description = `${seed}: ${base.name}, ${mutation.name}`;
  try {
    const file = write(target, base, mutation, random);
    const source = await openReviews(file, { skipBadRows: random() < 0.5 });
    const read = (await sampleReviews(source)).map(({ text, label }) => ({
      text,
      label: labelOf(source.labelNames[label]!),
    }));
    for (const [i, review] of read.entries()) {
      const wrong = damageOf(review, base, mutation, {
        isLast: i === read.length - 1,
        dropped: source.dropped.malformed,
      });
      if (wrong) return { description, outcome: 'read', wrong: `${wrong}: ${JSON.stringify(review)}` };
    }
    const isCut = ['cut', 'a part lost'].includes(mutation.name) || base.kind === 'unchecked';
    const left = Object.values(source.dropped).reduce<number>((sum, count) => sum + Number(count), 0);
    const isLost =
      !isCut && mutation.edits < 4 && left === 0 && read.length < reviews.length - (base.kind === 'text' ? 1 : 0);
    return { description, outcome: 'read', wrong: isLost ? `only ${read.length} rows` : undefined };
  } catch (error) {
    if (!(error instanceof TunebookError)) return { description, outcome: 'threw', wrong: (error as Error).stack };
    const isParagraph = !/\n|\bat .*:\d+:\d+\)/.test(error.message) && error.message.length < 1000;
    return { description, outcome: String(error.code), wrong: isParagraph ? undefined : error.message };
  } finally {
    fs.rmSync(target, { recursive: true });
  }
}

/** Reads an intact file. */
export async function readIntact(base: Base): Promise<Labeled[]> {
  const target = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-intact-'));
  try {
    const source = await openReviews(write(target, base, undefined, seededRandom(1)));
    return (await sampleReviews(source)).map(({ text, label }) => ({
      text: plain(text),
      label: source.labelNames[label]!,
    }));
  } finally {
    fs.rmSync(target, { recursive: true });
  }
}
