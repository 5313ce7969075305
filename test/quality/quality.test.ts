// Data quality: planted problems are found, and the embedded reviews, which have none of them, raise no false alarm.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  findDamagedTexts,
  findDuplicates,
  findLabelNoise,
  findLeakingColumns,
  findLeakingWords,
  findNearDuplicates,
  openReviews,
  sampleReviews,
  splitReviews,
  textLengths,
  textNotes,
  vocabularyFit,
} from 'tunebook';
import { confidentLearning } from '#lib/evaluation/confident-learning.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { seededRandom } from '#lib/reviews/random.js';
import { describeDropped, nothingDropped } from '#lib/reviews/review.js';
import { createTokenizer } from '#lib/tokenizer/tokenizer.js';
import { wordPieceTokenizer } from '#lib/tokenizer/word-piece.js';
import { embeddedModel, fixtures } from '../checkout.js';

const tokenizer = loadTokenizer(embeddedModel);
const embedded = await sampleReviews(await openReviews('embedded'));

const german = [
  'Leider ist das Gerät nach zwei Wochen kaputt gegangen, der Verkäufer antwortet nicht.',
  'Die Verarbeitung ist hochwertig, die Lieferung kam pünktlich, ich bin sehr zufrieden.',
  'Für den Preis hätte ich deutlich mehr erwartet, die Bedienungsanleitung ist unverständlich.',
];
const russian = ['Очень хороший товар, быстрая доставка, всем советую.', 'Сломался через неделю, деньги не вернули.'];
const chinese = ['这个酒店的价格很便宜，房间也很干净，服务态度很好。', '送餐太慢了，味道也不好，下次不会再订了。'];
const french = [
  "La livraison a été rapide et l'appareil fonctionne parfaitement, je recommande vivement ce vendeur.",
  "Très déçue par la qualité, le tissu s'est déchiré dès le premier lavage.",
];
const repeated = (texts: string[]) => Array.from({ length: 60 }, (_, i) => texts[i % texts.length]!);

test('duplicates: copies, conflicting labels, and rows that are also in another split', () => {
  const { copies, texts, conflicting, acrossSplits } = findDuplicates([
    { text: 'Good  value', label: 1, split: 'train' },
    { text: 'good value', label: 0, split: 'train' },
    { text: 'Good value', label: 1, split: 'test' },
    { text: 'Broke', label: 0, split: 'validation' },
    { text: 'Broke', label: 0, split: 'test' },
    { text: 'Other', label: 0, split: 'train' },
  ]);
  assert.equal(copies, 3);
  assert.deepEqual(
    texts.map(({ text, rows, labels }) => [text, rows, labels]),
    [
      ['Good  value', 3, [0, 1]],
      ['Broke', 2, [0]],
    ],
  );
  assert.deepEqual(
    conflicting.map(({ text }) => text),
    ['Good  value'],
  );
  assert.deepEqual(acrossSplits, [
    { split: 'train', other: 'test', rows: 2 },
    { split: 'validation', other: 'test', rows: 1 },
  ]);
});

test('splitReviews counts the rows that it leaves out', () => {
  const reviews = Array.from({ length: 40 }, (_, i) => ({
    text: `review number ${i}`,
    label: i % 2,
    split: i < 30 ? ('train' as const) : ('test' as const),
  }));
  reviews.push(
    { text: 'Review number 35', label: 1, split: 'train' },
    { text: 'review number 36', label: 0, split: 'train' },
  );
  const dropped = nothingDropped();
  const { train, validation, test: testSet } = splitReviews(reviews, { dropped });
  assert.equal(train.length + validation.length + testSet.length, 40);
  assert.equal(describeDropped(dropped), '2 with a text that is also in another split');
});

test('near-duplicates: a changed word and changed punctuation are found, a different text with common words is not', () => {
  const text = 'I bought this kettle for my mother in March and it still boils two litres of water in four minutes';
  const train = [
    { text, label: 1 },
    { text: 'Great product!', label: 1 },
    { text: 'I bought this lamp for my office in May and it stopped after two days', label: 0 },
  ];
  const found = findNearDuplicates({
    train,
    validation: [{ text: 'great product.', label: 1 }],
    test: [
      { text: text.replace('March', 'April'), label: 1 },
      { text: 'I bought this radio for my father in June and I never use it', label: 0 },
    ],
  });
  assert.deepEqual(
    found.map(({ split, training, similarity }) => [split, training.text, Number(similarity.toFixed(2))]),
    [
      ['validation', 'Great product!', 1],
      // 19 of 20 words: 17 common pairs of 21.
      ['test', text, 0.81],
    ],
  );
});

test('near-duplicates found with hashing are those of comparing all pairs', () => {
  const random = seededRandom(3);
  const words = Array.from({ length: 9 }, (_, i) => `word${i}`);
  const sentence = () =>
    Array.from({ length: 8 }, () => words[Math.floor(random() * random() * words.length)]!).join(' ');
  const make = (count: number) => Array.from({ length: count }, () => ({ text: sentence(), label: 0 }));
  const [train, testSet] = [make(300), make(300)];
  const pairsOf = (text: string) => {
    const list = text.split(' ');
    return new Set(list.slice(1).map((word, i) => `${list[i]} ${word}`));
  };
  const similarity = (a: string, b: string) => {
    const [first, second] = [pairsOf(a), pairsOf(b)];
    const common = [...first].filter((pair) => second.has(pair)).length;
    return common / (first.size + second.size - common);
  };
  const expected = testSet.filter(({ text }) => train.some((other) => similarity(text, other.text) >= 0.7));
  const found = findNearDuplicates({ train, validation: [], test: testSet }).map(({ review }) => review);
  assert.ok(expected.length > 10, String(expected.length));
  assert.deepEqual(new Set(found), new Set(expected));
});

test('lengths and truncation equal the manual calculation', () => {
  const texts = ['good', 'good good good good good good good good good good', 'bad bad'];
  const { words, tokens, truncation } = textLengths(texts, tokenizer, 8);
  assert.deepEqual([words.min, words.median, words.max], [1, 2, 10]);
  assert.deepEqual([tokens.min, tokens.median, tokens.max], [3, 4, 12]);
  assert.deepEqual(truncation, { maxLength: 8, texts: 3, truncated: 1, removedFraction: 4 / 19, longest: 12 });
  const ids = texts.map((text) => tokenizer.encode(text, 8));
  const [note, ...others] = textNotes(texts, ids, tokenizer, 8);
  assert.match(
    note!,
    /^Truncated to 8 tokens \(maxLength\): 1 of 3 texts \(33\.3 %\), which removes 21\.1 % of all tokens; .* 12 tokens/,
  );
  assert.deepEqual(others, []);
});

test('texts that a wrong encoding has damaged are noted, with an example', () => {
  const texts = ['The cafÃ© was good', 'Na\uFFFDve but nice', 'Fine'];
  const notes = textNotes(
    texts,
    texts.map((text) => tokenizer.encode(text)),
    tokenizer,
    128,
  );
  assert.match(
    notes.join(),
    /U\+FFFD\) in 1 text .*UTF-8 read as Windows-1252 or Latin-1 in 1 text \("The cafÃ© was good"\)/,
  );
});

test('the limit of the model counts if it is smaller than the setting', () => {
  const long = 'good '.repeat(600);
  assert.equal(textLengths([long], tokenizer, 1024).truncation.maxLength, 512);
  const [note] = textNotes([long], [tokenizer.encode(long, 1024)], tokenizer, 1024);
  assert.match(note!, /^Truncated to 512 tokens/);
});

for (const [language, texts] of Object.entries({ german, french, russian, chinese }))
  test(`${language} texts do not fit an English vocabulary`, () => {
    const { fits, knownWords } = vocabularyFit(repeated(texts), tokenizer);
    assert.equal(fits, false);
    assert.ok(knownWords < 0.65, String(knownWords));
    const ids = texts.map(() => [1]);
    assert.match(
      textNotes(
        repeated(texts),
        repeated(texts).map(() => ids[0]!),
        tokenizer,
        128,
      )[0]!,
      /distilbert-base-multilingual-cased/,
    );
  });

test('English reviews, titles and tweets fit; so do English reviews with a few German ones, but not with many', () => {
  const texts = embedded.map(({ text }) => text);
  assert.equal(vocabularyFit(texts, tokenizer).fits, true);
  const tweets = repeated([
    '@airline thx for the gr8 flight 2day!!! #happy http://t.co/abc 😡',
    'omg my iPhone 6s (64GB, A1688) died AGAIN @apple wtf',
  ]);
  assert.equal(vocabularyFit(tweets, tokenizer).fits, true);
  const short = repeated(['Great!', 'Love it', 'Worst purchase ever', 'Would not buy again', 'Meh']);
  assert.equal(vocabularyFit(short, tokenizer).fits, true);
  const withGerman = (count: number) => [...texts.slice(0, 100 - count), ...repeated(german).slice(0, count)];
  assert.equal(vocabularyFit(withGerman(3), tokenizer).fits, true);
  const { fits, foreignTexts } = vocabularyFit(withGerman(30), tokenizer);
  assert.equal(fits, false);
  assert.ok(foreignTexts > 0.25 && foreignTexts < 0.4, String(foreignTexts));
});

test('a vocabulary with words of several scripts is multilingual, and every text fits it', () => {
  const letters = (first: string) =>
    Array.from({ length: 26 }, (_, i) => String.fromCodePoint(first.codePointAt(0)! + i));
  const wordsOf = (first: string) => letters(first).flatMap((a) => letters(first).map((b) => a + b));
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const create = (scripts: string[]) =>
    createTokenizer({
      tokenizer: wordPieceTokenizer([...special, ...scripts.flatMap(wordsOf)].join('\n'), {}, 'vocab.txt'),
      config: {},
    });
  assert.equal(create(['a', 'а']).isMultilingual, false);
  const multilingual = create(['a', 'а', 'α']);
  assert.equal(multilingual.isMultilingual, true);
  assert.equal(vocabularyFit(repeated(german), multilingual).fits, true);
  assert.equal(tokenizer.isMultilingual, false);
});

test('damaged texts: wrong encodings, HTML, escaped newlines and control characters, but not ordinary signs', () => {
  const damaged = ['caf\uFFFD', 'cafÃ© donâ€™t', 'Good<br />value', 'salt &amp; pepper', 'one\\ntwo', 'tab\u0008'];
  assert.deepEqual(
    findDamagedTexts(damaged).map(({ texts }) => texts),
    [1, 1, 1, 1, 1, 1],
  );
  assert.deepEqual(findDamagedTexts(['2 < 3 and 5 > 4', 'AT&T; Ärger, café, São Paulo, naïve — “fine”', 'a <3 b']), []);
});

test('leaking words: a label in the text and a rating as a phrase are found, common and frequent words are not', () => {
  const reviews = Array.from({ length: 400 }, (_, i) => {
    const label = i % 2;
    const rating = i % 4 < 2 ? `, ${label === 1 ? 5 : 1} stars` : '';
    return {
      text: `__label__${label + 1} the camera ${i % 10 === 0 ? 'failed' : 'works'}${rating} after ${i} days`,
      label,
    };
  });
  const words = findLeakingWords(reviews);
  assert.deepEqual(new Set(words.slice(0, 2).map(({ word }) => word)), new Set(['__label__1', '__label__2']));
  assert.deepEqual(
    words
      .slice(0, 2)
      .map(({ precision, coverage, information }) => [precision, coverage, Number(information.toFixed(3))]),
    [
      [1, 1, 1],
      [1, 1, 1],
    ],
  );
  const others = findLeakingWords(
    reviews.map(({ text, label }) => ({ text: text.replace(/__label__\d /, ''), label })),
  );
  assert.ok(
    others.some(({ word, label, coverage }) => word === '5' && label === 1 && coverage >= 0.5),
    JSON.stringify(others),
  );
  assert.ok(!others.some(({ word }) => ['the', 'camera', 'stars', 'works'].includes(word)));
});

test('a word that 97 % of the rows are expected to have does not leak', () => {
  const reviews = Array.from({ length: 1000 }, (_, i) => ({
    text: i % 3 ? `fine item ${i}` : `item ${i}`,
    label: i % 32 === 0 ? 0 : 1,
  }));
  assert.deepEqual(findLeakingWords(reviews), []);
});

test('leaking columns: another form of the label, one class and a score; not ids, dates, texts or unrelated columns', () => {
  const random = seededRandom(5);
  const rows = Array.from({ length: 600 }, (_, i) => ({
    stars: 1 + (i % 5),
    id: i,
    code: `x${i}`,
    reason: i % 3 === 0 ? ['late', 'rude', 'broken'][Math.floor(i / 3) % 3] : null,
    score: (i % 3) / 2 + random() / 10,
    color: ['red', 'blue'][Math.floor(random() * 2)],
    constant: 'en',
  }));
  const labels = rows.map((_, i) => (i % 3 === 0 ? 0 : 1));
  const found = findLeakingColumns(rows, labels, Object.keys(rows[0]!));
  assert.deepEqual(found.map(({ column }) => column).sort(), ['reason', 'score']);
  assert.deepEqual(
    found.find(({ column }) => column === 'reason')!.classes.map(({ label, precision }) => [label, precision]),
    [
      [0, 1],
      [1, 1],
    ],
  );
  // In a sorted file, an id would separate the classes.
  const sorted = Array.from({ length: 600 }, (_, id) => ({ id }));
  assert.deepEqual(
    findLeakingColumns(
      sorted,
      sorted.map(({ id }) => (id < 300 ? 0 : 1)),
      ['id'],
    ),
    [],
  );
});

test('confident learning gives the results of cleanlab', () => {
  const cases = JSON.parse(fs.readFileSync(path.join(fixtures, 'confident-learning.json'), 'utf8')) as {
    labels: number[];
    probabilities: number[][];
    thresholds: number[];
    joint: number[][];
    issues: number[];
  }[];
  assert.ok(cases.length > 0);
  for (const { labels, probabilities, ...expected } of cases) {
    const { thresholds, joint, issues } = confidentLearning(labels, probabilities);
    assert.deepEqual({ joint, issues }, { joint: expected.joint, issues: expected.issues });
    thresholds.forEach((threshold, i) => assert.ok(Math.abs(threshold - expected.thresholds[i]!) < 1e-9));
  }
});

test('most of the flipped labels of real reviews are among the first doubtful ones; copies are not predicted from each other', () => {
  const reviews = embedded
    .filter(({ text }) => /\b(great|excellent|terrible|useless)\b/.test(text))
    .map((review) => ({ ...review }));
  const flipped = reviews.filter((_, i) => i % 20 === 0);
  for (const review of flipped) review.label = 1 - review.label;
  const { doubtful } = findLabelNoise(reviews);
  const first = new Set(doubtful.slice(0, flipped.length).map(({ review }) => review));
  const hits = flipped.filter(({ text }) => first.has(text)).length;
  assert.ok(hits >= 0.6 * flipped.length, `${hits} of ${flipped.length}`);
  // If the copies of the mislabeled text were in other folds, they would confirm its wrong label.
  const copies = Array.from({ length: 100 }, (_, i) => ({
    text: i % 2 ? `great camera ${i}` : `awful camera ${i}`,
    label: i % 2,
  }));
  copies.push(...Array.from({ length: 3 }, () => ({ text: 'awful awful camera', label: 1 })));
  assert.deepEqual(
    new Set(findLabelNoise(copies).doubtful.map(({ review }) => review)),
    new Set(['awful awful camera']),
  );
});

test('the embedded reviews raise no false alarm', () => {
  const { copies, conflicting } = findDuplicates(embedded);
  assert.deepEqual([copies, conflicting.length], [8, 0]);
  const split = splitReviews(embedded);
  assert.ok(findNearDuplicates(split).length < 0.01 * (split.validation.length + split.test.length));
  assert.deepEqual(findLeakingWords(embedded), []);
  assert.deepEqual(
    findDamagedTexts(embedded.map(({ text }) => text)).map(({ damage, texts }) => [damage, texts]),
    [['HTML entities', 38]],
  );
});
