/** An inspection in words: findings, and sections with tables, for a terminal and as an HTML page with figures. */
import { classBalanceFigure } from '../figures/class-balance.js';
import type { Figure } from '../figures/figure.js';
import { percent } from '../figures/format.js';
import { htmlPage, picture, section } from '../figures/html-page.js';
import { escapeHtml, tableBundle, type TableRow } from '../figures/html-table.js';
import { lengthHistogramFigure } from '../figures/length-histogram.js';
import { renderPng } from '../figures/render.js';
import { wordAssociationsFigure } from '../figures/word-associations.js';
import { describeTruncation } from '../quality/text-lengths.js';
import { describeVocabularyFit } from '../quality/vocabulary-fit.js';
import type { SplitName } from '../hub/dataset.js';
import { groupBy } from '../reviews/group.js';
import { joinedText, type Review } from '../reviews/review.js';
import { wordAssociations } from '../reviews/word-associations.js';
import { settingText } from '../settings/setting-text.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Inspection, InspectedReviews, LabelErrors } from './inspection.js';

const count = (value: number) => value.toLocaleString('en');

/** A number and a noun: 1 text, 2 texts. */
const counted = (value: number, noun: string) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Fraction of the reviews below which a class is called rare. */
const rareClass = 0.1;

/** Fraction of near-duplicates below which they hardly change the measured accuracy. */
const fewNearDuplicates = 0.01;

/** Fraction of texts without damage, HTML or truncation at which these are mentioned only in their sections. */
const fewTexts = 0.01;

/**
 * Minimum skill of a model whose predictions say something about labels: the fraction of the errors of always predicting
 * the most frequent class that it avoids.
 */
const minSkill = 0.4;

/** Whether a model is good enough to judge labels. */
function canJudge({ classes, reviews }: Inspection, { agreement }: LabelErrors): boolean {
  const majority = Math.max(...classes.map(({ rows }) => rows)) / reviews;
  return agreement - majority >= minSkill * (1 - majority);
}

/**
 * Lists what to look at before training, a sentence each, the most serious first; empty if nothing is wrong.
 */
export function findingsOf(inspection: Inspection): string[] {
  const { vocabulary, lengths, duplicates, nearDuplicates, damage, labelErrors, leakingWords, leakingColumns } =
    inspection;
  const { classes, reviews, labelProblem, splitProblem } = inspection;
  const className = (label: number) => classes[label]!.name;
  const findings: (string | undefined)[] = [
    labelProblem === undefined ? undefined : `The reviews cannot be used for fine-tuning. ${labelProblem}`,
    splitProblem === undefined ? undefined : `The reviews cannot be used for training. ${splitProblem}`,
    describeVocabularyFit(vocabulary),
  ];
  for (const { column, classes: given } of leakingColumns)
    findings.push(
      `The column '${column}' gives the label away (${given.map(({ label, coverage }) => `${percent(coverage)} of ${className(label)}`).join(', ')}). Do not use it as text.`,
    );
  if (leakingWords.length > 0) {
    const words = leakingWords.slice(0, 5).map(({ word, label }) => `'${word}' (${className(label)})`);
    findings.push(
      `${leakingWords.length === 1 ? 'A word gives' : 'Words give'} the label away: ${words.join(', ')}. Remove ${leakingWords.length === 1 ? 'it' : 'them'} if texts to score do not contain ${leakingWords.length === 1 ? 'it' : 'them'}.`,
    );
  }
  for (const { split, other, rows } of duplicates.acrossSplits)
    findings.push(
      `${counted(rows, `${split} row`)} ${rows === 1 ? 'has' : 'have'} a text that is also in ${other}; ${rows === 1 ? 'it is' : 'they are'} left out.`,
    );
  if (nearDuplicates && nearDuplicates.count > fewNearDuplicates * nearDuplicates.heldOut)
    findings.push(
      `${count(nearDuplicates.count)} of ${counted(nearDuplicates.heldOut, 'validation and test review')} (${percent(nearDuplicates.count / nearDuplicates.heldOut)}) are almost equal to a training review; the measured accuracy will be too high.`,
    );
  if (duplicates.conflicting > 0)
    findings.push(
      `${counted(duplicates.conflicting, 'text')} ${duplicates.conflicting === 1 ? 'occurs' : 'occur'} with different labels.`,
    );
  for (const { damage: kind, texts } of damage)
    if (kind.startsWith('replacement') || kind.startsWith('UTF-8') || texts > fewTexts * reviews)
      findings.push(`${counted(texts, 'text')} ${texts === 1 ? 'contains' : 'contain'} ${kind}.`);
  const rare = classes.filter(({ rows }) => rows < rareClass * reviews);
  if (rare.length > 0 && rareClass * classes.length < 1)
    findings.push(
      `Rare: ${rare.map(({ name, rows }) => `${name} with ${count(rows)} rows (${percent(rows / reviews)})`).join(', ')}. Look at the recall of each class, not only at the accuracy.`,
    );
  const { truncation } = lengths;
  if (truncation.truncated > fewTexts * reviews) findings.push(describeTruncation(truncation));
  for (const result of labelErrors) {
    const { count: errors, reviews: predicted, model } = result;
    if (errors > 0 && canJudge(inspection, result))
      findings.push(
        `${count(errors)} of ${counted(predicted, 'label')} may be wrong (${percent(errors / predicted)}), according to: ${model}.`,
      );
  }
  return findings.filter((finding) => finding !== undefined);
}

/** A part of the report. */
interface Section {
  title: string;
  /** Sentences before the table. */
  text: string[];
  table?: TableRow[];
  /** Number of rows that the table is the beginning of. @default its own */
  total?: number;
  figure?: Figure;
}

/** States that a table is only the beginning of a list. */
const shownOf = (shown: number, total: number): string[] =>
  shown > 0 && shown < total ? [`The first ${shown} of ${count(total)}:`] : [];

const classSection = ({ classes, reviews, splits }: Inspection, all: Review[]): Section => {
  const splitNames = (['train', 'validation', 'test'] as SplitName[]).filter((name) => splits[name]);
  const majority = Math.max(...classes.map(({ rows }) => rows));
  return {
    title: 'Classes',
    text: [`Always predicting the most frequent class would be right in ${percent(majority / reviews)} of the cases.`],
    table: classes.map(({ name, rows, splits: inSplits }) => ({
      class: name,
      rows: count(rows),
      fraction: percent(rows / reviews),
      ...(splitNames.length > 1 && Object.fromEntries(splitNames.map((split) => [split, count(inSplits[split] ?? 0)]))),
    })),
    figure: classBalanceFigure(
      Object.fromEntries(groupBy(all, ({ split = 'train' }) => split)),
      classes.map(({ name }) => name),
    ),
  };
};

const lengthSection = ({ lengths }: Inspection, all: Review[], tokenizer: Tokenizer): Section => ({
  title: 'Lengths',
  text: [
    describeTruncation(lengths.truncation) ??
      `No text is truncated: all have at most ${lengths.truncation.maxLength} tokens (${settingText('maxLength')}).`,
  ],
  table: (['words', 'tokens'] as const).map((unit) => {
    const { min, median, mean, p90, p99, max } = lengths[unit];
    return { length: unit, min, median, mean: Number(mean.toFixed(1)), '90 %': p90, '99 %': p99, max };
  }),
  figure: lengthHistogramFigure(all.map((review) => tokenizer.countTokens(review))),
});

const vocabularySection = ({ vocabulary }: Inspection): Section => ({
  title: 'Language',
  text: [
    describeVocabularyFit(vocabulary) ??
      `The texts fit the model's vocabulary: it contains ${percent(vocabulary.knownWords)} of their words as single tokens.`,
  ],
});

const duplicateSection = ({ duplicates, classes }: Inspection): Section => ({
  title: 'Duplicates',
  text: [
    duplicates.copies === 0
      ? 'No text occurs more than once.'
      : `${counted(duplicates.texts, 'text')} ${duplicates.texts === 1 ? 'occurs' : 'occur'} more than once: ${counted(duplicates.copies, 'row')} ${duplicates.copies === 1 ? 'repeats' : 'repeat'} an earlier one. ` +
        `${duplicates.conflicting === 0 ? 'None has' : `${count(duplicates.conflicting)} of them ${duplicates.conflicting === 1 ? 'has' : 'have'}`} different labels. Copies of a text stay in one split.`,
    ...duplicates.acrossSplits.map(
      ({ split, other, rows }) =>
        `${counted(rows, `${split} row`)} with a text that is also in ${other}; training leaves ${rows === 1 ? 'it' : 'them'} out.`,
    ),
  ],
  total: duplicates.texts,
  table: [...new Set([...duplicates.conflictingExamples, ...duplicates.examples])].map(({ text, rows, labels }) => ({
    rows,
    ...(classes.length > 0 && { labels: labels.map((label) => classes[label]!.name).join(', ') }),
    text,
  })),
});

const nearDuplicateSection = ({ nearDuplicates }: Inspection): Section[] =>
  nearDuplicates
    ? [
        {
          title: 'Near-duplicates across splits',
          text: [
            nearDuplicates.count === 0
              ? 'No validation or test review is almost equal to a training review.'
              : `${count(nearDuplicates.count)} of ${counted(nearDuplicates.heldOut, 'validation and test review')} ` +
                `(${percent(nearDuplicates.count / nearDuplicates.heldOut)}) ${nearDuplicates.count === 1 ? 'is' : 'are'} almost equal to a training review.`,
          ],
          total: nearDuplicates.count,
          table: nearDuplicates.examples.map(({ split, review, training, similarity }) => ({
            similarity: percent(similarity),
            split,
            text: joinedText(review),
            'training text': joinedText(training),
          })),
        },
      ]
    : [];

const damageSection = ({ damage, reviews }: Inspection): Section => ({
  title: 'Damaged texts',
  text: damage.length === 0 ? ['No damage was found: no replacement characters, no wrong encoding, no HTML.'] : [],
  table: damage.map(({ damage: kind, texts, example }) => ({
    damage: kind,
    texts: count(texts),
    fraction: percent(texts / reviews),
    example,
  })),
});

function describeLabelErrors(inspection: Inspection, result: LabelErrors): string {
  const { agreement, reviews, count: errors } = result;
  const observed = `The predictions equal ${percent(agreement)} of ${counted(reviews, 'label')}.`;
  if (!canJudge(inspection, result)) return `${observed} The model is too weak to judge labels.`;
  if (errors === 0) return `${observed} No label is probably wrong.`;
  return (
    `${observed} ${count(errors)} ${errors === 1 ? 'label is' : 'labels are'} probably wrong, or hard to predict ` +
    '(confident learning). Read them before you change or remove any.'
  );
}

const labelErrorSections = (inspection: Inspection): Section[] =>
  inspection.labelErrors.map((result) => ({
    title: `Probable label errors (${result.model})`,
    text: [describeLabelErrors(inspection, result)],
    total: result.count,
    table: (canJudge(inspection, result) ? result.examples : []).map(({ review, label, suggested, probability }) => ({
      label: inspection.classes[label]!.name,
      predicted: inspection.classes[suggested]!.name,
      probability: probability.toFixed(2),
      text: review,
    })),
  }));

const leakageSection = ({ leakingWords, leakingColumns, classes }: Inspection): Section => ({
  title: 'Leakage',
  text: leakingWords.length + leakingColumns.length === 0 ? ['No word and no other column gives the label away.'] : [],
  table: [
    ...leakingColumns.flatMap(({ column, classes: given }) =>
      given.map((giveaway) => ({ what: `column ${column}`, ...giveaway })),
    ),
    ...leakingWords.map(({ word, ...giveaway }) => ({ what: `'${word}'`, ...giveaway })),
  ].map(({ what, label, rows, precision, coverage, information }) => ({
    what,
    class: classes[label]!.name,
    rows: count(rows),
    precision: percent(precision),
    'of the class': percent(coverage),
    information: `${information.toFixed(2)} bits`,
  })),
});

/** All sections; the word associations have only a figure. */
function sectionsOf({ inspection, reviews }: InspectedReviews, tokenizer: Tokenizer): Section[] {
  const { classes } = inspection;
  const labeled = classes.length > 0;
  return [
    ...(labeled ? [classSection(inspection, reviews)] : []),
    lengthSection(inspection, reviews, tokenizer),
    vocabularySection(inspection),
    duplicateSection(inspection),
    ...nearDuplicateSection(inspection),
    damageSection(inspection),
    ...(inspection.labelErrors.length > 0 ? [leakageSection(inspection)] : []),
    ...labelErrorSections(inspection),
    ...(classes.filter(({ rows }) => rows > 0).length === 2 && classes.length === 2
      ? [
          {
            title: 'Words of each class',
            text: [],
            figure: wordAssociationsFigure(
              wordAssociations(reviews),
              classes.map(({ name }) => name),
            ),
          },
        ]
      : []),
  ];
}

/** What was read, in one paragraph. */
function describeRead({ name, read, totalRows, reviews, splits }: Inspection): string {
  const parts = Object.entries(splits).map(([split, rows]) => `${count(rows)} ${split}`);
  return (
    `${name}: ${counted(reviews, 'review')}${reviews < totalRows ? ` of ${counted(totalRows, 'row')}` : ''}` +
    `${parts.length > 1 ? ` (${parts.join(', ')})` : ''}. ${read.join(' ')}`
  );
}

/** Characters of a line in the terminal, of a cell in the HTML page, and rows of a table in the terminal. */
const [lineWidth, cellWidth, terminalRows] = [96, 400, 5];

const shortened = (text: string, width: number) => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
};

/** Shortens the widest columns of a table until its lines fit. */
function fitted(rows: TableRow[]): TableRow[] {
  const columns = Object.keys(rows[0] ?? {});
  const texts = rows.map((row) => columns.map((column) => shortened(String(row[column] ?? ''), lineWidth)));
  const widths = columns.map((column, i) => Math.max(column.length, ...texts.map((row) => row[i]!.length)));
  const space = lineWidth - 2 * (columns.length - 1);
  while (widths.reduce((sum, width) => sum + width, 0) > space) widths[widths.indexOf(Math.max(...widths))]!--;
  return texts.map((row) => Object.fromEntries(columns.map((column, i) => [column, shortened(row[i]!, widths[i]!)])));
}

/** Breaks a text into lines, with an indentation from the second line. */
function wrapped(text: string, indentation = ''): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line.length + word.length + 1 > lineWidth) lines.push(`${indentation}${word}`);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

const nothingFound = ({ skipped }: Inspection) =>
  skipped.length === 0 ? 'No problem was found.' : 'No problem was found in what was checked.';

/**
 * Formats an inspection for a terminal, in lines of at most 96 characters.
 */
export function inspectionText(inspected: InspectedReviews, tokenizer: Tokenizer): string {
  const { inspection } = inspected;
  const findings = findingsOf(inspection);
  const blocks = [
    wrapped(describeRead(inspection)),
    findings.length > 0
      ? ['To look at before training:', ...findings.map((finding) => wrapped(`- ${finding}`, '  '))].join('\n')
      : nothingFound(inspection),
    ...inspection.skipped.map((reason) => wrapped(`Not checked. ${reason}`)),
    ...sectionsOf(inspected, tokenizer)
      .filter(({ text, table = [] }) => text.length + table.length > 0)
      .map(({ title, text, table = [], total = table.length }) => {
        const shown = table.slice(0, title === 'Classes' ? table.length : terminalRows);
        return [
          title.toUpperCase(),
          ...text.map((line) => wrapped(line)),
          ...shownOf(shown.length, total),
          ...(shown.length > 0 ? [tableBundle(fitted(shown))['text/plain']] : []),
        ].join('\n');
      }),
  ];
  return blocks.join('\n\n');
}

/**
 * Formats an inspection as a page in a single file without scripts; figures are embedded as PNG.
 */
export async function inspectionPage(inspected: InspectedReviews, tokenizer: Tokenizer): Promise<string> {
  const { inspection } = inspected;
  const findings = findingsOf(inspection);
  const paragraphs = (lines: string[]) => lines.map((line) => `<p>${escapeHtml(line)}</p>`);
  const parts = [
    ...paragraphs([describeRead(inspection)]),
    findings.length > 0
      ? `<div class="trouble"><p>To look at before training:</p><ul>${findings.map((finding) => `<li>${escapeHtml(finding)}</li>`).join('')}</ul></div>`
      : `<p class="headline">${nothingFound(inspection)}</p>`,
    ...paragraphs(inspection.skipped.map((reason) => `Not checked. ${reason}`)),
  ];
  for (const { title, text, table = [], total = table.length, figure } of sectionsOf(inspected, tokenizer)) {
    const rows = table.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          typeof value === 'string' ? shortened(value, cellWidth) : value,
        ]),
      ),
    );
    parts.push(
      section(
        title,
        ...paragraphs(text),
        ...(figure ? [picture(await renderPng(figure), figure.description, title)] : []),
        ...paragraphs(shownOf(rows.length, total)),
        ...(rows.length > 0 ? [tableBundle(rows)['text/html']] : []),
      ),
    );
  }
  return htmlPage(`Inspection of ${inspection.name}`, parts);
}
