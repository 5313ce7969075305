// Folds of cross-validation: as even as those of scikit-learn's StratifiedGroupKFold (test/fixtures/folds.py), and reproducible.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ReviewsError } from '#lib/errors.js';
import { splitFold, stratifiedFolds } from '#lib/reviews/folds.js';
import { loadReviews } from 'tunebook';
import { fixtures } from '../checkout.js';
import { failure } from '../failure.js';

interface Case {
  name: string;
  folds: number;
  labels: number[];
  groups: number[];
  ofClass: number;
  ofSize: number;
}
const { cases } = JSON.parse(fs.readFileSync(path.join(fixtures, 'folds.json'), 'utf8')) as { cases: Case[] };

test('folds are as even as those of StratifiedGroupKFold, to one row if texts have copies; copies are in one fold', () => {
  assert.equal(cases.length, 5);
  for (const { name, folds, labels, groups, ofClass, ofSize } of cases) {
    const reviews = labels.map((label, i) => ({ text: `${i % 2 ? 'Text' : 'text '} ${groups[i]}`, label }));
    const foldOf = stratifiedFolds(reviews, folds, 42);
    const classes = Math.max(...labels) + 1;
    const count = (isCounted: (row: number) => boolean) => {
      const counts = new Array<number>(folds).fill(0);
      foldOf.forEach((fold, row) => isCounted(row) && counts[fold]!++);
      return counts;
    };
    const deviation = (counts: number[]) => {
      const share = counts.reduce((a, b) => a + b, 0) / folds;
      return Math.max(...counts.map((count) => Math.abs(count - share)));
    };
    const isUnique = name.startsWith('unique');
    const tolerance = isUnique ? 1e-9 : 1;
    const sizes = count(() => true);
    const byClass = Array.from({ length: classes }, (_, label) => count((row) => labels[row] === label));
    assert.ok(Math.max(...byClass.map(deviation)) <= ofClass + tolerance, `${name}: ${JSON.stringify(byClass)}`);
    assert.ok(deviation(sizes) <= ofSize + tolerance, `${name}: ${sizes.join(' ')}, scikit-learn ${ofSize}`);
    for (const group of new Set(groups))
      assert.equal(new Set(foldOf.filter((_, row) => groups[row] === group)).size, 1, `${name}: text ${group}`);
    if (isUnique)
      for (const counts of [...byClass, sizes])
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${name}: ${counts.join(' ')}`);
    assert.deepEqual(stratifiedFolds(reviews, folds, 42), foldOf);
    assert.notDeepEqual(stratifiedFolds(reviews, folds, 43), foldOf);
  }
});

test('over all folds each review is tested once, and no text is in two sets of a fold', () => {
  const reviews = Array.from({ length: 60 }, (_, i) => ({ text: `review ${i % 50}`, label: i % 3 ? 1 : 0 }));
  const tested: number[] = [];
  for (let number = 1; number <= 4; number++) {
    const { train, validation, test } = splitFold(reviews, { number, of: 4 }, { seed: 7 });
    assert.equal(train.length + validation.length + test.length, reviews.length);
    const textsOf = (part: { text: string }[]) => new Set(part.map(({ text }) => text));
    const parts = [train, validation, test].map(textsOf);
    assert.equal(new Set(parts.flatMap((part) => [...part])).size, parts[0]!.size + parts[1]!.size + parts[2]!.size);
    for (const review of test) {
      assert.deepEqual([review.text, review.label], [reviews[review.row!]!.text, reviews[review.row!]!.label]);
      tested.push(review.row!);
    }
  }
  assert.deepEqual(
    tested.sort((a, b) => a - b),
    [...reviews.keys()],
  );
});

test('the test split of a data set is left out; a class with fewer texts than folds is an error', async () => {
  const marked = Array.from({ length: 40 }, (_, i) => ({
    text: `review ${i}`,
    label: i % 2,
    split: i < 10 ? ('test' as const) : i < 20 ? ('validation' as const) : ('train' as const),
  }));
  const { train, validation, test } = splitFold(marked, { number: 1, of: 5 }, { seed: 1 });
  const rows = [train, validation, test].flat();
  assert.deepEqual([rows.length, test.length], [30, 6]);
  assert.ok(rows.every(({ text }) => Number(text.slice(7)) >= 10));

  const rare = Array.from({ length: 40 }, (_, i) => ({ text: `review ${i % 37}`, label: i % 37 < 4 ? 1 : 0 }));
  assert.throws(
    () => splitFold(rare, { number: 1, of: 5 }, { seed: 1, labelNames: ['bad', 'good'] }),
    failure(ReviewsError, 'REVIEWS_SMALL_CLASS', { label: 'good', texts: 4, folds: 5 }),
  );
  const first = await loadReviews('embedded', { fold: { number: 1, of: 5 } });
  const again = await loadReviews('embedded', { fold: { number: 1, of: 5 } });
  assert.deepEqual(first.test, again.test);
  assert.ok(Math.abs(first.test.length - 2985 / 5) < 2);
});
