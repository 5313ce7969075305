/** The Open Inference Protocol, version 2, with Triton's extension that loads models (`model_repository`). */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError, UnknownModelError } from '../../errors.js';
import {
  predictionOf,
  requireStrings,
  rounded,
  scoringSchema,
  text,
  type ParsedRequest,
  type Protocol,
  type ServedModel,
} from './protocol.js';

/** Body of the Open Inference Protocol, version 2: one input of texts as BYTES; for pairs a second one, `text_pair`. */
interface InferBody {
  id?: string;
  inputs: { name: string; shape: number[]; datatype: string; data: unknown[] }[];
  outputs?: { name: string }[];
}

/**
 * The class names by column of `probabilities`. Values of parameters are strings, numbers or booleans, so that it is a JSON array. The
 * protocol has parameters in responses only; in metadata they are those of MLServer.
 */
const classNames = (labels: string[]) => ({ class_names: JSON.stringify(labels) });

/** The outputs of a model, as in its metadata. Tensors are rectangular, so that the classes of a text are a JSON array. */
const outputsOf = ({ labels, problemType }: Pick<ServedModel, 'labels' | 'problemType'>) => [
  { name: 'label', datatype: 'BYTES', shape: [-1] },
  { name: 'score', datatype: 'FP32', shape: [-1] },
  ...(problemType === 'multi_label_classification' ? [{ name: 'labels', datatype: 'BYTES', shape: [-1] }] : []),
  ...(problemType === 'regression'
    ? []
    : [{ name: 'probabilities', datatype: 'FP32', shape: [-1, labels.length], parameters: classNames(labels) }]),
];

/**
 * The texts of an input.
 * @throws RequestError for an unsupported type or a shape that does not fit
 */
function textsOf(input: InferBody['inputs'][number]): string[] {
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
  return texts;
}

/**
 * Parses a body of the Open Inference Protocol.
 * @throws RequestError for an unsupported input or an unknown output
 */
function parseInferRequest({ id, inputs, outputs }: InferBody, name: string, model: ServedModel): ParsedRequest {
  const pairs = inputs.filter(({ name }) => name === 'text_pair');
  const [input, ...others] = inputs.filter(({ name }) => name !== 'text_pair');
  if (!input || others.length > 0 || pairs.length > 1)
    throw new RequestError(
      'REQUEST_INVALID',
      `inputs must contain exactly one input, the texts; it contains ${inputs.length}. A second one must be named text_pair.`,
      { name: 'inputs' },
    );
  const texts = textsOf(input);
  const second = pairs[0] && textsOf(pairs[0]);
  if (second && second.length !== texts.length)
    throw new RequestError(
      'REQUEST_INVALID',
      `The input ${input.name} has ${texts.length} texts, text_pair ${second.length}. Send a second text for each text.`,
      { name: 'text_pair' },
    );
  const requested = outputs?.map(({ name }) => name);
  const available = outputsOf(model).map(({ name }) => name);
  const unknown = requested?.find((name) => !available.includes(name));
  if (unknown)
    throw new RequestError(
      'REQUEST_INVALID',
      `Unknown output ${unknown}. Available outputs: ${available.join(', ')}.`,
      { name: 'outputs', value: unknown },
    );
  return {
    texts: second ? texts.map((each, i) => ({ text: each, pair: second[i]! })) : texts,
    formatResponse: (probabilities, classes) => {
      // Of several classes that may apply, the most probable one does not say which do.
      const isMultiLabel = classes.problemType === 'multi_label_classification';
      const names = requested ?? (isMultiLabel ? available : ['label', 'score']);
      const predictions = probabilities.map((row) => predictionOf(row, classes));
      const shape = [texts.length];
      const tensors = {
        // Tensors have no null: the empty text stands for no class.
        label: { datatype: 'BYTES', shape, data: predictions.map(({ label }) => label ?? '') },
        score: { datatype: 'FP32', shape, data: predictions.map(({ score }) => score) },
        labels: { datatype: 'BYTES', shape, data: predictions.map(({ labels }) => JSON.stringify(labels)) },
        probabilities: {
          datatype: 'FP32',
          shape: [texts.length, classes.labels.length],
          parameters: classNames(classes.labels),
          data: probabilities.flat().map(rounded),
        },
      };
      return {
        model_name: name,
        model_version: model.version,
        ...(id !== undefined && { id }),
        outputs: names.map((each) => ({ name: each, ...tensors[each as keyof typeof tensors] })),
      };
    },
  };
}

const schema = scoringSchema(
  'Open Inference Protocol',
  'One input of texts as BYTES, and for pairs text_pair; the outputs are those of the model metadata',
  {
    type: 'object',
    required: ['inputs'],
    properties: {
      id: text,
      parameters: { type: 'object' },
      inputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'shape', 'datatype', 'data'],
          properties: {
            name: text,
            shape: { type: 'array', items: { type: 'integer', minimum: 0 } },
            datatype: text,
            data: { type: 'array' },
            parameters: { type: 'object' },
          },
          additionalProperties: false,
        },
      },
      outputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name'],
          properties: { name: text, parameters: { type: 'object' } },
        },
      },
    },
    additionalProperties: false,
  },
  { type: 'object', additionalProperties: true },
);

const metadata = { schema: { tags: ['Open Inference Protocol'] } };

type ModelRoute = { Params: { model: string; version?: string } };

/** Body of a request of the model repository. */
const repositorySchema = {
  schema: {
    tags: ['Open Inference Protocol'],
    body: {
      type: ['object', 'null'],
      properties: { ready: { type: 'boolean' }, parameters: { type: 'object', maxProperties: 0 } },
      additionalProperties: false,
    },
  },
  config: { rateLimit: false },
} as const;

export const openInference: Protocol = (app, { name, tunebook, model, load, isReady }) => {
  const ready = (_: FastifyRequest, reply: FastifyReply) =>
    reply.code(isReady() ? 200 : 503).send({ ready: isReady() });
  /** The model of a route, which must be the one that is served. */
  const modelOf = (request: FastifyRequest<ModelRoute>) => {
    const { params } = request;
    const served = model(request);
    const { version } = served;
    if (params.model !== name || (params.version !== undefined && params.version !== version))
      throw new UnknownModelError(
        'REQUEST_UNKNOWN_MODEL',
        `Unknown model ${params.model}${params.version ? `, version ${params.version}` : ''}. Available: ${name}, version ${version}.`,
        { model: params.model, version: params.version },
      );
    return served;
  };
  app.get('/v2', metadata, () => ({
    name: 'tunebook',
    version: tunebook,
    extensions: load ? ['model_repository'] : [],
  }));
  app.get('/v2/health/live', metadata, () => ({ live: true }));
  app.get('/v2/health/ready', metadata, ready);
  for (const url of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<ModelRoute>(url, metadata, (request) => {
      const served = modelOf(request);
      const { version, textPairColumn } = served;
      const inputNames = textPairColumn === undefined ? ['text'] : ['text', 'text_pair'];
      return {
        name,
        versions: [version],
        platform: 'onnxruntime_onnxv1',
        inputs: inputNames.map((each) => ({ name: each, datatype: 'BYTES', shape: [-1] })),
        outputs: outputsOf(served),
      };
    });
    app.get<ModelRoute>(`${url}/ready`, metadata, (request, reply) => {
      modelOf(request);
      return ready(request, reply);
    });
    app.post<ModelRoute & { Body: InferBody }>(`${url}/infer`, schema, (request) => {
      const served = modelOf(request);
      return served.score(parseInferRequest(request.body, name, served));
    });
  }
  if (!load) return;
  const entry = (version: string) => ({ name, version, state: 'READY', reason: '' });
  app.post('/v2/repository/index', repositorySchema, (request) => [entry(model(request).version)]);
  app.post<ModelRoute>('/v2/repository/models/:model/load', repositorySchema, async (request) => {
    modelOf(request);
    return entry((await load()).version);
  });
};
