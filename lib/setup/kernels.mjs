// Compiles the project's kernels (lib/tensorflow/native): the inner loops once per instruction-set level of the
// architecture, so that one addon runs on every CPU of that architecture, and one file that registers TensorFlow's
// operations. They are an optimization: if they do not compile, the layers are composed of TensorFlow's own kernels.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { nativeFolder } from './cache.mjs';
import { packageFolder, setUpCommand } from './paths.mjs';
import { run, SetupError } from './run.mjs';
import { compilerCommand, compilerVersion } from './tools.mjs';

/** File in the folder of the addons: the compiler's output of a failed compilation; the first line names the compiler. */
export const kernelLog = 'kernels.log';

/** Compiler flags by level. levels.cc uses the same level names. */
const levels = {
  x64: {
    'x86-64-v3': ['-march=x86-64-v3'],
    'x86-64-v4': ['-march=x86-64-v4', '-mprefer-vector-width=512'],
    'x86-64-v4-bf16': ['-march=x86-64-v4', '-mavx512bf16', '-mprefer-vector-width=512'],
  },
  // arm64 compilers use NEON by default.
  arm64: { neon: [] },
};

/**
 * Allows vectorization and reordering of sums only where the source requests it; otherwise results follow IEEE
 * arithmetic.
 */
const loopFlags = ['-O3', '-fopenmp-simd', '-fno-math-errno', '-fno-trapping-math'];

/**
 * Returns the object files to compile and the compiler arguments of each.
 * @param {string[]} includes include flags for TensorFlow's headers
 * @returns {{ object: string, argv: string[] }[]}
 */
function compilations(includes) {
  const common = ['-fPIC', '-std=c++17', '-w', '-DNDEBUG'];
  const flagsByLevel = levels[/** @type {'x64' | 'arm64'} */ (process.arch)];
  return [
    ...Object.entries(flagsByLevel).map(([level, flags]) => ({
      object: `${level}.o`,
      argv: [
        ...common,
        ...loopFlags,
        ...flags,
        `-DTUNEBOOK_LEVEL="${level}"`,
        `-DTUNEBOOK_KERNELS=kernels_${level.replaceAll('-', '_')}`,
        '-c',
        path.join(packageFolder, nativeFolder, 'level.cc'),
      ],
    })),
    { object: 'levels.o', argv: [...common, '-O2', '-c', path.join(packageFolder, nativeFolder, 'levels.cc')] },
    {
      object: 'ops.o',
      // TensorFlow's library aligns tensors to 64 bytes; Eigen's headers must assume the same.
      argv: [
        ...common,
        '-O2',
        '-DEIGEN_MAX_ALIGN_BYTES=64',
        ...includes,
        '-c',
        path.join(packageFolder, nativeFolder, 'ops.cc'),
      ],
    },
  ];
}

/** Command and version of the current compiler; the first line of the log. */
const describeCompiler = () => `${compilerCommand().join(' ')}: ${compilerVersion()}`;

/** The compiler that failed to compile the kernels; undefined if the kernels are compiled. @param {string} folder */
export function failedCompiler(folder) {
  const log = path.join(folder, kernelLog);
  return fs.existsSync(log) ? (fs.readFileSync(log, 'utf8').split('\n')[0] ?? '') : undefined;
}

/**
 * Whether the kernels failed to compile and the current compiler differs from the one that failed.
 * @param {string} folder of the addons
 */
export const compilerHasChanged = (folder) => {
  const failed = failedCompiler(folder);
  return failed !== undefined && failed !== describeCompiler();
};

/**
 * Compiles the kernels. A failure is reported in three lines, and the compiler output is stored in kernelLog.
 * @param {string} folder for the object files and the log
 * @param {string[]} includes
 * @param {string} target where the folder will be moved, for messages
 * @returns {Promise<string[]>} names of the object files; empty if they did not compile
 */
export async function compileKernels(folder, includes, target) {
  const [compiler, ...first] = compilerCommand();
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
  fs.writeFileSync(path.join(folder, kernelLog), `${describeCompiler()}\n${output}`);
  const error = output.split('\n').find((line) => /\berror\b/.test(line)) ?? reason.what;
  console.error(`      The fused kernels do not compile with ${describeCompiler()}: ${error.trim()}`);
  console.error("      Training uses TensorFlow's own kernels instead and is slower.");
  console.error(
    `      Compiler output: ${path.join(target, kernelLog)}. To use another compiler: CXX=clang++ ${setUpCommand}`,
  );
  return [];
}
