/** `npm run lab`: opens JupyterLab with the notebooks, on this machine only. Arguments are passed to JupyterLab. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root, venv } from '#setup/paths.mjs';
import { onEndingSignal } from '../signals.js';

const args = process.argv.slice(2);
const defaults = [
  '--ServerApp.ip=127.0.0.1',
  `--ServerApp.root_dir=${root}`,
  '--LabApp.default_url=/lab/tree/notebooks/finetune.ipynb',
  // JupyterLab does not run as root without this option; containers usually run as root.
  ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
  // JupyterLab accepts each option only once.
].filter((option) => !args.some((arg) => arg.split('=')[0] === option.split('=')[0]));

const child = spawn(path.join(venv, 'bin/jupyter-lab'), [...defaults, ...args], {
  stdio: 'inherit',
  env: { ...process.env, JUPYTER_PREFER_ENV_PATH: '1' },
});
child.on('exit', (code) => (process.exitCode = code ?? 1));
// Ctrl-C is not forwarded, since the terminal sends it to JupyterLab too, which handles it.
onEndingSignal((name) => name !== 'SIGINT' && child.kill(name));
