// The project's kernels (lib/tensorflow/native): the inner loops once per instruction-set level of the architecture, so that one addon
// runs on every processor of it, and one file that registers TensorFlow's operations. They are an optimisation: where they do not
// compile, the layers are composed of TensorFlow's own kernels.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { root, workFolder } from './paths.mjs';
import { run, SetupError } from './run.mjs';
import { compilerCommand, compilerVersion } from './tools.mjs';

/** Where the sources lie, relative to the root. */
export const kernelFolder = 'lib/tensorflow/native';

/** What the compiler printed when it failed; its first line names the compiler. */
export const kernelLog = path.join(workFolder, 'kernels.log');

/** The compiler's flags of each level, by the level's name. levels.cc names the same levels. */
const levels = {
  x64: {
    'x86-64-v3': ['-march=x86-64-v3'],
    'x86-64-v4': ['-march=x86-64-v4', '-mprefer-vector-width=512'],
    'x86-64-v4-bf16': ['-march=x86-64-v4', '-mavx512bf16', '-mprefer-vector-width=512'],
  },
  // Every arm64 compiler uses NEON.
  arm64: { neon: [] },
};

/** Loops may be vectorized and sums reordered where the source says so; results are those of IEEE arithmetic otherwise. */
const loopFlags = ['-O3', '-fopenmp-simd', '-fno-math-errno', '-fno-trapping-math'];

/**
 * The compilations: what each is of, and the compiler's arguments.
 * @param {string[]} includes flags that lead to TensorFlow's headers
 * @returns {{ object: string, argv: string[] }[]}
 */
function compilations(includes) {
  const common = ['-fPIC', '-std=c++17', '-w', '-DNDEBUG'];
  const own = levels[/** @type {'x64' | 'arm64'} */ (process.arch)];
  return [
    ...Object.entries(own).map(([level, flags]) => ({
      object: `${level}.o`,
      argv: [
        ...common,
        ...loopFlags,
        ...flags,
        `-DTUNEBOOK_LEVEL="${level}"`,
        `-DTUNEBOOK_KERNELS=kernels_${level.replaceAll('-', '_')}`,
        '-c',
        path.join(root, kernelFolder, 'level.cc'),
      ],
    })),
    { object: 'levels.o', argv: [...common, '-O2', '-c', path.join(root, kernelFolder, 'levels.cc')] },
    {
      object: 'ops.o',
      // TensorFlow's library aligns tensors to 64 bytes; Eigen's headers must assume the same.
      argv: [
        ...common,
        '-O2',
        '-DEIGEN_MAX_ALIGN_BYTES=64',
        ...includes,
        '-c',
        path.join(root, kernelFolder, 'ops.cc'),
      ],
    },
  ];
}

/** What the log of a failure begins with. */
const failureOf = () => `${compilerCommand().join(' ')}: ${compilerVersion()}`;

/** The compiler that could not compile the kernels; nothing where they are compiled. */
export const failedCompiler = () =>
  fs.existsSync(kernelLog) ? (fs.readFileSync(kernelLog, 'utf8').split('\n')[0] ?? '') : undefined;

/** Whether the kernels are missing and another compiler than the one that failed is there now. */
export const deservesAnotherTry = () => {
  const failed = failedCompiler();
  return failed !== undefined && failed !== failureOf();
};

/**
 * Compiles the kernels. Where that fails, reports it in three lines and keeps the compiler's output.
 * @param {string} folder for the object files
 * @param {string[]} includes
 * @returns {Promise<string[]>} names of the object files; none where they did not compile
 */
export async function compileKernels(folder, includes) {
  const [compiler, ...first] = compilerCommand();
  fs.rmSync(kernelLog, { force: true });
  const parts = compilations(includes);
  const logs = parts.map(({ object }) => path.join(folder, `${object}.log`));
  const results = await Promise.allSettled(
    parts.map(({ object, argv }, i) =>
      run(compiler, [...first, ...argv, '-o', object], {
        cwd: folder,
        what: 'Compiling the fused kernels',
        log: logs[i],
      }),
    ),
  );
  const failed = results.findIndex(({ status }) => status === 'rejected');
  if (failed < 0) return parts.map(({ object }) => object);
  const { reason } = /** @type {PromiseRejectedResult} */ (results[failed]);
  if (!(reason instanceof SetupError)) throw reason;
  const output = fs.readFileSync(logs[failed] ?? '', 'utf8');
  fs.writeFileSync(kernelLog, `${failureOf()}\n${output}`);
  const error = output.split('\n').find((line) => /\berror\b/.test(line)) ?? reason.what;
  console.error(`      The fused kernels do not compile with ${failureOf()}: ${error.trim()}`);
  console.error("      Training works without them, on TensorFlow's own kernels, and is slower.");
  console.error(
    `      The compiler's output: ${path.relative(root, kernelLog)}. Another compiler: CXX=clang++ npm run setup`,
  );
  return [];
}
