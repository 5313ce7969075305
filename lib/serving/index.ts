/**
 * Scoring with an exported classifier, in a process or over HTTP, without TensorFlow.
 * @module tunebook/serving
 */
export { createServer } from './server.js';
export type { LoadedModel } from './current-model.js';
export type { ScoringServer, ServerOptions } from './server.js';
export { openSentimentModel } from './sentiment.js';
export type {
  ModelCalibration,
  OnnxEngineOptions,
  Prediction,
  Preprocessing,
  SentimentModel,
  SentimentModelOptions,
} from './sentiment.js';
