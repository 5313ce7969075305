// The generated parts of the documentation are up to date.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { graphPage, withModuleGraph } from './module-graph.js';
import { settingsPage, withSettingsTable } from './settings-table.js';

test('the table of settings and the module graph are up to date (npm run docs:write)', async () => {
  const [settings, graph] = [settingsPage, graphPage].map((page) => fs.readFileSync(page, 'utf8'));
  assert.equal(settings, withSettingsTable(settings!));
  assert.equal(graph, await withModuleGraph(graph!));
});
