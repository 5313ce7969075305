// The direction of imports in lib/: a directory imports those before it in this list, never those after it; types count too.
// `npm run lint` checks it, and test/source.test.ts.

/** From the lowest to the highest. Files directly in lib/, such as errors.ts, are below all of them. */
export const layers = [
  ...['settings', 'tensorflow', 'hub', 'tokenizer', 'distributed', 'reviews', 'model', 'batching', 'optim'],
  ...[
    'evaluation',
    'quality',
    'training',
    'figures',
    'runs',
    'tracking',
    'export',
    'serving',
    'lesson',
    'jobs',
    'platforms',
    'notebook',
    'cli',
  ],
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-upward-import-to-a-directory',
      severity: 'error',
      from: { path: '^lib/[^/]+[.]ts$', pathNot: '^lib/index[.]ts$' },
      to: { path: '^lib/[^/]+/' },
    },
    {
      name: 'no-import-of-the-public-api',
      comment: 'index.ts is for users of the package.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^lib/index[.]ts$' },
    },
    ...layers.slice(0, -1).map((layer, i) => ({
      name: `no-upward-import-from-${layer}`,
      severity: /** @type {const} */ ('error'),
      from: { path: `^lib/${layer}/` },
      to: { path: `^lib/(${layers.slice(i + 1).join('|')})/` },
    })),
    {
      name: 'no-directory-without-a-layer',
      severity: 'error',
      from: { path: '^lib/[^/]+/', pathNot: `^lib/(${layers.join('|')})/` },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    includeOnly: '^lib/',
    // Compiled files, set-up, which runs before anything is compiled, and the scripts of the web page.
    exclude: { path: '^lib/(dist|setup|serving/app|lesson/app|tensorflow/tfjs-node)/|[.]mjs$' },
  },
};
