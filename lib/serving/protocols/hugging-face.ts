/** The protocol of Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import { predictedClass } from '../../model/calibration.js';
import { rounded, scoringSchema, text, type ParsedRequest, type Protocol } from './protocol.js';

/** A text, or a pair of texts as transformers' pipeline takes it. */
type HuggingFaceInput = string | { text: string; text_pair?: string };

/** Body of Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
interface HuggingFaceBody {
  inputs: HuggingFaceInput | HuggingFaceInput[];
  parameters?: { top_k?: number | null; function_to_apply?: 'softmax' | null };
}

/** Why the softmax does not apply to a model. */
const withoutSoftmax = {
  regression: 'the model predicts a number, whose softmax is always 1',
  multi_label_classification: 'each class of the model has a probability of its own, the sigmoid of its logit',
};

/** Parses a body of Hugging Face's text classification. */
function parseHuggingFaceRequest({ inputs, parameters }: HuggingFaceBody): ParsedRequest {
  return {
    texts: [inputs].flat().map((input) => {
      if (typeof input === 'string') return input;
      return { text: input.text, ...(input.text_pair !== undefined && { pair: input.text_pair }) };
    }),
    formatResponse: (probabilities, { labels, problemType, calibration }) => {
      if (problemType !== 'single_label_classification' && parameters?.function_to_apply === 'softmax')
        throw new RequestError(
          'REQUEST_INVALID',
          `function_to_apply is softmax, but ${withoutSoftmax[problemType]}. Leave it out.`,
          { name: 'parameters.function_to_apply' },
        );
      const rows = probabilities.map((row) => {
        const { label: predicted } = predictedClass(row, calibration);
        const rank = (label: number) => (label === predicted ? Infinity : row[label]!);
        return [...row.keys()]
          .sort((a, b) => rank(b) - rank(a))
          .slice(0, parameters?.top_k ?? labels.length)
          .map((label) => ({ label: labels[label]!, score: rounded(row[label]!) }));
      });
      return Array.isArray(inputs) ? rows : rows[0];
    },
  };
}

const input = {
  oneOf: [
    text,
    {
      type: 'object',
      required: ['text'],
      properties: { text, text_pair: text },
      additionalProperties: false,
    },
  ],
} as const;

const schema = scoringSchema(
  'Hugging Face',
  'Text classification: all classes with their probabilities, the predicted one first, the others in descending order; of multi-label classification the probabilities are independent; of a regression the number is the score',
  {
    type: 'object',
    required: ['inputs'],
    properties: {
      inputs: { oneOf: [input, { type: 'array', items: input }] },
      parameters: {
        type: 'object',
        properties: {
          top_k: { type: ['integer', 'null'], minimum: 1 },
          function_to_apply: { enum: ['softmax', null] },
        },
        additionalProperties: false,
      },
      options: { type: 'object' },
    },
    additionalProperties: false,
  },
  { type: 'array' },
);

export const huggingFace: Protocol = (app, { model }) => {
  const answer = (request: FastifyRequest<{ Body: HuggingFaceBody }>) =>
    model(request).score(parseHuggingFaceRequest(request.body));
  app.post('/', schema, answer);
  app.post('/predict', schema, answer);
};
