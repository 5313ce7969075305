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

/** Time in which an output counts as new, in milliseconds. */
const newFor = 60_000;

/** What ends labeling here; the cell must run again. */
class EndedError extends Error {}

/** Requests to the Jupyter server of the page; undefined if the page comes from elsewhere. */
function jupyterServer(): ((path: string, init?: RequestInit) => Promise<Response>) | undefined {
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
    if (!response.ok)
      throw new Error(`The Jupyter server answers ${response.status} ${response.statusText} to ${decodeURI(path)}.`);
    return response;
  };
}

/** The path of a file that is named relative to the folder of a notebook. @returns undefined above the server's root */
function resolvePath(notebook: string, file: string): string | undefined {
  const parts = notebook.split('/').slice(0, -1);
  for (const part of file.split('/'))
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  return parts.map(encodeURIComponent).join('/');
}

/** Stores the labels beside the notebook. */
class LabelFile {
  #lastModified = '';

  private constructor(
    readonly request: NonNullable<ReturnType<typeof jupyterServer>>,
    readonly path: string,
  ) {}

  /**
   * Finds the file on the server.
   * @returns undefined if the page does not come from the server of the notebook, or the server does not have the file
   * @throws EndedError for an output that was stored with a notebook, which may be a copy of another one
   */
  static async open({ notebook, file, content, created }: LabelingTask): Promise<LabelFile | undefined> {
    const request = jupyterServer();
    if (!request) return undefined;
    const response = await request('sessions');
    // The clock of the server is that of the kernel; the browser may have another one.
    const now = Date.parse(response.headers.get('date') ?? '') || Date.now();
    if (Math.abs(now - created) > newFor) throw new EndedError('These reviews were shown by an earlier run.');
    if (notebook === undefined) return undefined;
    // The server names a notebook by its path below the folder that it serves.
    const sessions = (await response.json()) as { path: string }[];
    const isIn = (long: string, short: string) => `/${long}`.endsWith(`/${short}`);
    const [found, ...others] = new Set(
      sessions.flatMap(({ path }) => (isIn(path, notebook) || isIn(notebook, path) ? [path] : [])),
    );
    const path = found !== undefined && others.length === 0 ? resolvePath(found, file) : undefined;
    if (path === undefined) return undefined;
    const opened = new LabelFile(request, `contents/${path}`);
    const stored = await opened.#get(1);
    if (!isSame(stored.content!, content)) throw new EndedError(`${file} has changed since this output was made.`);
    opened.#lastModified = stored.last_modified;
    return opened;
  }

  async #get(content: 0 | 1): Promise<StoredFile> {
    const response = await this.request(`${this.path}?type=file&format=text&content=${content}`);
    return (await response.json()) as StoredFile;
  }

  /** Stores the labels. @throws EndedError if something else has changed the file, Error if the server cannot store it */
  async save(task: LabelingTask): Promise<void> {
    const { last_modified } = await this.#get(0);
    if (last_modified !== this.#lastModified)
      throw new EndedError(`${task.file} has changed since this output was made, so that nothing more is stored.`);
    const body = JSON.stringify({ type: 'file', format: 'text', content: csvOf(task) });
    const response = await this.request(this.path, { method: 'PUT', body });
    this.#lastModified = ((await response.json()) as StoredFile).last_modified;
  }
}

/** Shows what happens with the labels: whether they are stored, a link to download them, and why they cannot be stored. */
function start(output: HTMLElement): void {
  const task = JSON.parse(output.querySelector('script[type="application/json"]')!.textContent) as LabelingTask;
  const status = create('p', { className: 'hint' });
  status.setAttribute('role', 'status');
  const trouble = create('p', { className: 'trouble' });
  trouble.setAttribute('role', 'alert');
  let isStored = true;

  const showDownload = () => {
    const blob = new Blob([csvOf(task)], { type: 'text/csv' });
    const link = create(
      'a',
      { href: URL.createObjectURL(blob), download: task.file.split('/').at(-1)! },
      'Download them',
    );
    status.replaceChildren(
      'These labels are not stored. ',
      link,
      ` when you have finished, and put the file at ${task.file} beside the notebook.`,
    );
  };
  // One change after the other; what was labeled meanwhile is stored with it.
  let last = Promise.resolve();
  let file: LabelFile | undefined;
  const store = (action: () => Promise<void>) => {
    last = last.then(async () => {
      try {
        await action();
        isStored = file !== undefined || task.own.length === 0;
        trouble.textContent = '';
        if (file) status.textContent = `Stored in ${task.file}.`;
        else showDownload();
      } catch (error) {
        isStored = false;
        const isEnded = error instanceof EndedError;
        labeling.element.inert = isEnded;
        trouble.textContent =
          `${(error as Error).message} ` +
          (isEnded
            ? 'Run the cell again to continue; after a restart of the kernel, all cells from the first one.'
            : 'The next label is stored with all others, if the server answers again.');
        showDownload();
      }
    });
  };
  const labeling = new Labeling({
    ...task,
    onChange() {
      isStored = false;
      status.textContent = 'Storing …';
      store(async () => file?.save(task));
    },
  });
  output.replaceChildren(labeling.element, status, trouble);
  // Otherwise JupyterLab takes keys, such as d d, which deletes the cell; it looks at the element with the focus first.
  for (const button of output.querySelectorAll('button')) button.dataset['lmSuppressShortcuts'] = 'true';
  output.addEventListener('keydown', (event) => {
    if (labeling.handleKey(event)) event.preventDefault();
  });
  addEventListener('beforeunload', (event) => {
    if (!isStored && output.isConnected) event.preventDefault();
  });
  store(async () => {
    file = await LabelFile.open(task);
  });
}

// The script of an output runs after its elements were inserted.
for (const output of document.querySelectorAll<HTMLElement>('.tunebook-labeling:not([data-started])')) {
  output.dataset['started'] = '';
  start(output);
}
