/**
 * Loads onnxruntime without its telemetry: since version 1.29 its library for Linux sends names and hashes of models to Microsoft,
 * and stores an id of the machine, unless this variable is set before it is loaded. A value that the user has set is kept.
 */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';

process.env['ORT_DISABLE_TELEMETRY'] ??= '1';

export const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node') as typeof OnnxRuntime;
