// Remedies that really repair. Set-up passes over a step whose stamp is there and whose chief files exist, so of a step that
// counts as done the broken thing must be deleted first.
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';
import { isDone } from '../steps.mjs';

export const setUp = 'npm run setup';

/**
 * @param {import('../steps.mjs').Step} step that made what is broken
 * @param {...string} broken paths
 */
export const makeAgain = (step, ...broken) =>
  isDone(step) ? `rm -r ${broken.map((file) => path.relative(root, file)).join(' ')} && ${setUp}` : setUp;
