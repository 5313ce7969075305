/** The protocol of the original project and of Domino: {"data": {"sentence": …}}. */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import { predictionOf, scoringSchema, texts, type ParsedRequest, type Protocol } from './protocol.js';

/**
 * Body of the original project and Domino: {"data": {"sentence": …}}, a string or a list, or {"parameters": […]}. For pairs,
 * `data.pair` is the second text, or the list of them.
 */
interface DominoBody {
  data?: { sentence?: string | string[]; sentences?: string | string[]; pair?: string | string[] };
  parameters?: (string | string[])[];
}

/**
 * Parses a body of the original project or of Domino.
 * @throws RequestError if it contains no sentence, or another number of second texts
 */
function parseDominoRequest({ data, parameters }: DominoBody): ParsedRequest {
  const sentences = data?.sentence ?? data?.sentences ?? parameters?.[0];
  if (sentences === undefined)
    throw new RequestError(
      'REQUEST_INVALID',
      'The body has no data.sentence. Send a string or a list of strings: {"data": {"sentence": "…"}}.',
      { name: 'data.sentence' },
    );
  const [texts, pairs] = [[sentences].flat(), data?.pair === undefined ? undefined : [data.pair].flat()];
  if (pairs && pairs.length !== texts.length)
    throw new RequestError(
      'REQUEST_INVALID',
      `data.sentence has ${texts.length} texts, data.pair ${pairs.length}. Send a second text for each sentence.`,
      { name: 'data.pair' },
    );
  return {
    texts: pairs ? texts.map((text, i) => ({ text, pair: pairs[i]! })) : texts,
    formatResponse: (probabilities, model) => {
      const predictions = probabilities.map((row) => predictionOf(row, model));
      return Array.isArray(sentences) ? predictions : predictions[0];
    },
  };
}

const schema = scoringSchema(
  'Domino',
  'One sentence or several, in the format of the original project',
  {
    type: 'object',
    properties: {
      data: {
        type: 'object',
        properties: { sentence: texts, sentences: texts, pair: texts },
        additionalProperties: false,
      },
      parameters: { type: 'array', items: texts, minItems: 1, maxItems: 1 },
    },
    additionalProperties: false,
  },
  { type: 'object', additionalProperties: true },
);

export const domino: Protocol = (app, { name, tunebook, model }) => {
  const answer = async (request: FastifyRequest<{ Body: DominoBody }>) => {
    const started = performance.now();
    const { version, score } = model(request);
    const result = await score(parseDominoRequest(request.body));
    const milliseconds = Math.round(performance.now() - started);
    return {
      result,
      model_time_in_ms: milliseconds,
      timing: milliseconds,
      request_id: request.id,
      release: {
        harness_version: tunebook,
        registered_model_name: name,
        registered_model_version: version,
        model_version_number: version,
      },
    };
  };
  app.post('/model', schema, answer);
  app.post('/models/:id/latest/model', schema, answer);
};
