/**
 * The web page: prediction and word attributions of a review or a pair of texts, scoring of a CSV file, and a history. Text is always
 * inserted as text, never as markup.
 */
import {
  browserEngine,
  isMultiLabel,
  isRegression,
  serverEngine,
  type Engine,
  type Input,
  type ModelDescription,
  type Scored,
} from './engines.js';
import { decodeText, readCsv, scoreRows, writeCsv, type Table } from './csv.js';
import { isSentiment, leadText, legendText } from './wording.js';

declare const Plotly: {
  react: (element: HTMLElement, data: object[], layout: object, config: object) => Promise<void>;
};

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const review = element<HTMLTextAreaElement>('review');
const second = element<HTMLTextAreaElement>('pair');
const status = element('status');
const errorMessage = element('trouble');
const engineSelect = element<HTMLSelectElement>('engine');

const examples = [
  'The item came damanged, 1 star.',
  'Works as described and was easy to set up.',
  'Not bad at all, I would buy it again.',
  'It stopped working after two days, and the seller did not answer.',
];

const showStatus = (message: string) => (status.textContent = message);
const model = (await (await fetch('app/preprocessing.json')).json()) as ModelDescription;
element('lead').textContent = leadText(model);
element('length').textContent = `Texts are truncated to ${model.maxLength} tokens.`;
const engines: Record<string, Engine> = { server: serverEngine(model), browser: browserEngine(model, showStatus) };

const engine = (): Engine => engines[engineSelect.value]!;
const takesPairs = model.textPairColumn !== null;
for (const each of document.querySelectorAll<HTMLElement>('.of-pairs')) each.hidden = !takesPairs;
element('examples').hidden = takesPairs || !isSentiment(model);
if (takesPairs) {
  // transformers.js truncates the end of a pair, which is its second text, where the server truncates the longer text.
  element('run').hidden = true;
  element('review-label').textContent = 'First text';
}
const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
const isNumber = isRegression(model);
/** Whether several classes may apply. */
const hasSets = isMultiLabel(model);
/** A probability, or a predicted number. */
const describeScore = (score: number) => (isNumber ? score.toFixed(2) : percent(score));

/** Runs an action and shows its error, if any. */
async function runAction(action: () => Promise<void>): Promise<void> {
  errorMessage.textContent = '';
  try {
    await action();
  } catch (error) {
    errorMessage.textContent = (error as Error).message;
  } finally {
    showStatus('');
  }
}

/** Values of the chart, for redrawing it when the color scheme or the width changes. */
let shown: Scored | undefined;

async function drawChart(scored: Scored): Promise<void> {
  // A single number needs no chart.
  element('chart').hidden = isNumber;
  if (isNumber) return;
  shown = scored;
  const { labels: predicted, probabilities } = scored;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const names = Object.keys(probabilities).sort();
  const chart = element('chart');
  chart.setAttribute('aria-label', names.map((name) => `${name}: ${percent(probabilities[name]!)}`).join(', '));
  await Plotly.react(
    chart,
    [
      {
        type: 'bar',
        orientation: 'h',
        x: names.map((name) => probabilities[name]),
        y: names,
        text: names.map((name) => percent(probabilities[name]!)),
        textposition: 'auto',
        marker: { color: names.map((name) => (predicted.includes(name) ? color('--blue') : color('--line'))) },
        hoverinfo: 'skip',
      },
    ],
    {
      width: chart.clientWidth,
      height: 60 + 44 * names.length,
      margin: { l: 90, r: 28, t: 8, b: 36 },
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: 'DejaVu Sans, sans-serif', size: 13, color: color('--text') },
      xaxis: {
        range: [0, 1],
        tickformat: '.0%',
        tickvals: [0, 0.25, 0.5, 0.75, 1],
        gridcolor: color('--line'),
        fixedrange: true,
      },
      yaxis: { fixedrange: true },
    },
    { displayModeBar: false, responsive: false },
  );
}

const redraw = () => {
  if (shown) void drawChart(shown);
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('resize', redraw);

/** A word or whitespace of a text, and the decrease of the predicted class's probability, or of the number, without it. */
interface Attribution {
  piece: string;
  value: number;
}

/** Maximum number of words with an attribution; in a longer text, further words are not colored. */
const maxWords = 120;

/**
 * Computes word attributions by occlusion (Zeiler and Fergus, 2014): removes each word of a text once.
 * @param text one of the texts of the input
 * @param withText the input with another text in its place
 */
async function wordAttributions(
  text: string,
  withText: (text: string) => Input,
  { label, probabilities }: Scored,
): Promise<Attribution[]> {
  const pieces = text.match(/\s+|\S+/g) ?? [];
  const words = pieces.flatMap((piece, i) => (piece.trim() === '' ? [] : [i])).slice(0, maxWords);
  const score = probabilities[label]!;
  const withoutWord = words.map((word) => withText(pieces.filter((_, i) => i !== word).join('')));
  // A text of one word would become empty.
  const occluded = words.length > 1 ? await engine()(withoutWord) : [];
  const values = new Map(words.map((word, i) => [word, score - (occluded[i]?.probabilities[label] ?? score)]));
  return pieces.map((piece, i) => ({ piece, value: values.get(i) ?? 0 }));
}

/** @param largest the absolute value with the strongest color */
function showAttributions(paragraph: HTMLElement, attributions: Attribution[], largest: number): void {
  paragraph.replaceChildren(
    ...attributions.map(({ piece, value }) => {
      const span = document.createElement('span');
      span.textContent = piece;
      if (piece.trim() !== '') {
        const strength = Math.round((45 * Math.abs(value)) / largest);
        span.style.background = `color-mix(in srgb, var(${value >= 0 ? '--blue' : '--orange'}) ${strength}%, transparent)`;
        const size = isNumber ? Math.abs(value).toFixed(2) : `${(100 * Math.abs(value)).toFixed(1)} points`;
        span.title = `${value >= 0 ? '+' : '−'}${size}`;
      }
      return span;
    }),
  );
}

const shorten = (text: string) => (text.length > 120 ? `${text.slice(0, 120)} …` : text);

/** The predicted class, classes or number in words. */
function describePrediction({ label, labels, probabilities }: Scored): string {
  const described = (name: string) => `${name}, ${describeScore(probabilities[name]!)}`;
  if (!hasSets) return described(label);
  return labels.length > 0 ? labels.map(described).join('; ') : `no class (most probable: ${described(label)})`;
}

function addToHistory({ text, pair }: Input, prediction: string): void {
  element('nothing').hidden = true;
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = pair === undefined ? shorten(text) : `${shorten(text)} | ${shorten(pair)}`;
  button.addEventListener('click', () => {
    review.value = text;
    second.value = pair ?? '';
    void runAction(predict);
  });
  item.append(`${prediction}: `, button);
  element('history').prepend(item);
}

/**
 * The entered texts.
 * @throws Error with a message for the user if one is empty
 */
function enteredInput(): Input {
  const [text, pair] = [review, second].map((field) => field.value.trim()) as [string, string];
  if (text === '') {
    review.focus();
    throw new Error(`The ${takesPairs ? 'first text' : 'review'} is empty. Enter or paste it.`);
  }
  if (!takesPairs) return { text };
  if (pair === '') {
    second.focus();
    throw new Error('The second text is empty. Enter or paste it.');
  }
  return { text, pair };
}

async function predict(): Promise<void> {
  const input = enteredInput();
  const { text, pair } = input;
  showStatus('Predicting …');
  const [scored] = (await engine()([input])) as [Scored];
  const prediction = describePrediction(scored);
  element('prediction').textContent = prediction;
  element('result').hidden = false;
  await drawChart(scored);
  addToHistory(input, prediction);
  // Of several classes, the attributions are of the most probable one.
  if (hasSets) element('words-title').textContent = `Word attributions of ${scored.label}`;
  element('legend').textContent = legendText(model, scored.label);
  showStatus('Computing word attributions …');
  const ofText = await wordAttributions(text, (each) => ({ ...input, text: each }), scored);
  const ofPair = pair === undefined ? [] : await wordAttributions(pair, (each) => ({ ...input, pair: each }), scored);
  // One scale for both texts of a pair.
  const largest = Math.max(0.02, ...[...ofText, ...ofPair].map(({ value }) => Math.abs(value)));
  showAttributions(element('words'), ofText, largest);
  showAttributions(element('pair-words'), ofPair, largest);
}

element('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  void runAction(predict);
});
element('ask').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void runAction(predict);
  }
});
element('examples').replaceChildren(
  ...examples.map((text) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.addEventListener('click', () => {
      review.value = text;
      void runAction(predict);
    });
    return button;
  }),
);

let table: Table | undefined;
const column = element<HTMLSelectElement>('column');
const pairColumn = element<HTMLSelectElement>('pair-column');
const scoreButton = element<HTMLButtonElement>('score');
const download = element<HTMLAnchorElement>('download');

element<HTMLInputElement>('file').addEventListener('change', (event) => {
  const [file] = (event.target as HTMLInputElement).files ?? [];
  if (!file) return;
  void runAction(async () => {
    download.hidden = element('progress').hidden = true;
    element('counts').textContent = '';
    scoreButton.disabled = column.disabled = pairColumn.disabled = true;
    for (const select of [column, pairColumn]) select.replaceChildren();
    const text = decodeText(new Uint8Array(await file.arrayBuffer()));
    table = readCsv(text, hasSets ? model.labels : undefined);
    const { columns } = table;
    const { textColumns: trained } = model;
    const hasTrained = trained.length > 0 && trained.every((name) => columns.includes(name));
    const choices = [...(hasTrained && trained.length > 1 ? [trained] : []), ...columns.map((name) => [name])];
    column.replaceChildren(
      ...choices.map((names) => {
        const isSelected = hasTrained
          ? names.join('\n') === trained.join('\n')
          : /text|review|content|sentence|body/i.test(names[0]!);
        return new Option(names.join(', '), JSON.stringify(names), isSelected, isSelected);
      }),
    );
    pairColumn.replaceChildren(
      ...columns.map((name) => new Option(name, name, name === model.textPairColumn, name === model.textPairColumn)),
    );
    scoreButton.disabled = column.disabled = pairColumn.disabled = false;
    element('counts').textContent = `${table.rows.length.toLocaleString('en')} rows`;
  });
});

scoreButton.addEventListener('click', () => {
  void runAction(async () => {
    const bar = element<HTMLProgressElement>('progress');
    bar.hidden = false;
    scoreButton.disabled = true;
    try {
      const { rows, counts, withoutClass } = await scoreRows(
        table!,
        { text: JSON.parse(column.value) as string[], ...(takesPairs && { pair: pairColumn.value }) },
        engine(),
        hasSets ? model.labels : undefined,
        (fraction) => (bar.value = fraction),
      );
      download.href = URL.createObjectURL(
        new Blob([writeCsv(table!, rows, hasSets ? model.labels : undefined)], { type: 'text/csv' }),
      );
      download.download = 'scored.csv';
      download.hidden = false;
      element('counts').textContent = [
        ...Object.entries(counts),
        ...(hasSets ? ([['no class', withoutClass]] as const) : []),
      ]
        .map(([label, count]) => `${label}: ${count.toLocaleString('en')}`)
        .join(', ');
    } finally {
      scoreButton.disabled = false;
    }
  });
});
