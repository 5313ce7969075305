// Checks pages for accessibility with axe-core.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Findings {
  violations: { id: string; nodes: { target: unknown; failureSummary: string }[] }[];
}

/**
 * Fails for findings of axe-core.
 * @param what is shown, for the message
 * @param within selector of the part that is checked
 */
export async function assertAccessible(page: Page, what: string, within = 'html'): Promise<void> {
  await page.evaluate(axe);
  const findings = await page.evaluate(async (within) => {
    const { axe } = globalThis as unknown as { axe: { run: (selector: string) => Promise<Findings> } };
    const { violations } = await axe.run(within);
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${JSON.stringify(target)}: ${failureSummary}`),
    );
  }, within);
  assert.deepEqual(findings, [], what);
}
