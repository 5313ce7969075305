// Delimited text: dialects, headers, columns, encodings, bad rows, and the options that override detection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import iconv from 'iconv-lite';
import { ReviewsError, SettingsError } from '#lib/errors.js';
import { failure } from '../failure.js';
import { readText } from './files.js';

const expected = ['Good, really; fine|positive', 'Bad|negative'];

test('delimiters, newlines, byte order marks and lines that name the delimiter', async () => {
  for (const [content, delimiter] of [
    ['text,label\n"Good, really; fine",1\nBad,0\n', ','],
    ['text;label\r\n"Good, really; fine";1\r\nBad;0\r\n', ';'],
    ['text\tlabel\rGood, really; fine\t1\rBad\t0\r', '\t'],
    ['\ufefftext|label\nGood, really; fine|1\nBad|0', '|'],
    ['\ufeffsep=|\r\ntext|label\r\nGood, really; fine|1\r\nBad|0\r\n', '|'],
    ['"sep=;"\ntext;label\n"Good, really; fine";1\nBad;0\n', ';'],
    ['text,label,\n"Good, really; fine",1,\nBad,0,\n', ','],
    [',text,label\n0,"Good, really; fine",1\n1,Bad,0\n', ','],
  ] as const) {
    const { reviews, description, columns } = await readText('a.csv', content);
    assert.deepEqual([reviews, description.delimiter, columns], [expected, delimiter, [['text'], 'label']], content);
  }
});

test('options override detection', async () => {
  const read = async (content: string | Buffer, options: Parameters<typeof readText>[2]) =>
    (await readText('a.csv', content, options)).reviews;
  assert.deepEqual(await read('text^label\nGood, really; fine^1\nBad^0\n', { delimiter: '^' }), expected);
  assert.deepEqual(await read('text\tlabel\nGood, really; fine\t1\nBad\t0\n', { delimiter: 'tab' }), expected);
  assert.deepEqual(await read('7;"Good, really; fine";1\n8;Bad;0\n', { columns: ['id', 'text', 'label'] }), expected);
  assert.deepEqual(
    await read('a,b,c\n7,"Good, really; fine",1\n8,Bad,0\n', { columns: ['id', 'text', 'label'], header: true }),
    expected,
  );
  assert.deepEqual(
    await read('1,0\n"Good, really; fine",x\n', { header: true, textColumns: ['1'], labelColumn: '0' }),
    ['Good, really; fine|x'],
  );
  const options = { header: false, textColumns: ['column 1'], labelColumn: 'column 2' };
  assert.deepEqual(await read('text,label\nGood,1\n', options), ['text|label', 'Good|1']);
  assert.deepEqual(await read(Buffer.from('text,label\ncaf\xe9,1\n', 'latin1'), { encoding: 'iso-8859-15' }), [
    'café|1',
  ]);
  await assert.rejects(
    read('1,a,2\n', { columns: ['label', 'text'] }),
    failure(ReviewsError, 'REVIEWS_COLUMNS_MISMATCH', { count: 3 }),
  );
  await assert.rejects(
    read('text,label\n', { encoding: 'klingon' }),
    failure(SettingsError, 'SETTING_INVALID', { value: 'klingon' }),
  );
});

test('a first line of data is no header, and columns without names must show what they are', async () => {
  const sentences =
    'Wow... Loved this place.\t1\nCrust is not good.\t0\nNot tasty at all.\t0\nStopped by, loved it\t1\n';
  const { columns, description } = await readText('yelp_labelled.txt', sentences);
  assert.deepEqual([columns, description.header], [[['column 1'], 'column 2'], false]);
  await assert.rejects(
    readText('a.csv', '"1","a title","a text that is longer"\n"2","other","another long text here"\n'),
    failure(ReviewsError, 'REVIEWS_NO_LABEL_COLUMN', { columns: ['column 1', 'column 2', 'column 3'] }),
  );
  await assert.rejects(readText('a.csv', 'Good,yes\nBad,no\n'), failure(ReviewsError, 'REVIEWS_NO_TEXT_COLUMN'));
});

test('texts to score: a text per line keeps its commas, with or without a header', async () => {
  const lines = ['The food was good, really.', 'Bad service, slow, and rude.', 'OK then.'];
  for (const [name, content] of [
    ['a.txt', lines.join('\n')],
    ['a.csv', lines.join('\n')],
    ['a.csv', `review\n${lines.map((line) => `"${line}"`).join('\n')}`],
    ['a.csv', `text\n${lines.join('\n')}\n`],
  ] as const)
    assert.deepEqual(
      (await readText(name, content, { labelsOptional: true })).reviews,
      lines.map((line) => `${line}|text`),
      content,
    );
});

test('columns: in any case, by usual names, after a title; two equally likely ones are an error that names both', async () => {
  for (const [header, text, label] of [
    ['Text,Sentiment', ['Text'], 'Sentiment'],
    [' sentence,"label "', ['sentence'], 'label'],
    ['reviews.text,reviews.rating', ['reviews.text'], 'reviews.rating'],
    ['content,score', ['content'], 'score'],
    ['tweet,airline_sentiment', ['tweet'], 'airline_sentiment'],
  ] as const)
    assert.deepEqual((await readText('a.csv', `${header}\ngood,1\nbad,0\n`)).columns, [text, label]);
  const titled = await readText('a.csv', 'Summary,Review_Text,Stars\nFine,good,5\nPoor,bad,1\n');
  assert.deepEqual(titled.columns, [['Summary', 'Review_Text'], 'Stars']);
  assert.deepEqual(titled.reviews, ['Fine. good|5', 'Poor. bad|1']);
  const two = 'text,review_text,label,rating\n17,good,x,1\n18,bad,y,2\n';
  await assert.rejects(
    readText('a.csv', two),
    failure(ReviewsError, 'REVIEWS_COLUMNS_AMBIGUOUS', {
      textColumns: ['text', 'review_text'],
      labelColumns: ['label', 'rating'],
    }),
  );
  const chosen = await readText('a.csv', two, { textColumns: ['REVIEW_TEXT'], labelColumn: 'Rating' });
  assert.deepEqual(chosen.reviews, ['good|1', 'bad|2']);
  const similar = 'Words,WORDS,label\ngood,x,1\nbad,y,2\n';
  await assert.rejects(
    readText('a.csv', similar, { textColumns: ['words'] }),
    failure(ReviewsError, 'REVIEWS_COLUMNS_AMBIGUOUS', { column: 'words', columns: ['Words', 'WORDS'] }),
  );
  assert.deepEqual((await readText('a.csv', similar, { textColumns: ['WORDS'] })).reviews, ['x|1', 'y|2']);
});

test('the settings of the format that were named are kept for scoring; what is detected is not', async () => {
  const text = 'good@1\nbad@0\n';
  const named = { delimiter: '@', header: false, columns: ['text', 'label'] };
  assert.deepEqual((await readText('a.txt', text, named)).source.reading.format, named);
  assert.deepEqual((await readText('a.txt', text, { ...named, header: 'auto' })).source.reading.format, {
    delimiter: '@',
    columns: ['text', 'label'],
  });
  assert.equal((await readText('a.csv', 'text,label\ngood,1\nbad,0\n')).source.reading.format, undefined);
  const lines = '{"text": "good", "label": 1}\n{"text": "bad", "label": 0}\n';
  assert.equal((await readText('a.jsonl', lines, { delimiter: ';' })).source.reading.format, undefined);
});

const western = 'text,label\nDéjà vu – “naïve” 5 €,1\nplain,0\n';

test('encodings: UTF-8, UTF-16 and Windows-1252 are detected', async () => {
  for (const [bytes, encoding] of [
    [Buffer.from(western), 'utf-8'],
    [iconv.encode(western, 'utf-16le', { addBOM: true }), 'utf-16le'],
    [iconv.encode(western, 'utf-16be', { addBOM: true }), 'utf-16be'],
    [iconv.encode(western, 'utf-16le'), 'utf-16le'],
    [iconv.encode(western, 'utf-16be'), 'utf-16be'],
    [iconv.encode(western, 'windows-1252'), 'windows-1252'],
  ] as const) {
    const { reviews, description } = await readText('a.csv', bytes);
    assert.deepEqual([reviews, description.encoding], [['Déjà vu – “naïve” 5 €|positive', 'plain|negative'], encoding]);
    assert.equal(description.byteOrderMark, undefined);
  }
  const { description, columns } = await readText('a.csv', `\ufeff${western}`);
  assert.deepEqual([description.encoding, description.byteOrderMark, columns], ['utf-8', true, [['text'], 'label']]);
});

test('encodings of other scripts must be named; the error names the probable one', async () => {
  for (const [encoding, text] of [
    ['shift_jis', 'とても良い商品でした。また買います。'],
    ['GB18030', '这个产品非常好，我很喜欢，下次还会再买。'],
    ['windows-1251', 'Отличный товар и очень доволен покупкой'],
    ['EUC-KR', '정말 좋은 제품입니다 추천합니다'],
  ] as const) {
    const rows = Array.from({ length: 20 }, (_, i) => `${text} ${i},${i % 2}\n`);
    const bytes = iconv.encode(`text,label\n${rows.join('')}`, encoding);
    await assert.rejects(
      readText('a.csv', bytes),
      failure(ReviewsError, 'REVIEWS_ENCODING_UNKNOWN', { encoding: encoding.toLowerCase() }),
    );
    const { reviews } = await readText('a.csv', bytes, { encoding });
    assert.equal(reviews[3], `${text} 3|positive`);
  }
});

test('lines in another encoding than the file are bad rows', async () => {
  const rows = (other: (i: number) => boolean) =>
    Buffer.concat([
      Buffer.from('text,label\n'),
      ...Array.from({ length: 20 }, (_, i) => Buffer.from(`caf\u00e9 ${i},${i % 2}\n`, other(i) ? 'latin1' : 'utf8')),
    ]);
  for (const [bytes, encoding] of [
    [rows((i) => i === 3), 'utf-8'],
    [rows((i) => i !== 3), 'windows-1252'],
  ] as const) {
    await assert.rejects(readText('a.csv', bytes), failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 5 }));
    const { reviews, source, description } = await readText('a.csv', bytes, { skipBadRows: true });
    assert.deepEqual([reviews.length, source.dropped.malformed, description.encoding], [19, 1, encoding]);
    assert.ok(reviews.every((review) => review.startsWith('café ')));
  }
  await assert.rejects(
    readText('a.csv', 'text,label\nzero \0 byte,1\nfine,0\n'.padEnd(400, 'fine,0\n')),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 2 }),
  );
  // French capitals before quotes are Windows-1252, not UTF-8.
  const capitals = iconv.encode('text,label\n"AU «CAFÉ», déjà",1\nnon,0\n', 'windows-1252');
  assert.equal((await readText('a.csv', capitals)).reviews[0], 'AU «CAFÉ», déjà|positive');
});

test('bad rows: the error states line and content; skipped ones are counted and listed', async () => {
  const content = 'text,label\n"two\nlines",1\ngood,1\nbad,x,0\nonly\n"open,0\nfine,0\n';
  await assert.rejects(
    readText('a.csv', content),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 5, content: 'bad,x,0' }),
  );
  const { reviews, source } = await readText('a.csv', content, { skipBadRows: true });
  assert.deepEqual(reviews, ['two\nlines|positive', 'good|positive', 'fine|negative']);
  assert.equal(source.dropped.malformed, 3);
  assert.match(
    source.notes.join(),
    /line 5, has 3 values instead of 2; .*line 6, has 1 value instead of 2; .*line 7, has a quote/,
  );
});

test('rows that are divided between blocks of the file', async () => {
  const rows = Array.from({ length: 60_000 }, (_, i) => `"n${i} ${'é'.repeat(i % 50)}\r\nsecond",${i % 2}\r\n`);
  const { reviews } = await readText('a.csv', `text,label\r\n${rows.join('')}`);
  assert.equal(reviews.length, rows.length);
  reviews.forEach((review, i) =>
    assert.equal(review, `n${i} ${'é'.repeat(i % 50)}\nsecond|${i % 2 ? 'positive' : 'negative'}`),
  );
  const long = 'word '.repeat(500_000).trim();
  assert.deepEqual((await readText('a.csv', `text,label\n"${long}",1\nb,0\n`)).reviews, [
    `${long}|positive`,
    'b|negative',
  ]);
});

test('wrong quotes neither join rows nor leave parts of texts', async () => {
  const options = { skipBadRows: true };
  const joined = await readText(
    'a.csv',
    'text,label\n"Fine ""quote"", really\nyes",pos\n"Broken"",neg\n""next",pos\nlast,neg\n',
    options,
  );
  assert.deepEqual(joined.reviews, ['Fine "quote", really\nyes|pos', 'last|neg']);
  assert.equal(joined.source.dropped.malformed, 1);
  const rest = await readText('a.csv', 'text;label\ngood;pos\nopen"First line\nsecond line";neg\nlast;neg\n', options);
  assert.deepEqual([rest.reviews, rest.source.dropped.malformed], [['good|pos', 'last|neg'], 2]);
});

test('a column of codes, dates or addresses is no title of a text', async () => {
  const other: ((i: number) => string)[] = [
    (i) => `62894936988300083${i}`,
    (i) => `R-0000${i}`,
    (i) => `Mon Apr 0${i} 22:19:10 PDT 2009`,
    (i) => `https://example.com/reviews/of-a-product/${i}`,
    (i) => `user_${i}`,
  ];
  for (const value of other)
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [1, 2, 0],
    ]) {
      const rows = Array.from({ length: 8 }, (_, i) => {
        const cells = [value(i), String(i % 2), `a text of some words, number ${i}`];
        return order.map((c) => cells[c]).join('\t');
      });
      const { columns, reviews } = await readText('a.tsv', rows.join('\n'));
      const text = `column ${order.indexOf(2) + 1}`;
      assert.deepEqual([columns, reviews.length], [[[text], `column ${order.indexOf(1) + 1}`], 8], rows[0]);
    }
});

test('columns without names that are equally likely are an error that names them', async () => {
  const rows = Array.from({ length: 8 }, (_, i) => `${i % 2},${i % 3},a text of some words ${i}`).join('\n');
  await assert.rejects(
    readText('a.csv', rows),
    failure(ReviewsError, 'REVIEWS_COLUMNS_AMBIGUOUS', { labelColumns: ['column 1', 'column 2'] }),
  );
  const { columns } = await readText('a.csv', rows, { labelColumn: 'column 2' });
  assert.deepEqual(columns, [['column 3'], 'column 2']);
});

test('rarer names count if no column has a usual one; a name that occurs twice is ambiguous', async () => {
  const read = async (header: string) => (await readText('a.csv', `${header}\ngood,1,x\nbad,0,y\n`)).columns;
  assert.deepEqual(await read('phrase,category,id'), [['phrase'], 'category']);
  assert.deepEqual(await read('text,label,category'), [['text'], 'label']);
  await assert.rejects(
    read('text,label,text'),
    failure(ReviewsError, 'REVIEWS_COLUMNS_AMBIGUOUS', { textColumns: ['text', 'text (column 3)'] }),
  );
  await assert.rejects(
    readText('a.csv', 'text,label\ngood,1\nbad,0\n', { textColumns: ['text', 'label'], labelColumn: 'label' }),
    failure(SettingsError, 'SETTING_CONFLICT', { column: 'label' }),
  );
});

test('lines above the header are left out; a header that is repeated is a bad row', async () => {
  const table = 'Text,Stars\nGood,5\nBad,1\n';
  for (const above of ['Export of 2024-03-01\n\n', '# a comment\n# another\n', 'Reviews,\n']) {
    const { reviews, description } = await readText('a.csv', above + table);
    assert.deepEqual(reviews, ['Good|5', 'Bad|1'], above);
    assert.equal(description.linesAboveHeader, above.split('\n').filter(Boolean).length);
  }
  const several = await readText('a.csv', `Reviews of a shop, by us\nDate,2024-03-01\n${table}`);
  assert.deepEqual(several.reviews, ['Good|5', 'Bad|1']);
  const options = { textColumns: ['Kommentar'], labelColumn: 'Note' };
  const named = await readText('a.csv', 'Bewertungen 2024\n\nKommentar;Note\nGut;5\nSchlecht;1\n', options);
  assert.deepEqual(named.reviews, ['Gut|5', 'Schlecht|1']);
  await assert.rejects(
    readText('a.csv', table + table),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 4, content: 'Text,Stars' }),
  );
  const { reviews, source } = await readText('a.csv', table + table, { skipBadRows: true });
  assert.deepEqual([reviews.length, source.dropped.malformed], [4, 1]);
});

test('the numbers that pandas writes for columns without names are a header', async () => {
  const { reviews, description } = await readText(
    'a.csv',
    '0,1\nthis is fine,7\nthis was bad,8\nthis seems fine,7\nthis became bad,8\n',
  );
  assert.deepEqual([reviews[0], description.header], ['this is fine|7', true]);
});

test('quotes with backslashes, spaces after delimiters, and newlines of old Macs with LF in quotes', async () => {
  const quotes = await readText('a.csv', 'text,label\n"He said \\"good\\", really",1\n"plain",0\n');
  assert.deepEqual(quotes.reviews, ['He said "good", really|positive', 'plain|negative']);
  const spaces = await readText('a.csv', '"text", "label"\n"good, really", "yes"\n"bad", "no"\n');
  assert.deepEqual(spaces.reviews, ['good, really|yes', 'bad|no']);
  const mac = await readText('a.csv', 'text,label\r"good\n\n\n\nreally",1\rbad,0\r');
  assert.deepEqual(mac.reviews, ['good\n\n\n\nreally|positive', 'bad|negative']);
});

test('tabs and bars are delimiters rather than commas within texts; a line of prose is no header', async () => {
  const lines = (delimiter: string) =>
    Array.from({ length: 8 }, (_, i) => [i, `a text, with commas, number ${i}`, i % 2].join(delimiter)).join('\n');
  for (const [name, delimiter] of [
    ['a.tsv', '\t'],
    ['a.csv', '|'],
    ['a.txt', '|'],
  ] as const) {
    const { columns, description } = await readText(name, lines(delimiter));
    assert.deepEqual([columns, description.delimiter], [[['column 2'], 'column 3'], delimiter]);
  }
  const prose = await readText('a.txt', 'Overall, great phone\nNot for me, sorry\n', { labelsOptional: true });
  assert.deepEqual(prose.reviews, ['Overall, great phone|text', 'Not for me, sorry|text']);
});

test('delimiters by name; what cannot be one is rejected', async () => {
  const { reviews } = await readText('a.csv', 'text;label\nGood, really;1\nBad;0\n', { delimiter: 'semicolon' });
  assert.deepEqual(reviews, ['Good, really|positive', 'Bad|negative']);
  for (const delimiter of ['"', '\n', 'xyz'])
    await assert.rejects(
      readText('a.csv', 'text,label\na,1\n', { delimiter }),
      failure(SettingsError, 'SETTING_INVALID', { name: 'delimiter', value: delimiter }),
    );
});

test('a header with bytes that are not valid in the named encoding is an error that says so', async () => {
  const bytes = Buffer.from('Überschrift;Sterne\nGut;5\n', 'latin1');
  await assert.rejects(
    readText('a.csv', bytes, { encoding: 'utf-8', textColumns: ['Überschrift'], labelColumn: 'Sterne' }),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 1 }),
  );
});

test('a usual name that is a value of its column is no header', async () => {
  const rows = Array.from(
    { length: 8 },
    (_, i) => `${i % 2 ? 'Not recommended' : 'Recommended'}\ta text of some words ${i}`,
  );
  const { reviews, description } = await readText('a.tsv', rows.join('\n'));
  assert.deepEqual([reviews.length, description.header], [8, false]);
  const words = await readText('a.csv', 'comment\ngreat\ncomment\nfine\n', { labelsOptional: true });
  assert.deepEqual(words.reviews, ['great|text', 'comment|text', 'fine|text']);
});
