/**
 * What requests look like and how they are answered, protocol by protocol: from a body to texts, and from probabilities to an
 * answer. Nothing here knows of HTTP or of the model.
 */
import { RequestError } from '../errors.js';
import type { Verdict } from './sentiment.js';

/** Texts of a body, and how their probabilities become an answer. */
export interface Asked {
  texts: string[];
  answer: (shares: number[][], labels: string[]) => unknown;
}

const rounded = (share: number) => Number(share.toFixed(6));

/** The likeliest class. */
export function verdictOf(shares: number[], labels: string[]): Verdict {
  const score = Math.max(...shares);
  return { label: labels[shares.indexOf(score)]!, score: rounded(score) };
}

const strings = (value: unknown, what: string): string[] => {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw new RequestError('REQUEST_INVALID', `${what} must be a string or a list of strings.`, { name: what });
  return value;
};

/** The original project's and Domino's: {"data": {"sentence": …}}, a string or a list, or {"parameters": […]}. */
export interface DominoBody {
  data?: { sentence?: string | string[]; sentences?: string | string[] };
  parameters?: (string | string[])[];
}

export function askedByDomino({ data, parameters }: DominoBody): Asked {
  const given = data?.sentence ?? data?.sentences ?? parameters?.[0];
  if (given === undefined)
    throw new RequestError(
      'REQUEST_INVALID',
      'Give data.sentence, a string or a list of them: {"data": {"sentence": "…"}}.',
      { name: 'data.sentence' },
    );
  const texts = [given].flat();
  return {
    texts,
    answer: (shares, labels) => {
      const verdicts = shares.map((row) => verdictOf(row, labels));
      return Array.isArray(given) ? verdicts : verdicts[0];
    },
  };
}

/** Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
export interface HuggingFaceBody {
  inputs: string | string[];
  parameters?: { top_k?: number | null; function_to_apply?: 'softmax' | null };
}

export function askedByHuggingFace({ inputs, parameters }: HuggingFaceBody): Asked {
  return {
    texts: [inputs].flat(),
    answer: (shares, labels) => {
      const rows = shares.map((row) =>
        row
          .map((share, i) => ({ label: labels[i]!, score: rounded(share) }))
          .sort((a, b) => b.score - a.score)
          .slice(0, parameters?.top_k ?? labels.length),
      );
      return Array.isArray(inputs) ? rows : rows[0];
    },
  };
}

/** MLflow's /invocations, in its four forms. */
export interface MlflowBody {
  inputs?: unknown;
  instances?: unknown;
  dataframe_split?: { columns: string[]; data: unknown[][]; index?: unknown[] };
  dataframe_records?: Record<string, unknown>[];
}

/** Columns that hold the text, the first that is there. */
const textColumns = ['sentence', 'text', 'review', 'content', 'inputs'];

function columnOf(columns: string[]): string {
  const found = textColumns.find((name) => columns.includes(name)) ?? (columns.length === 1 ? columns[0] : undefined);
  if (found === undefined)
    throw new RequestError(
      'REQUEST_NO_TEXT_COLUMN',
      `None of the columns ${columns.join(', ') || '(none)'} is the text's: name it one of ${textColumns.join(', ')}.`,
      { columns },
    );
  return found;
}

/** Rows as objects, or as texts alone. */
function textsOfRows(rows: unknown, what: string): string[] {
  if (typeof rows === 'string') return [rows];
  if (
    Array.isArray(rows) &&
    rows.length > 0 &&
    rows.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row))
  ) {
    const records = rows as Record<string, unknown>[];
    const column = columnOf(Object.keys(records[0]!));
    return strings(
      records.map((row) => row[column]),
      `The column ${column} of ${what}`,
    );
  }
  // A column a list of one: [["…"], ["…"]].
  const flat = Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.length === 1) ? rows.flat() : rows;
  return strings(flat, what);
}

export function askedByMlflow(body: MlflowBody): Asked {
  const given = (['inputs', 'instances', 'dataframe_split', 'dataframe_records'] as const).filter(
    (name) => body[name] !== undefined,
  );
  if (given.length !== 1)
    throw new RequestError('REQUEST_INVALID', 'Give one of inputs, instances, dataframe_split and dataframe_records.', {
      name: 'inputs',
    });
  const [form] = given as [(typeof given)[number]];
  const textsOf = (): string[] => {
    if (form === 'dataframe_split') {
      const { columns, data } = body.dataframe_split!;
      const at = columns.indexOf(columnOf(columns));
      return strings(
        data.map((row) => row[at]),
        `The column ${columns[at]}`,
      );
    }
    const rows = body[form];
    // Columns by name: {"text": ["…", "…"]}.
    if (typeof rows === 'object' && rows !== null && !Array.isArray(rows)) {
      const column = columnOf(Object.keys(rows));
      return strings([(rows as Record<string, unknown>)[column]].flat(), `The column ${column}`);
    }
    return textsOfRows(rows, form);
  };
  return {
    texts: textsOf(),
    answer: (shares, labels) => ({ predictions: shares.map((row) => verdictOf(row, labels)) }),
  };
}

/** Open Inference Protocol, version 2: one input of texts as BYTES. */
export interface InferBody {
  id?: string;
  inputs: { name: string; shape: number[]; datatype: string; data: unknown[] }[];
  outputs?: { name: string }[];
}

/** What comes out, as its metadata says. */
export const inferOutputs = [
  { name: 'label', datatype: 'BYTES', shape: [-1] },
  { name: 'score', datatype: 'FP32', shape: [-1] },
  { name: 'probabilities', datatype: 'FP32', shape: [-1, -1] },
] as const;

export function askedByInfer({ id, inputs, outputs }: InferBody, model: { name: string; version: string }): Asked {
  const [input, ...others] = inputs;
  if (!input || others.length > 0)
    throw new RequestError('REQUEST_INVALID', 'Give one input, the texts.', { name: 'inputs' });
  if (input.datatype !== 'BYTES')
    throw new RequestError('REQUEST_INVALID', `${input.name} is ${input.datatype}; texts are BYTES.`, {
      name: input.name,
      datatype: input.datatype,
    });
  const texts = strings(input.data.flat(), `The data of ${input.name}`);
  const size = input.shape.reduce((product, length) => product * length, 1);
  if (size !== texts.length)
    throw new RequestError(
      'REQUEST_INVALID',
      `${input.name} has shape [${input.shape.join(', ')}], which is ${size} texts, and ${texts.length} of them.`,
      { name: input.name, shape: input.shape, texts: texts.length },
    );
  const names = outputs?.map(({ name }) => name) ?? ['label', 'score'];
  const unknown = names.find((name) => !inferOutputs.some((output) => output.name === name));
  if (unknown)
    throw new RequestError(
      'REQUEST_INVALID',
      `There is no output ${unknown}. There are: ${inferOutputs.map(({ name }) => name).join(', ')}.`,
      { name: 'outputs', value: unknown },
    );
  return {
    texts,
    answer: (shares, labels) => {
      const verdicts = shares.map((row) => verdictOf(row, labels));
      const made = {
        label: { datatype: 'BYTES', shape: [texts.length], data: verdicts.map(({ label }) => label) },
        score: { datatype: 'FP32', shape: [texts.length], data: verdicts.map(({ score }) => score) },
        probabilities: { datatype: 'FP32', shape: [texts.length, labels.length], data: shares.flat().map(rounded) },
      };
      return {
        model_name: model.name,
        model_version: model.version,
        ...(id !== undefined && { id }),
        outputs: names.map((name) => ({ name, ...made[name as keyof typeof made] })),
      };
    },
  };
}
