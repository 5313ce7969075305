// Models of several families with random weights, from real reviews to predictions: trained as a job, exported, scored by
// the command line and in Chromium. The tokenizers are those of the fixtures.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { parseConfig } from '#lib/model/config.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { packTexts } from '#lib/model/batch.js';
import { softmax } from '#lib/model/softmax.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { openBrowser } from '../browser.js';
import { fixtures } from '../checkout.js';
import { start, tunebook, waitForOutput } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-families-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Larger than the fixtures, so that training has an effect. */
const sizes = { hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 3, intermediate_size: 128 };
const texts = ['The item came damanged, 1 star.', 'Works great — I love it!', 'Отличный товар 👍'];

for (const name of ['xlm-roberta', 'deberta-v2', 'modernbert'])
  test(`a ${name} with random weights is trained on real reviews, exported, and scored in Node and in Chromium`, async () => {
    const model = path.join(folder, name);
    const run = path.join(folder, `run-${name}`);
    const stored = JSON.parse(fs.readFileSync(path.join(fixtures, name, 'config.json'), 'utf8')) as object;
    // The fixtures have texts of at most 24 tokens.
    const shape = { ...stored, ...sizes, max_position_embeddings: 130, initializer_range: 0.05 };
    const random = TextClassifier.create(parseConfig(shape), {}, readTokenizer(path.join(fixtures, name)));
    random.save(model);
    random.dispose();
    const flags = ['--dataset', 'embedded', '--rows', '1200', '--max-length', '96', '--epochs', '4'];
    const trained = await tunebook(
      ['finetune', '--model', model, ...flags, '--learning-rate', '1e-3', '--run-folder', run],
      { cwd: folder },
    );
    assert.equal(trained.status, 0, trained.stderr);
    const journal = fs.readFileSync(path.join(run, 'journal.jsonl'), 'utf8').trim().split('\n');
    const losses = journal
      .map((line) => JSON.parse(line) as { kind: string; loss?: number })
      .flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    const mean = (list: number[]) => list.reduce((sum, loss) => sum + loss, 0) / list.length;
    assert.ok(mean(losses.slice(-30)) < 0.95 * mean(losses.slice(0, 30)), `${mean(losses.slice(-30))}`);

    const exported = await tunebook(['export', run], { cwd: folder });
    assert.equal(exported.status, 0, exported.stderr);
    const scored = await tunebook(['score', '--model', run, '--json', ...texts], { cwd: folder });
    assert.equal(scored.status, 0, scored.stderr);
    const predictions = JSON.parse(scored.stdout) as { label: string; score: number }[];
    const { child, ended } = start(['app', run, '--port', '0']);
    let output = '';
    child.stdout!.on('data', (text: string) => (output += text));
    await waitForOutput(child, /Serving the web page of .* at http\S+/);
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(300_000);
      await page.goto(/http:\/\/127\.0\.0\.1:\d+/.exec(output)![0]);
      const inBrowser = await page.evaluate<{ label: string; probabilities: Record<string, number> }[]>(
        `Promise.all([import('/app/engines.js'), fetch('/app/preprocessing.json').then((response) => response.json())])
          .then(([{ browserEngine }, model]) => browserEngine(model, () => {})(${JSON.stringify(texts.map((text) => ({ text })))}))`,
      );
      const classifier = TextClassifier.fromFolder(path.join(run, 'model'), { precision: 'float32' });
      const logits = classifier.logits(packTexts(texts.map((text) => classifier.tokenizer.encode(text, 96))));
      inBrowser.forEach(({ label: labelInBrowser, probabilities: { positive } }, row) => {
        const expected = softmax(logits.subarray(2 * row, 2 * row + 2))[1]!;
        assert.ok(Math.abs(positive! - expected) < 1e-4, `${texts[row]}: ${positive}, not ${expected}`);
        const { label, score } = predictions[row]!;
        assert.equal(label, expected > 0.5 ? 'positive' : 'negative');
        assert.equal(labelInBrowser, label);
        assert.ok(Math.abs(score - Math.max(expected, 1 - expected)) < 1e-4);
      });
      classifier.dispose();
    } finally {
      await browser.close();
      child.kill('SIGTERM');
      await ended;
    }
  });
