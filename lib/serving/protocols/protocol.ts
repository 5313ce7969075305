/** What the protocols of the scoring API have in common: each is a fastify plugin that parses bodies and formats responses. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from '../../errors.js';
import { predictionOf as exactPredictionOf } from '../../model/prediction.js';
import type { Prediction, SentimentModel, TextInput } from '../sentiment.js';

/** The classes of the served model, what it predicts of them, and the threshold between them. */
export type ServedClasses = Pick<SentimentModel, 'labels' | 'problemType' | 'calibration'>;

/** A parsed request: its texts, and the format of its response. */
export interface ParsedRequest {
  texts: TextInput[];
  /** Formats the response from the probabilities of each text; of a regression from the number, the only element. */
  formatResponse: (probabilities: number[][], model: ServedClasses) => unknown;
}

/** A version of the served model. */
export interface ServedModel extends Pick<ServedClasses, 'labels' | 'problemType'> {
  version: string;
  /** The text columns of training; undefined if they are unknown. */
  textColumns: string[] | undefined;
  /** The column of the second text in training; undefined for single texts. */
  textPairColumn: string | undefined;
  /** Scores the texts of a request. @returns its response */
  score: (request: ParsedRequest) => Promise<unknown>;
}

/** What a protocol needs of the server. */
export interface ScoringService {
  /** The model's name in paths and responses. */
  name: string;
  /** Tunebook's version. */
  tunebook: string;
  /** The version for a request that arrives now, which must use it from its start to its end. */
  model: (request: FastifyRequest) => ServedModel;
  /**
   * Replaces the model by its newest version; undefined if the server cannot.
   * @returns the newest version
   * @throws ModelLoadError
   */
  load: (() => Promise<{ version: string }>) | undefined;
  /** False while the server shuts down. */
  isReady: () => boolean;
}

/** Adds the routes of a protocol to a server. */
export type Protocol = (app: FastifyInstance, service: ScoringService) => void;

/** Schemas of a text, and of a text or a list of texts. */
export const text = { type: 'string' } as const;
export const texts = { oneOf: [text, { type: 'array', items: text }] } as const;

/** Schema of a prediction. */
export const predictionSchema = {
  type: 'object',
  properties: {
    label: {
      type: ['string', 'null'],
      description:
        'the predicted class; of multi-label classification the most probable one, or null if no class applies',
    },
    score: {
      type: 'number',
      description: 'probability of the label, the highest one if it is null, or the number that a regression predicts',
    },
    labels: { type: 'array', items: text, description: 'only of multi-label classification: all classes that apply' },
    probabilities: {
      type: 'object',
      additionalProperties: { type: 'number' },
      description: 'only of multi-label classification: the probability of each class',
    },
  },
} as const;

const failure = { type: 'object', properties: { error: text, code: text } } as const;
const failures = Object.fromEntries([400, 401, 413, 415, 429, 503, 504].map((status) => [status, failure]));

/** The schema of a route that scores texts, for validation and for the OpenAPI document. */
export const scoringSchema = (tag: string, summary: string, body: object, response: object) => ({
  schema: { tags: [tag], summary, body, response: { 200: response, ...failures } },
});

/** Rounds a probability, or a predicted number, for a response. */
export const rounded = (probability: number): number => Number(probability.toFixed(6));

/** The predicted class, classes or number. */
export function predictionOf(probabilities: number[], model: ServedClasses): Prediction {
  const prediction = exactPredictionOf(probabilities, model);
  const { score, probabilities: byName } = prediction;
  return {
    ...prediction,
    score: rounded(score),
    ...(byName && {
      probabilities: Object.fromEntries(Object.entries(byName).map(([name, each]) => [name, rounded(each)])),
    }),
  };
}

/** @throws RequestError unless a value is a list of strings */
export function requireStrings(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new RequestError('REQUEST_INVALID', `${name} must be a string or a list of strings.`, { name });
  return value;
}
