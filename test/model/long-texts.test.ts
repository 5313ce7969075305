/** Texts of hundreds of thousands of characters, with and without spaces, in the tokenizers of all families. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { seededRandom } from '#lib/reviews/random.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { graphemesOf } from '#lib/tokenizer/precompiled-charsmap.js';
import { fixtures } from '../checkout.js';

const folders = fs.readdirSync(fixtures).filter((name) => fs.existsSync(path.join(fixtures, name, 'tokenizer.json')));
const texts = {
  'one word': 'a',
  'unknown characters': '日',
  words: 'good bad ',
  'words of several scripts': 'café 日本 ',
};

for (const name of folders)
  test(`${name}: long texts have the first tokens of their beginning, and can be counted`, () => {
    const tokenizer = loadTokenizer(path.join(fixtures, name));
    for (const [kind, text] of Object.entries(texts)) {
      const tokens = tokenizer.encode(text.repeat(300_000 / text.length), 24);
      assert.deepEqual(tokens, tokenizer.encode(text.repeat(9000 / text.length), 24), kind);
      assert.ok(tokenizer.countTokens(text.repeat(300_000 / text.length)) >= tokens.length);
    }
  });

test('graphemes are those of the whole text, also where a block ends inside of one', () => {
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const parts = ['a', 'é', 'e\u0301', '日', '👨‍👩‍👧‍👦', '🇩🇪', '🇩', '한', '\r\n', ' ', '\u0600', 'क्षि', '🏽', '👍🏽'];
  const random = seededRandom(1, 0);
  for (let i = 0; i < 200; i++) {
    let text = '';
    while (text.length < 2500) text += parts[Math.floor(random() * parts.length)]!.repeat(random() < 0.02 ? 600 : 1);
    assert.deepEqual(
      graphemesOf(text),
      Array.from(segmenter.segment(text), ({ segment }) => segment),
    );
  }
});
