// Values of columns other than the text: none is changed by reading, and each has a text for files without objects.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DateDay,
  Decimal,
  Dictionary,
  Field,
  Int32,
  Int64,
  List,
  makeData,
  makeVector,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  TimestampNanosecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { cellOf, parseExact, stringifyExact } from '#lib/reviews/exact-json.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { chunksOfFiles, readChunks, type Row } from '#lib/reviews/row-file.js';
import { writeFile } from './files.js';

/** All rows of a file, with all columns. */
async function readRows(name: string, content: string | Uint8Array): Promise<Row[]> {
  const source = await openReviews(writeFile(name, content), { labelsOptional: true, allColumns: true });
  const files = Object.values(source.splits).flat();
  const rows: Row[] = [];
  for await (const chunk of readChunks(
    chunksOfFiles(files),
    files.flatMap(({ columns }) => columns),
  ))
    rows.push(...chunk.rows);
  return rows;
}

const id = 570306133677760513n;

test('integers beyond 2^53 keep their digits in every form of JSON; other numbers are as usual', async () => {
  const row = `{"text": "Fine 12345678901234567890", "id": ${id}, "more": {"ids": [-${id}, 9007199254740991]}, "n": 1e20, "x": 2.50}`;
  const expected = { text: 'Fine 12345678901234567890', id, more: { ids: [-id, 2 ** 53 - 1] }, n: 1e20, x: 2.5 };
  const usual = '{"text": "Usual", "id": 1}';
  for (const [name, content] of [
    ['a.jsonl', `${row}\n${usual}\n`],
    ['a.json', `[${row},\n${usual}]`],
    ['a.json', `{"data": [${row}, ${usual}]}`],
    ['a.json', `${row.replaceAll('"', "'")}\n${usual.replaceAll('"', "'")}\n`],
  ] as const) {
    const [first, second] = await readRows(name, content);
    assert.deepEqual([first, second!['id']], [expected, 1], content);
  }
  // The last value of a key counts, as with JSON.parse.
  const [repeated] = await readRows('a.jsonl', `{"text": "Fine", "id": 1, "id": ${id}}\n${usual}\n`);
  assert.equal(repeated!['id'], id);
  assert.throws(() => parseExact(`{"id": ${id}`), SyntaxError);
});

test('Arrow: structs, lists, dictionaries, times and decimals become plain values', async () => {
  const struct = new Struct([new Field('a', new Int64()), new Field('when', new TimestampNanosecond())]);
  const nanoseconds = BigInt64Array.of(1_714_557_600_123_456_789n, -1n);
  const table = new Table({
    text: vectorFromArray(['Fine', 'Poor'], new Utf8()),
    meta: makeVector(
      makeData({
        type: struct,
        length: 2,
        nullCount: 0,
        children: [
          makeData({ type: new Int64(), data: BigInt64Array.of(id, 2n) }),
          makeData({ type: new TimestampNanosecond(), data: nanoseconds }),
        ],
      }),
    ),
    tags: vectorFromArray([['x', 'y'], null], new List(new Field('item', new Utf8()))),
    kind: vectorFromArray(['b', 'a'], new Dictionary(new Utf8(), new Int32())),
    when: makeVector({ type: new TimestampMicrosecond(), data: BigInt64Array.of(1_714_557_600_000_000n, -1n) }),
    day: makeVector({ type: new DateDay(), data: Int32Array.of(19_844, -1) }),
    price: makeVector({
      type: new Decimal(2, 10),
      data: Uint32Array.of(1230, 0, 0, 0, 2 ** 32 - 5, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1),
    }),
  });
  const expected = [
    {
      text: 'Fine',
      meta: { a: id, when: '2024-05-01T10:00:00.123456789Z' },
      tags: ['x', 'y'],
      kind: 'b',
      when: '2024-05-01T10:00:00.000Z',
      day: '2024-05-01',
      price: '12.30',
    },
    {
      text: 'Poor',
      meta: { a: 2n, when: '1969-12-31T23:59:59.999999999Z' },
      tags: null,
      kind: 'a',
      when: '1969-12-31T23:59:59.999999Z',
      day: '1969-12-31',
      price: '-0.05',
    },
  ];
  for (const kind of ['stream', 'file'] as const)
    assert.deepEqual(await readRows('a.arrow', tableToIPC(table, kind)), expected);
});

test('Parquet: times have all their digits, days have no time, decimals are not rounded', async () => {
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 5 },
    { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'when', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type: 'OPTIONAL' },
    { name: 'day', type: 'INT32', converted_type: 'DATE', repetition_type: 'OPTIONAL' },
    { name: 'count', type: 'INT64', repetition_type: 'REQUIRED' },
    { name: 'price', type: 'INT32', converted_type: 'DECIMAL', scale: 2, precision: 9, repetition_type: 'OPTIONAL' },
  ];
  const columnData = [
    { name: 'text', data: ['Fine', 'Poor'] },
    { name: 'when', data: [1_714_557_600_123_456n, null] },
    { name: 'day', data: [19_844, null] },
    { name: 'count', data: [id, 1n] },
    { name: 'price', data: [0.35, null] },
  ];
  assert.deepEqual(await readRows('a.parquet', Buffer.from(parquetWriteBuffer({ columnData, schema }))), [
    { text: 'Fine', when: '2024-05-01T10:00:00.123456Z', day: '2024-05-01', count: id, price: 0.35 },
    { text: 'Poor', when: null, day: null, count: 1n, price: null },
  ]);
});

test('a value in a cell: objects and lists as JSON, dates in ISO 8601, bytes in base64, integers exactly', () => {
  const day = new Date(Date.UTC(2024, 4, 1));
  for (const [value, cell] of [
    [{ a: [1, id], b: undefined }, `{"a":[1,${id}]}`],
    [['x', 'y'], '["x","y"]'],
    [{ image: Uint8Array.of(97, 98) }, '{"image":"YWI="}'],
    [Uint8Array.of(97, 98), 'YWI='],
    [day, '2024-05-01T00:00:00.000Z'],
    ['x', 'x'],
    [null, null],
    [id, id],
    [true, true],
  ] as const)
    assert.equal(cellOf(value), cell);
  assert.equal(
    stringifyExact({ id, when: day, text: 'a\nb', none: null }),
    `{"id":${id},"when":"2024-05-01T00:00:00.000Z","text":"a\\nb","none":null}`,
  );
});
