// Remedies that run set-up again. Set-up skips a step whose stamp and main files exist, so the broken output of such a
// step must be deleted first.
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';
import { isDone } from '../steps.mjs';

export const setUp = 'npm run setup';

/**
 * Returns the command that repeats a step.
 * @param {import('../steps.mjs').Step} step that creates the broken files
 * @param {...string} broken paths
 */
export const repeatStep = (step, ...broken) =>
  isDone(step) ? `rm -r ${broken.map((file) => path.relative(root, file)).join(' ')} && ${setUp}` : setUp;
