// The Jupyter kernel specification of tslab.
// @ts-check
import path from 'node:path';

/** Folder name of the specification; notebooks refer to it. */
export const kernelName = 'tslab';

/**
 * Returns the content of kernel.json. It contains absolute paths, so it is written again when Node or tslab have moved.
 * @param {string} tslab folder of the package
 */
export const kernelSpecification = (tslab) =>
  JSON.stringify(
    {
      argv: [process.execPath, path.join(tslab, 'bin/tslab'), 'kernel', '--config-path={connection_file}'],
      display_name: 'TypeScript (tslab)',
      language: 'typescript',
      interrupt_mode: 'signal',
    },
    null,
    1,
  );
