/** The protocol of MLflow: /invocations, in its four formats. */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import { textOf } from '../../reviews/review.js';
import {
  predictionOf,
  predictionSchema,
  requireStrings,
  scoringSchema,
  text,
  type ParsedRequest,
  type Protocol,
  type ServedModel,
} from './protocol.js';
import type { TextInput } from '../sentiment.js';

/** Body of MLflow's /invocations, in its four formats. */
interface MlflowBody {
  inputs?: unknown;
  instances?: unknown;
  dataframe_split?: { columns: string[]; data: unknown[][]; index?: unknown[] };
  dataframe_records?: Record<string, unknown>[];
}

/** Usual names of columns that contain the text, in order of preference. */
const usualColumns = ['sentence', 'text', 'review', 'content', 'inputs'];

type Row = Record<string, unknown>;

/** The columns of training, as far as they are known. */
type TrainedColumns = Pick<ServedModel, 'textColumns' | 'textPairColumn'>;

/** The text columns: those of training if all of them are there, else the first with a usual name, or the only column. */
function textColumnsOf(columns: string[], trained: string[] | undefined): string[] {
  if (trained?.every((column) => columns.includes(column))) return trained;
  const column = usualColumns.find((name) => columns.includes(name)) ?? (columns.length === 1 ? columns[0] : undefined);
  if (column === undefined)
    throw new RequestError(
      'REQUEST_NO_TEXT_COLUMN',
      `No text column among ${columns.join(', ') || '(none)'}. ` +
        (trained ? `Send the columns of training, ${trained.join(', ')}, or name` : 'Name') +
        ` the text column one of ${usualColumns.join(', ')}.`,
      { columns, trained },
    );
  return [column];
}

/** Texts of rows with named columns, or pairs if there is the second text's column of training, or `text_pair`. Of several text columns, some may be empty. */
function textsOfRows(rows: Row[], columns: string[], trained: TrainedColumns, name: string): TextInput[] {
  const pairColumn = [trained.textPairColumn, 'text_pair'].find(
    (column) => column !== undefined && columns.includes(column) && !trained.textColumns?.includes(column),
  );
  const chosen = textColumnsOf(
    columns.filter((column) => column !== pairColumn),
    trained.textColumns,
  );
  const isValid = (value: unknown) => typeof value === 'string' || (chosen.length > 1 && (value ?? null) === null);
  if (!rows.every((row) => chosen.every((column) => isValid(row[column]))))
    throw new RequestError(
      'REQUEST_INVALID',
      `The column${chosen.length > 1 ? 's' : ''} ${chosen.join(', ')} of ${name} must be a string or a list of strings.`,
      { name, columns: chosen },
    );
  return rows.map((row) => {
    const text = textOf(row, chosen);
    return pairColumn === undefined ? text : { text, pair: textOf(row, [pairColumn]) };
  });
}

/** Rows of columns by name, {"text": ["…", "…"]}; a column may be a single value. */
function rowsOfColumns(columns: Row): Row[] {
  const lists = Object.entries(columns).map(([column, values]) => [column, [values].flat()] as const);
  const length = lists[0]?.[1].length ?? 0;
  const other = lists.find(([, values]) => values.length !== length);
  if (other)
    throw new RequestError(
      'REQUEST_INVALID',
      `The column ${other[0]} has ${other[1].length} values, the column ${lists[0]![0]} ${length}. Send columns of equal length.`,
      { column: other[0] },
    );
  return Array.from({ length }, (_, i) => Object.fromEntries(lists.map(([column, values]) => [column, values[i]])));
}

const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Texts of columns by name, or of a list of rows that are objects, strings or lists of one string. */
function textsOf(value: unknown, trained: TrainedColumns, name: string): TextInput[] {
  if (typeof value === 'string') return [value];
  if (isObject(value)) return textsOfRows(rowsOfColumns(value), Object.keys(value), trained, name);
  if (Array.isArray(value) && value.length > 0 && value.every(isObject)) {
    const columns = [...new Set(value.flatMap((row) => Object.keys(row)))];
    return textsOfRows(value, columns, trained, name);
  }
  // A list of rows with one column each: [["…"], ["…"]].
  const isFlat = !Array.isArray(value) || !value.every((row) => Array.isArray(row) && row.length === 1);
  return requireStrings(isFlat ? value : value.flat(), name);
}

/**
 * Parses a body of MLflow's /invocations.
 * @param trained columns of training
 * @throws RequestError unless it contains exactly one format, with a text column
 */
function parseMlflowRequest(body: MlflowBody, trained: TrainedColumns): ParsedRequest {
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
  const parseTexts = (): TextInput[] => {
    if (format !== 'dataframe_split') return textsOf(body[format], trained, format);
    const { columns, data } = body.dataframe_split!;
    const other = data.findIndex((row) => row.length !== columns.length);
    if (other >= 0)
      throw new RequestError(
        'REQUEST_INVALID',
        `Row ${other + 1} of dataframe_split.data has ${data[other]!.length} values, but there are ${columns.length} columns. Send a value for each column.`,
        { name: 'dataframe_split' },
      );
    const rows = data.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])));
    return textsOfRows(rows, columns, trained, format);
  };
  return {
    texts: parseTexts(),
    formatResponse: (probabilities, model) => ({
      predictions: probabilities.map((row) => predictionOf(row, model)),
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

export const mlflow: Protocol = (app, { tunebook, model }) => {
  app.post('/invocations', schema, (request: FastifyRequest<{ Body: MlflowBody }>) => {
    const served = model(request);
    return served.score(parseMlflowRequest(request.body, served));
  });
  app.get('/version', { schema: { tags: ['MLflow'] } }, (_, reply) => reply.type('text/plain').send(tunebook));
};
