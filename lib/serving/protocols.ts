/**
 * Request and response formats of each protocol: parses a body into texts, and formats probabilities as a response.
 * Independent of HTTP and of the model.
 */
import { RequestError } from '../errors.js';
import type { Prediction } from './sentiment.js';

/** A parsed request: its texts, and the format of its response. */
export interface ParsedRequest {
  texts: string[];
  /** Formats the response from the probabilities of each text. */
  formatResponse: (probabilities: number[][], labels: string[]) => unknown;
}

const rounded = (probability: number) => Number(probability.toFixed(6));

/** The class with the highest probability. */
export function predictionOf(probabilities: number[], labels: string[]): Prediction {
  const score = Math.max(...probabilities);
  return { label: labels[probabilities.indexOf(score)]!, score: rounded(score) };
}

const requireStrings = (value: unknown, name: string): string[] => {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new RequestError('REQUEST_INVALID', `${name} must be a string or a list of strings.`, { name });
  return value;
};

/** Body of the original project and Domino: {"data": {"sentence": …}}, a string or a list, or {"parameters": […]}. */
export interface DominoBody {
  data?: { sentence?: string | string[]; sentences?: string | string[] };
  parameters?: (string | string[])[];
}

/**
 * Parses a body of the original project or of Domino.
 * @throws RequestError if it contains no sentence
 */
export function parseDominoRequest({ data, parameters }: DominoBody): ParsedRequest {
  const sentences = data?.sentence ?? data?.sentences ?? parameters?.[0];
  if (sentences === undefined)
    throw new RequestError(
      'REQUEST_INVALID',
      'The body has no data.sentence. Send a string or a list of strings: {"data": {"sentence": "…"}}.',
      { name: 'data.sentence' },
    );
  const texts = [sentences].flat();
  return {
    texts,
    formatResponse: (probabilities, labels) => {
      const predictions = probabilities.map((row) => predictionOf(row, labels));
      return Array.isArray(sentences) ? predictions : predictions[0];
    },
  };
}

/** Body of Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
export interface HuggingFaceBody {
  inputs: string | string[];
  parameters?: { top_k?: number | null; function_to_apply?: 'softmax' | null };
}

/** Parses a body of Hugging Face's text classification. */
export function parseHuggingFaceRequest({ inputs, parameters }: HuggingFaceBody): ParsedRequest {
  return {
    texts: [inputs].flat(),
    formatResponse: (probabilities, labels) => {
      const rows = probabilities.map((row) =>
        row
          .map((probability, i) => ({ label: labels[i]!, score: rounded(probability) }))
          .sort((a, b) => b.score - a.score)
          .slice(0, parameters?.top_k ?? labels.length),
      );
      return Array.isArray(inputs) ? rows : rows[0];
    },
  };
}

/** Body of MLflow's /invocations, in its four formats. */
export interface MlflowBody {
  inputs?: unknown;
  instances?: unknown;
  dataframe_split?: { columns: string[]; data: unknown[][]; index?: unknown[] };
  dataframe_records?: Record<string, unknown>[];
}

/** Names of columns that contain the text, in order of preference. */
const textColumns = ['sentence', 'text', 'review', 'content', 'inputs'];

/** The text column: the first with a known name, or the only column. */
function textColumnOf(columns: string[]): string {
  const column = textColumns.find((name) => columns.includes(name)) ?? (columns.length === 1 ? columns[0] : undefined);
  if (column === undefined)
    throw new RequestError(
      'REQUEST_NO_TEXT_COLUMN',
      `No text column among ${columns.join(', ') || '(none)'}. Name the text column one of ${textColumns.join(', ')}.`,
      { columns },
    );
  return column;
}

/** Texts of rows that are objects, strings or lists of one string. */
function textsOfRows(rows: unknown, name: string): string[] {
  if (typeof rows === 'string') return [rows];
  if (
    Array.isArray(rows) &&
    rows.length > 0 &&
    rows.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row))
  ) {
    const records = rows as Record<string, unknown>[];
    const column = textColumnOf(Object.keys(records[0]!));
    return requireStrings(
      records.map((row) => row[column]),
      `The column ${column} of ${name}`,
    );
  }
  // A list of rows with one column each: [["…"], ["…"]].
  const flat = Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.length === 1) ? rows.flat() : rows;
  return requireStrings(flat, name);
}

/**
 * Parses a body of MLflow's /invocations.
 * @throws RequestError unless it contains exactly one format, with a text column
 */
export function parseMlflowRequest(body: MlflowBody): ParsedRequest {
  const formats = (['inputs', 'instances', 'dataframe_split', 'dataframe_records'] as const).filter(
    (name) => body[name] !== undefined,
  );
  if (formats.length !== 1)
    throw new RequestError(
      'REQUEST_INVALID',
      'The body must contain exactly one of inputs, instances, dataframe_split and dataframe_records.',
      { name: 'inputs' },
    );
  const [format] = formats as [(typeof formats)[number]];
  const parseTexts = (): string[] => {
    if (format === 'dataframe_split') {
      const { columns, data } = body.dataframe_split!;
      const column = columns.indexOf(textColumnOf(columns));
      return requireStrings(
        data.map((row) => row[column]),
        `The column ${columns[column]}`,
      );
    }
    const rows = body[format];
    // Columns by name: {"text": ["…", "…"]}.
    if (typeof rows === 'object' && rows !== null && !Array.isArray(rows)) {
      const column = textColumnOf(Object.keys(rows));
      return requireStrings([(rows as Record<string, unknown>)[column]].flat(), `The column ${column}`);
    }
    return textsOfRows(rows, format);
  };
  return {
    texts: parseTexts(),
    formatResponse: (probabilities, labels) => ({
      predictions: probabilities.map((row) => predictionOf(row, labels)),
    }),
  };
}

/** Body of the Open Inference Protocol, version 2: one input of texts as BYTES. */
export interface InferBody {
  id?: string;
  inputs: { name: string; shape: number[]; datatype: string; data: unknown[] }[];
  outputs?: { name: string }[];
}

/** The outputs of the Open Inference Protocol, as in its model metadata. */
export const inferOutputs = [
  { name: 'label', datatype: 'BYTES', shape: [-1] },
  { name: 'score', datatype: 'FP32', shape: [-1] },
  { name: 'probabilities', datatype: 'FP32', shape: [-1, -1] },
] as const;

/**
 * Parses a body of the Open Inference Protocol.
 * @throws RequestError for an unsupported input or an unknown output
 */
export function parseInferRequest(
  { id, inputs, outputs }: InferBody,
  model: { name: string; version: string },
): ParsedRequest {
  const [input, ...others] = inputs;
  if (!input || others.length > 0)
    throw new RequestError(
      'REQUEST_INVALID',
      `inputs must contain exactly one input, the texts; it contains ${inputs.length}.`,
      { name: 'inputs' },
    );
  if (input.datatype !== 'BYTES')
    throw new RequestError(
      'REQUEST_INVALID',
      `The input ${input.name} has datatype ${input.datatype}. Send texts with datatype BYTES.`,
      { name: input.name, datatype: input.datatype },
    );
  const texts = requireStrings(input.data.flat(), `The data of ${input.name}`);
  const size = input.shape.reduce((product, length) => product * length, 1);
  if (size !== texts.length)
    throw new RequestError(
      'REQUEST_INVALID',
      `The input ${input.name} has shape [${input.shape.join(', ')}], so ${size} texts, but its data has ${texts.length}.`,
      { name: input.name, shape: input.shape, texts: texts.length },
    );
  const names = outputs?.map(({ name }) => name) ?? ['label', 'score'];
  const unknown = names.find((name) => !inferOutputs.some((output) => output.name === name));
  if (unknown)
    throw new RequestError(
      'REQUEST_INVALID',
      `Unknown output ${unknown}. Available outputs: ${inferOutputs.map(({ name }) => name).join(', ')}.`,
      { name: 'outputs', value: unknown },
    );
  return {
    texts,
    formatResponse: (probabilities, labels) => {
      const predictions = probabilities.map((row) => predictionOf(row, labels));
      const available = {
        label: { datatype: 'BYTES', shape: [texts.length], data: predictions.map(({ label }) => label) },
        score: { datatype: 'FP32', shape: [texts.length], data: predictions.map(({ score }) => score) },
        probabilities: {
          datatype: 'FP32',
          shape: [texts.length, labels.length],
          data: probabilities.flat().map(rounded),
        },
      };
      return {
        model_name: model.name,
        model_version: model.version,
        ...(id !== undefined && { id }),
        outputs: names.map((name) => ({ name, ...available[name as keyof typeof available] })),
      };
    },
  };
}
