// Runs checks concurrently. A check waits for those that it needs and is skipped if one of them fails, so that one
// problem yields one remedy.
// @ts-check
import { failed, firstLineOf, skipped } from './finding.mjs';

/** @typedef {import('./finding.mjs').Check} Check */
/** @typedef {import('./finding.mjs').Finding} Finding */

/**
 * Selects checks by name, and the checks that these depend on.
 * @param {Check[]} checks
 * @param {string[]} names empty for all
 * @returns {Check[]}
 */
export function withDependencies(checks, names) {
  if (names.length === 0) return checks;
  const wanted = new Set(names);
  // Reversed, because each check comes after those that it needs.
  for (const { name, needs = [], after = [] } of [...checks].reverse())
    if (wanted.has(name)) for (const other of [...needs, ...after]) wanted.add(other);
  return checks.filter(({ name }) => wanted.has(name));
}

/**
 * Starts all checks.
 * @param {Check[]} checks
 * @returns {Map<string, Promise<Finding>>} findings by name, in the order of the checks
 */
export function examine(checks) {
  /** @type {Map<string, Promise<Finding>>} */
  const findings = new Map();
  /** The failed check that blocks each check. @type {Map<string, string>} */
  const blockedBy = new Map();
  /** @param {string} name */
  const outcome = async (name) => findings.get(name);
  for (const check of checks)
    findings.set(
      check.name,
      // Deferred until all checks are in the map, so that a check can wait for any other.
      Promise.resolve().then(async () => {
        const finding = await findingOf(check, outcome, blockedBy);
        if (finding.status === 'failed' || finding.blocks) blockedBy.set(check.name, check.name);
        return finding;
      }),
    );
  return findings;
}

/**
 * Runs a check, or skips it if a check that it needs has failed.
 * @param {Check} check
 * @param {(name: string) => Promise<Finding | undefined>} outcome
 * @param {Map<string, string>} blockedBy
 * @returns {Promise<Finding>}
 */
async function findingOf({ name, needs = [], examine }, outcome, blockedBy) {
  for (const need of needs) {
    await outcome(need);
    const blocker = blockedBy.get(need);
    if (blocker === undefined) continue;
    blockedBy.set(name, blocker);
    return skipped(`needs ${blocker}`);
  }
  try {
    return await examine(outcome);
  } catch (error) {
    return failed(`The check failed: ${firstLineOf(error)}`, 'npm run setup');
  }
}
