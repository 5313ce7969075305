/** `tunebook kernel install|uninstall`: offers the TypeScript kernel to an existing Jupyter and to VS Code. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { kernelName, kernelSpecification } from '#setup/kernel-specification.mjs';
import { FileError } from '../errors.js';

/** Jupyter's folder for a user's kernels (jupyter_core.paths.jupyter_data_dir). */
function kernelsFolder(): string {
  const { JUPYTER_DATA_DIR, XDG_DATA_HOME } = process.env;
  const home = os.homedir();
  const data =
    JUPYTER_DATA_DIR ||
    (process.platform === 'darwin'
      ? path.join(home, 'Library/Jupyter')
      : path.join(XDG_DATA_HOME || path.join(home, '.local/share'), 'jupyter'));
  return path.join(data, 'kernels');
}

/** The installed package tslab, of the current project or beside Tunebook. */
function tslabFolder(): string {
  for (const from of [path.join(process.cwd(), 'package.json'), import.meta.url])
    try {
      return path.dirname(createRequire(from).resolve('tslab/package.json'));
    } catch {
      // Not here.
    }
  throw new FileError(
    'FILE_NOT_FOUND',
    'The package tslab is not installed here. Run: npm install --ignore-scripts tslab',
    {
      path: 'tslab',
    },
  );
}

/**
 * Writes the kernel specification.
 * @param options.overwrite whether to replace the specification of another kernel of this name
 * @throws FileError if tslab is not installed, or if there is another kernel of this name
 */
export function installKernel(options: { overwrite?: boolean }): void {
  const file = path.join(kernelsFolder(), kernelName, 'kernel.json');
  const specification = kernelSpecification(tslabFolder());
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') !== specification && !options.overwrite)
    throw new FileError(
      'FILE_EXISTS',
      `${file} is the specification of another kernel. To replace it, add --overwrite.`,
      {
        path: file,
      },
    );
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, specification);
  console.log(`${file}\nChoose the kernel “TypeScript (tslab)” in JupyterLab or VS Code.`);
}

/**
 * Deletes the kernel specification, and nothing else that is in its folder.
 * @throws FileError if there is none, or if it is that of another kernel
 */
export function uninstallKernel(): void {
  const folder = path.join(kernelsFolder(), kernelName);
  const file = path.join(folder, 'kernel.json');
  if (!fs.existsSync(file))
    throw new FileError('FILE_NOT_FOUND', `${file} does not exist, so there is nothing to uninstall.`, { path: file });
  if (!/[\\/]tslab[\\/]bin[\\/]tslab"/.test(fs.readFileSync(file, 'utf8')))
    throw new FileError('FILE_UNUSABLE', `${file} is the specification of another kernel. Delete it by hand.`, {
      path: file,
    });
  fs.rmSync(file);
  if (fs.readdirSync(folder).length === 0) fs.rmdirSync(folder);
  console.log(`${file} was deleted.`);
}
