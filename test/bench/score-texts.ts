// Tunebook's side of scoring a list of texts, see score-texts.py.
//   score-texts.js MODEL float32|int8 TEXTS
import fs from 'node:fs';
import readline from 'node:readline';
import { openSentimentModel } from 'tunebook/serving';

const [model, precision, textsFile] = process.argv.slice(2) as [string, 'float32' | 'int8', string];
const texts = JSON.parse(fs.readFileSync(textsFile, 'utf8')) as string[];
const sentiment = await openSentimentModel(model, { precision });
await sentiment.predictSentiment(texts);
console.log('ready');
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const from = performance.now();
  await sentiment.predictSentiment(texts);
  console.log((performance.now() - from) / 1000);
}
await sentiment.dispose();
