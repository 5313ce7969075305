/**
 * Labeling below a notebook's cell: each label is stored at once in a file beside the notebook, through the Jupyter server from which
 * the page comes. Elsewhere (VS Code, a notebook as HTML) the user downloads the file. Bundled into the output by
 * lib/notebook/label-reviews.ts.
 */
import type { LabelingTask } from '../labeling-task.js';
import { create } from './element.js';
import { Labeling } from './labeling.js';

/** A file of the Jupyter server. */
interface StoredFile {
  last_modified: string;
  content: string | null;
}

/** A text as a field of a CSV file, see RFC 4180. */
const field = (text: string) => `"${text.replaceAll('"', '""')}"`;

const csvOf = ({ reviews, labels, own }: LabelingTask) =>
  `text,label\n${own.map((label, row) => `${field(reviews[row]!.text)},${field(labels[label]!)}\n`).join('')}`;

/** The server stores a file as it is, but some versions return the ends of its lines in one form. */
const isSame = (a: string, b: string) => a.replaceAll('\r\n', '\n') === b.replaceAll('\r\n', '\n');

const changedError = (file: string) =>
  new Error(`${file} has changed since this output was made, so that nothing more is stored from here.`);

/** Requests to the Jupyter server of the page; undefined if the page comes from elsewhere. */
function jupyterServer(): ((path: string, init?: RequestInit) => Promise<unknown>) | undefined {
  const content = document.getElementById('jupyter-config-data')?.textContent;
  if (!content) return undefined;
  const { baseUrl, token } = JSON.parse(content) as { baseUrl: string; token?: string };
  const crossSiteToken = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  return async (path, init = {}) => {
    const response = await fetch(`${baseUrl}api/${path}`, {
      ...init,
      cache: 'no-store',
      headers: {
        'Content-Type': 'application/json',
        ...(crossSiteToken && { 'X-XSRFToken': crossSiteToken }),
        ...(token && { Authorization: `token ${token}` }),
      },
    });
    if (!response.ok) throw new Error(`The Jupyter server answers ${response.status} ${response.statusText}.`);
    return (await response.json()) as unknown;
  };
}

/** Stores the labels beside the notebook. */
class LabelFile {
  #lastModified = '';

  private constructor(
    readonly request: NonNullable<ReturnType<typeof jupyterServer>>,
    readonly path: string,
  ) {}

  /** Finds the file on the server. @returns undefined if the page does not come from the server of the notebook */
  static async open({ notebook, file, content }: LabelingTask): Promise<LabelFile | undefined> {
    const request = jupyterServer();
    if (!request || notebook === undefined) return undefined;
    // The server names a notebook by its path below the folder that it serves.
    const sessions = (await request('sessions')) as { path: string }[];
    const isIn = (long: string, short: string) => `/${long}`.endsWith(`/${short}`);
    const [found, ...others] = new Set(
      sessions.flatMap(({ path }) => (isIn(path, notebook) || isIn(notebook, path) ? [path] : [])),
    );
    if (found === undefined || others.length > 0) return undefined;
    // An address, so that `..` is resolved.
    const escaped = (path: string) => path.split('/').map(encodeURIComponent).join('/');
    const address = new URL(escaped(file), `http://server/${escaped(found)}`);
    const opened = new LabelFile(request, `contents${address.pathname}`);
    const stored = await opened.#get(1);
    if (!isSame(stored.content!, content)) throw changedError(file);
    opened.#lastModified = stored.last_modified;
    return opened;
  }

  #get(content: 0 | 1): Promise<StoredFile> {
    return this.request(`${this.path}?type=file&format=text&content=${content}`) as Promise<StoredFile>;
  }

  /** Stores the labels. @throws Error with a message for the user if something else has changed the file */
  async save(task: LabelingTask): Promise<void> {
    const { last_modified } = await this.#get(0);
    if (last_modified !== this.#lastModified) throw changedError(task.file);
    const body = JSON.stringify({ type: 'file', format: 'text', content: csvOf(task) });
    this.#lastModified = ((await this.request(this.path, { method: 'PUT', body })) as StoredFile).last_modified;
  }
}

/** Shows what happens with the labels: where they are stored, a link to download them, or why they cannot be stored. */
function start(output: HTMLElement): void {
  const task = JSON.parse(output.querySelector('script[type="application/json"]')!.textContent) as LabelingTask;
  const status = create('p', { className: 'hint' });
  status.setAttribute('role', 'status');
  const trouble = create('p', { className: 'trouble' });
  trouble.setAttribute('role', 'alert');

  const showDownload = () => {
    const blob = new Blob([csvOf(task)], { type: 'text/csv' });
    const link = create(
      'a',
      { href: URL.createObjectURL(blob), download: task.file.split('/').at(-1)! },
      'Download them',
    );
    status.replaceChildren(
      'Labels cannot be stored from this page. ',
      link,
      ` when you have finished, and put the file at ${task.file}.`,
    );
  };
  const stop = (error: unknown) => {
    trouble.textContent = `${(error as Error).message} Run the cell again to continue; after a restart of the kernel, all cells from the first one.`;
    labeling.element.inert = true;
    status.textContent = '';
  };
  // One change after the other; what was labeled meanwhile is stored with it.
  let saved = LabelFile.open(task);
  const report = (file: LabelFile | undefined) => {
    if (file) status.textContent = `Stored in ${task.file}.`;
    else showDownload();
    return file;
  };
  const save = () => {
    saved = saved.then(async (file) => {
      await file?.save(task);
      return report(file);
    });
    saved.catch(stop);
  };
  const labeling = new Labeling({ ...task, onChange: save });
  output.replaceChildren(labeling.element, status, trouble);
  // Otherwise JupyterLab takes keys, such as d d, which deletes the cell; it looks at the element with the focus first.
  for (const button of output.querySelectorAll('button')) button.dataset['lmSuppressShortcuts'] = 'true';
  output.addEventListener('keydown', (event) => {
    if (labeling.handleKey(event)) event.preventDefault();
  });
  saved.then(report).catch(stop);
}

// The script of an output runs after its elements were inserted.
for (const output of document.querySelectorAll<HTMLElement>('.tunebook-labeling:not([data-started])')) {
  output.dataset['started'] = '';
  start(output);
}
