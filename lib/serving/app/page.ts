/** The page: a review and its verdict, what pulled it, a file of reviews, and what was asked so far. Text is set as text, never as markup. */
import { browserEngine, serverEngine, type Engine, type Shares } from './engines.js';
import { readCsv, scoreRows, writeCsv, type Table } from './csv.js';

declare const Plotly: {
  react: (element: HTMLElement, data: object[], layout: object, config: object) => Promise<void>;
};

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const review = element<HTMLTextAreaElement>('review');
const status = element('status');
const trouble = element('trouble');
const choice = element<HTMLSelectElement>('engine');

const examples = [
  'The item came damanged, 1 star.',
  'Works as described and was easy to set up.',
  'Not bad at all, I would buy it again.',
  'It stopped working after two days, and the seller did not answer.',
];

const say = (words: string) => (status.textContent = words);
const engines: Record<string, Engine> = { server: serverEngine, browser: browserEngine(say) };
const engine = () => engines[choice.value]!;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const likeliest = (shares: Shares): [string, number] =>
  Object.entries(shares).reduce((best, each) => (each[1] > best[1] ? each : best));

/** Runs something that may fail, and says so when it does. */
async function attempt(work: () => Promise<void>): Promise<void> {
  trouble.textContent = '';
  try {
    await work();
  } catch (error) {
    trouble.textContent = (error as Error).message;
  } finally {
    say('');
  }
}

/** What the chart shows, to be drawn anew in other colours and widths. */
let shown: Shares | undefined;

async function drawShares(shares: Shares): Promise<void> {
  shown = shares;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const names = Object.keys(shares).sort();
  const chart = element('chart');
  chart.setAttribute('aria-label', names.map((name) => `${name}: ${percent(shares[name]!)}`).join(', '));
  await Plotly.react(
    chart,
    [
      {
        type: 'bar',
        orientation: 'h',
        x: names.map((name) => shares[name]),
        y: names,
        text: names.map((name) => percent(shares[name]!)),
        textposition: 'auto',
        marker: { color: names.map((name) => (name === likeliest(shares)[0] ? colour('--blue') : colour('--line'))) },
        hoverinfo: 'skip',
      },
    ],
    {
      width: chart.clientWidth,
      height: 60 + 44 * names.length,
      margin: { l: 90, r: 28, t: 8, b: 36 },
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: 'DejaVu Sans, sans-serif', size: 13, color: colour('--text') },
      xaxis: {
        range: [0, 1],
        tickformat: '.0%',
        tickvals: [0, 0.25, 0.5, 0.75, 1],
        gridcolor: colour('--line'),
        fixedrange: true,
      },
      yaxis: { fixedrange: true },
    },
    { displayModeBar: false, responsive: false },
  );
}

const redraw = () => {
  if (shown) void drawShares(shown);
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('resize', redraw);

/** Words that are looked at one by one; of a longer text the others stay uncoloured. */
const mostWords = 120;

/** Each word left out once (occlusion; Zeiler and Fergus, 2014): how much less likely the verdict is without it. */
async function pulls(text: string, shares: Shares): Promise<{ piece: string; pull: number }[]> {
  const pieces = text.match(/\s+|\S+/g) ?? [];
  const words = pieces.flatMap((piece, i) => (piece.trim() === '' ? [] : [i])).slice(0, mostWords);
  const [label, score] = likeliest(shares);
  const without = words.map((at) => pieces.filter((_, i) => i !== at).join(''));
  const found = words.length > 1 ? await engine()(without) : [];
  const pull = new Map(words.map((at, i) => [at, score - (found[i]?.[label] ?? score)]));
  return pieces.map((piece, i) => ({ piece, pull: pull.get(i) ?? 0 }));
}

function showPulls(parts: { piece: string; pull: number }[]): void {
  const largest = Math.max(0.02, ...parts.map(({ pull }) => Math.abs(pull)));
  element('words').replaceChildren(
    ...parts.map(({ piece, pull }) => {
      const span = document.createElement('span');
      span.textContent = piece;
      if (piece.trim() !== '') {
        const strength = Math.round((70 * Math.abs(pull)) / largest);
        span.style.background = `color-mix(in srgb, var(${pull >= 0 ? '--blue' : '--orange'}) ${strength}%, transparent)`;
        span.title = `${pull >= 0 ? '+' : '−'}${(100 * Math.abs(pull)).toFixed(1)} points`;
      }
      return span;
    }),
  );
}

function remember(text: string, label: string, score: number): void {
  element('nothing').hidden = true;
  const item = document.createElement('li');
  const again = document.createElement('button');
  again.type = 'button';
  again.textContent = text.length > 120 ? `${text.slice(0, 120)} …` : text;
  again.addEventListener('click', () => {
    review.value = text;
    void attempt(judge);
  });
  item.append(`${label}, ${percent(score)}: `, again);
  element('history').prepend(item);
}

async function judge(): Promise<void> {
  const text = review.value.trim();
  if (text === '') {
    review.focus();
    throw new Error('Write or paste a review first.');
  }
  say('Judging …');
  const [shares] = (await engine()([text])) as [Shares];
  const [label, score] = likeliest(shares);
  element('verdict').textContent = `${label}, ${percent(score)}`;
  element('result').hidden = false;
  await drawShares(shares);
  remember(text, label, score);
  say('Looking at each word …');
  showPulls(await pulls(text, shares));
}

element('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(judge);
});
review.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void attempt(judge);
  }
});
element('examples').replaceChildren(
  ...examples.map((text) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.addEventListener('click', () => {
      review.value = text;
      void attempt(judge);
    });
    return button;
  }),
);

let table: Table | undefined;
const column = element<HTMLSelectElement>('column');
const scoreButton = element<HTMLButtonElement>('score');
const download = element<HTMLAnchorElement>('download');

element<HTMLInputElement>('file').addEventListener('change', (event) => {
  const [file] = (event.target as HTMLInputElement).files ?? [];
  if (!file) return;
  void attempt(async () => {
    download.hidden = element('progress').hidden = true;
    element('counts').textContent = '';
    scoreButton.disabled = column.disabled = true;
    table = readCsv(await file.text());
    column.replaceChildren(
      ...table.columns.map((name) => {
        const option = document.createElement('option');
        option.value = option.textContent = name;
        option.selected = /text|review|content|sentence|body/i.test(name);
        return option;
      }),
    );
    scoreButton.disabled = column.disabled = false;
    element('counts').textContent = `${table.rows.length.toLocaleString('en')} rows`;
  });
});

scoreButton.addEventListener('click', () => {
  void attempt(async () => {
    const bar = element<HTMLProgressElement>('progress');
    bar.hidden = false;
    scoreButton.disabled = true;
    try {
      const { rows, counts } = await scoreRows(table!, column.value, engine(), (share) => (bar.value = share));
      download.href = URL.createObjectURL(new Blob([writeCsv(table!, rows)], { type: 'text/csv' }));
      download.download = 'scored.csv';
      download.hidden = false;
      element('counts').textContent = Object.entries(counts)
        .map(([label, count]) => `${label}: ${count.toLocaleString('en')}`)
        .join(', ');
    } finally {
      scoreButton.disabled = false;
    }
  });
});
