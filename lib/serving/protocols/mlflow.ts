/** The protocol of MLflow: /invocations, in its four formats. */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import {
  predictionOf,
  predictionSchema,
  requireStrings,
  scoringSchema,
  text,
  type ParsedRequest,
  type Protocol,
} from './protocol.js';

/** Body of MLflow's /invocations, in its four formats. */
interface MlflowBody {
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
function parseMlflowRequest(body: MlflowBody): ParsedRequest {
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

const schema = scoringSchema(
  'MLflow',
  'inputs, instances, dataframe_split or dataframe_records',
  {
    type: 'object',
    properties: {
      inputs: {},
      instances: {},
      dataframe_split: {
        type: 'object',
        required: ['columns', 'data'],
        properties: {
          columns: { type: 'array', items: text },
          data: { type: 'array', items: { type: 'array' } },
          index: { type: 'array' },
        },
        additionalProperties: false,
      },
      dataframe_records: { type: 'array', items: { type: 'object' } },
      params: { type: 'object' },
    },
    additionalProperties: false,
  },
  { type: 'object', properties: { predictions: { type: 'array', items: predictionSchema } } },
);

export const mlflow: Protocol = (app, { tunebook, score }) => {
  app.post('/invocations', schema, (request: FastifyRequest<{ Body: MlflowBody }>) =>
    score(parseMlflowRequest(request.body)),
  );
  app.get('/version', { schema: { tags: ['MLflow'] } }, (_, reply) => reply.type('text/plain').send(tunebook));
};
