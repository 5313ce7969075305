// Makes checks side by side. One that needs another waits for it, and is skipped where that one stands in the way: a single
// fault is to give a single remedy.
// @ts-check
import { failed, firstLineOf, skipped } from './finding.mjs';

/** @typedef {import('./finding.mjs').Check} Check */
/** @typedef {import('./finding.mjs').Finding} Finding */

/**
 * @param {Check[]} checks
 * @param {string[]} names those that are wanted; none for all
 * @returns {Check[]} those, and what they need
 */
export function withWhatTheyNeed(checks, names) {
  if (names.length === 0) return checks;
  const wanted = new Set(names);
  // What a check needs stands before it.
  for (const { name, needs = [], after = [] } of [...checks].reverse())
    if (wanted.has(name)) for (const other of [...needs, ...after]) wanted.add(other);
  return checks.filter(({ name }) => wanted.has(name));
}

/**
 * @param {Check[]} checks
 * @returns {Map<string, Promise<Finding>>} in their order
 */
export function examine(checks) {
  /** @type {Map<string, Promise<Finding>>} */
  const findings = new Map();
  /** What stands in a check's way: the first fault behind it. @type {Map<string, string>} */
  const obstacles = new Map();
  /** @param {string} name */
  const outcome = async (name) => findings.get(name);
  for (const check of checks)
    findings.set(
      check.name,
      // Each begins when all are known, so that one may wait for another wherever that stands.
      Promise.resolve().then(async () => {
        const finding = await findingOf(check, outcome, obstacles);
        if (finding.status === 'failed' || finding.blocks) obstacles.set(check.name, check.name);
        return finding;
      }),
    );
  return findings;
}

/**
 * @param {Check} check
 * @param {(name: string) => Promise<Finding | undefined>} outcome
 * @param {Map<string, string>} obstacles
 * @returns {Promise<Finding>}
 */
async function findingOf({ name, needs = [], examine }, outcome, obstacles) {
  for (const need of needs) {
    await outcome(need);
    const obstacle = obstacles.get(need);
    if (obstacle === undefined) continue;
    obstacles.set(name, obstacle);
    return skipped(`needs ${obstacle}`);
  }
  try {
    return await examine(outcome);
  } catch (error) {
    return failed(`could not be looked at: ${firstLineOf(error)}`, 'npm run setup');
  }
}
