// `npm run docs:write`: updates the generated parts of the documentation.
import fs from 'node:fs';
import { graphPage, withModuleGraph } from './module-graph.js';
import { settingsPage, withSettingsTable } from './settings-table.js';

fs.writeFileSync(settingsPage, withSettingsTable(fs.readFileSync(settingsPage, 'utf8')));
fs.writeFileSync(graphPage, await withModuleGraph(fs.readFileSync(graphPage, 'utf8')));
