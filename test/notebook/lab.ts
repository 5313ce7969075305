// A notebook in a real JupyterLab in Chromium. Each step waits for the effect of the previous one, never for a fixed time, so that on a busy
// machine a test is only slower.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { openBrowser } from '../browser.js';
import { root } from '../checkout.js';

/** Timeout of each step in milliseconds, which is enough on a busy machine. */
export const stepTimeout = 300_000;

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });

/**
 * Starts a command of JupyterLab in the page, through its application object. Does not wait for its end: it may take
 * long, and the tests wait for its effect.
 */
export const startCommand = (page: Page, name: string) =>
  page.evaluate(`void window.jupyterapp.commands.execute('${name}')`);

/** Starts all cells; `waitForAllCells` waits for their end. */
export const startAllCells = (page: Page) =>
  page.evaluate("void (window.allCellsRun = window.jupyterapp.commands.execute('notebook:run-all-cells'))");
export const waitForAllCells = (page: Page) => page.evaluate('window.allCellsRun.then(() => true)');

/**
 * Opens a notebook in JupyterLab, and waits until its kernel is idle.
 * @param folder what the server serves
 * @param notebook path below it
 * @param environment variables of the server and the kernel
 */
export async function openInLab(
  folder: string,
  notebook: string,
  environment: Record<string, string>,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const lab = spawn(
    process.execPath,
    [
      path.join(root, 'lib/dist/cli/lab.js'),
      '--no-browser',
      `--ServerApp.port=${port}`,
      `--ServerApp.root_dir=${folder}`,
      '--IdentityProvider.token=',
      '--LabApp.expose_app_in_browser=True',
      '--MappingKernelManager.kernel_info_timeout=300',
    ],
    { stdio: 'ignore', detached: true, env: { ...process.env, ...environment } },
  );
  const browser = await openBrowser();
  try {
    // As high as the notebook, because JupyterLab does not render cells outside the viewport.
    const page = await browser.newPage({ viewport: { width: 1200, height: 9000 } });
    page.setDefaultTimeout(stepTimeout);
    const address = `http://127.0.0.1:${port}/lab/tree/${notebook}?reset`;
    for (const end = Date.now() + stepTimeout; ;)
      try {
        await page.goto(address, { waitUntil: 'domcontentloaded' });
        break;
      } catch (error) {
        if (Date.now() > end || lab.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    await page.waitForFunction('window.jupyterapp');
    await page.waitForSelector('.jp-NotebookPanel .jp-Cell');
    await page.waitForFunction(
      "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
    );
    await use(page);
  } finally {
    await browser.close();
    if (lab.exitCode === null) {
      const ended = once(lab, 'exit');
      process.kill(-lab.pid!, 'SIGTERM');
      await ended;
    }
  }
}
