/** The protocol of Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import { predictedClass } from '../../model/calibration.js';
import { rounded, scoringSchema, texts, type ParsedRequest, type Protocol } from './protocol.js';

/** Body of Hugging Face's text classification: {"inputs": …, "parameters": {"top_k"}}. */
interface HuggingFaceBody {
  inputs: string | string[];
  parameters?: { top_k?: number | null; function_to_apply?: 'softmax' | null };
}

/** Parses a body of Hugging Face's text classification. */
function parseHuggingFaceRequest({ inputs, parameters }: HuggingFaceBody): ParsedRequest {
  return {
    texts: [inputs].flat(),
    formatResponse: (probabilities, { labels, calibration }) => {
      if (labels.length === 1 && parameters?.function_to_apply === 'softmax')
        throw new RequestError(
          'REQUEST_INVALID',
          'function_to_apply is softmax, but the model predicts a number, whose softmax is always 1. Leave it out.',
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

const schema = scoringSchema(
  'Hugging Face',
  'Text classification: all classes with their probabilities, the predicted one first, the others in descending order; of a regression the number as the score',
  {
    type: 'object',
    required: ['inputs'],
    properties: {
      inputs: texts,
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
