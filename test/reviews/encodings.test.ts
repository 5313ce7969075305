// Encodings that are not UTF-8: no text is read in a wrong one without a message, and Latin text is not taken for another script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import iconv from 'iconv-lite';
import { ReviewsError, SettingsError } from '#lib/errors.js';
import { failure } from '../failure.js';
import { readText } from './files.js';

const others: [encoding: string, text: string][] = [
  ['windows-1251', 'Отличный товар, всем советую'],
  ['koi8-r', 'Отличный товар, всем советую'],
  ['iso-8859-7', 'Πολύ καλό προϊόν, το συνιστώ'],
  ['iso-8859-8', 'מוצר מצוין ומומלץ מאוד'],
  ['shift_jis', '素晴らしい商品です'],
  ['euc-jp', '素晴らしい商品です'],
  ['gb18030', '非常好的产品，我很喜欢'],
  ['big5', '質量太差，不要購買'],
  ['euc-kr', '정말 좋은 제품입니다'],
];

/** Rows with many columns in ASCII; `text` is in every `step`-th row, in quotes. */
const wide = (text: string, step: number, rows = 60) =>
  `id,product,text,url,label\n${Array.from(
    { length: rows },
    (_, i) =>
      `B00${i},Coffee maker with a glass jug,"${i % step === 0 ? text : 'It broke after one day'} ${i}",https://example.org/${i},${i % 2}\n`,
  ).join('')}`;

test('other scripts are recognized by their words, also if few rows have them', async () => {
  for (const [encoding, text] of others)
    for (const step of [1, 20]) {
      const bytes = iconv.encode(wide(text, step), encoding);
      await assert.rejects(readText('a.csv', bytes), failure(ReviewsError, 'REVIEWS_ENCODING_UNKNOWN', { encoding }));
      const { reviews } = await readText('a.csv', bytes, { encoding });
      assert.equal(reviews[0], `${text} 0|negative`);
    }
  const line = (text: string) => `{"text": "${text}", "label": 1}\n`;
  await assert.rejects(
    readText('a.jsonl', iconv.encode(line('Отличный товар').repeat(20), 'windows-1251')),
    failure(ReviewsError, 'REVIEWS_ENCODING_UNKNOWN', { encoding: 'windows-1251' }),
  );
});

test('Latin text is Windows-1252, also in capitals, with many accents, and in one short text', async () => {
  for (const text of [
    'GRÖßTES ÄRGERNIS: ÜBERÄLTERTE Geräte, schööön, Jäääär',
    'L’été, « déjà vu » — à Noël, œuvre d’Éloïse…',
    '¡Qué señor! ¿Dónde está el niño? ÑANDÚ',
    'Ação, coração, não, ÀS ÓRGÃOS',
    'Päivityspäivämäärät',
    'Alþýðulýðveldið',
    '« %s »',
    'm² für 5 €, ½ Stück, §§ 3–5, †',
  ])
    for (const content of [wide(text, 1), wide(text, 20), `text,label\n"${text}",1\nb,0\n`]) {
      const { reviews, description } = await readText('a.csv', iconv.encode(content, 'windows-1252'));
      assert.equal(description.encoding, 'windows-1252', text);
      assert.ok(reviews[0]!.startsWith(text.split(',')[0]!), reviews[0]);
    }
});

test('rows in another script far behind the beginning: of the whole rest an error, of single rows bad rows', async () => {
  const english = 'The screen is bright and the battery lasts all day,1\nIt broke after one day,0\n'.repeat(20_000);
  const russian = iconv.encode('Отличный товар всем советую,1\nУжасное качество,0\n'.repeat(3), 'windows-1251');
  const bytes = Buffer.concat([Buffer.from(`text,label\n${english}`), russian]);
  await assert.rejects(
    readText('a.csv', bytes, { skipBadRows: true }),
    failure(ReviewsError, 'REVIEWS_ENCODING_UNKNOWN', { encoding: 'windows-1251' }),
  );
  const french = Buffer.from(`text,label\nDéjà cassé,0\n${english}`, 'latin1');
  const mixed = Buffer.concat([french, russian]);
  await assert.rejects(readText('a.csv', mixed), (error: Error) => {
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 40_003 })(error);
    assert.match(error.message, /another encoding than windows-1252, such as windows-1251.*encoding: 'windows-1251'/);
    return true;
  });
  const { reviews, source } = await readText('a.csv', mixed, { skipBadRows: true });
  assert.deepEqual([reviews.length, source.dropped.malformed], [40_001, 6]);
  // A named encoding is used.
  assert.equal((await readText('a.csv', mixed, { encoding: 'windows-1252' })).reviews.length, 40_007);
});

test('UTF-16 without a byte order mark in any script, and UTF-32', async () => {
  for (const text of [
    'Отличный товар, всем советую',
    '质量太差上海不要买非常好的产品',
    '정말 좋은 제품입니다',
    'café',
  ]) {
    const content = `text,label\n${Array.from({ length: 20 }, (_, i) => `"${text}",${i % 2}\n`).join('')}`;
    for (const encoding of ['utf-16le', 'utf-16be']) {
      const bytes = iconv.encode(content, encoding);
      for (const options of [{}, { encoding }]) {
        const { reviews, description } = await readText('a.csv', bytes, options);
        assert.deepEqual([reviews[1], description.encoding], [`${text}|positive`, encoding]);
      }
    }
    for (const encoding of ['utf-32le', 'utf-32be']) {
      const { reviews, description } = await readText('a.csv', iconv.encode(content, encoding, { addBOM: true }));
      assert.deepEqual([reviews[1], description.encoding], [`${text}|positive`, encoding]);
    }
  }
});

test('UTF-16 that has lost a byte is an error, also if bad rows are skipped', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `text number ${i},${i % 2}\n`);
  const bytes = iconv.encode(`text,label\n${rows.join('')}`, 'utf-16le', { addBOM: true });
  const at = bytes.indexOf(iconv.encode('number 20', 'utf-16le'));
  const shifted = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
  for (const skipBadRows of [false, true])
    await assert.rejects(
      readText('a.csv', shifted, { skipBadRows }),
      failure(ReviewsError, 'REVIEWS_DAMAGED', { line: 22, encoding: 'utf-16le' }),
    );
});

test('names of encodings: Python’s name of UTF-8 is one, those of no text are none', async () => {
  for (const encoding of ['utf-8-sig', 'UTF_8', 'utf8']) {
    const { reviews, description } = await readText('a.csv', '\ufefftext,label\ncafé,1\nb,0\n', { encoding });
    assert.deepEqual([reviews[0], description.encoding], ['café|positive', 'utf-8']);
  }
  for (const encoding of ['cesu8', 'hex', 'base64', 'binary', 'nonsense'])
    await assert.rejects(
      readText('a.csv', 'text,label\na,1\n', { encoding }),
      failure(SettingsError, 'SETTING_INVALID', { name: 'encoding', value: encoding }),
    );
});

test('messages show invalid bytes as replacement characters, also those in names', async () => {
  const bad = Buffer.from('caf\xe9', 'latin1');
  const shown = (error: Error) => {
    assert.match(error.message, /caf\ufffd/);
    assert.doesNotMatch(error.message, /[\ufdd0-\ufdef]/);
    return failure(ReviewsError, 'REVIEWS_MALFORMED')(error);
  };
  const around = (before: string, after: string) => Buffer.concat([Buffer.from(before), bad, Buffer.from(after)]);
  const good = '{"text": "très bien", "label": 1}';
  for (const [name, content] of [
    ['a.csv', around('text,', ',label\ntrès bien,x,1\nà peine,y,0\n')],
    ['a.csv', around('text,label\ntrès bien,1\nà peine,x,', ',0\n')],
    ['a.jsonl', around(`${good}\n{"`, '": "à peine", "label": 0}\n')],
    ['a.json', around(`[${good}, {"`, '": "à peine", "label": 0}]')],
    ['a.json', around('{"text": ["très bien", "à peine"], "', '": [1, 0]}')],
    ['a.json', around('{"text": ["très bien", "à peine"], "label": ', '}')],
  ] as const)
    await assert.rejects(readText(name, content), shown, content.toString());
});
