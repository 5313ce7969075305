/** `npm run lab`: JupyterLab with the project's kernel and notebooks, on this machine only. Arguments go to JupyterLab. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from '../notebook/execute.js';
import { onEndingSignal } from '../signals.js';

const given = process.argv.slice(2);
const defaults = [
  '--ServerApp.ip=127.0.0.1',
  `--ServerApp.root_dir=${root}`,
  '--LabApp.default_url=/lab/tree/notebooks/finetune.ipynb',
  // JupyterLab refuses to run as root unless it is told to; in a container that is who one is.
  ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
  // JupyterLab takes no setting twice.
].filter((option) => !given.some((own) => own.split('=')[0] === option.split('=')[0]));

const child = spawn(path.join(root, '.venv/bin/jupyter-lab'), [...defaults, ...given], {
  stdio: 'inherit',
  env: { ...process.env, JUPYTER_PREFER_ENV_PATH: '1' },
});
child.on('exit', (code) => (process.exitCode = code ?? 1));
// JupyterLab answers Ctrl-C, which the terminal sends to both.
onEndingSignal((name) => name !== 'SIGINT' && child.kill(name));
