/** The command line `npx tunebook …`. Each command imports its modules when it runs: --help loads no TensorFlow. */
import { Command } from 'commander';
import { isCheckout } from '#setup/paths.mjs';
import type { LaunchOptions } from './launch.js';
import type { MergeOptions } from './merge.js';
import type { NotebooksOptions } from './notebooks.js';
import { commandLineError, throwErrors, unknownCommand } from './command-line-error.js';
import { addCrossValidationFlags, crossValidate } from './cross-validate.js';
import type { ExportOptions } from './export.js';
import { reportError } from './report-error.js';
import type { ScoreOptions } from './score.js';
import type { ServeOptions } from './serve.js';
import { addSettings, fileSettings, flagsLayer, normalizeFlags } from './settings-flags.js';
import { addSweepFlags, sweep as runSweep } from './sweep.js';
import { textsOfArguments } from './text-arguments.js';
import { addTrainingFlags, runTrainingCommand } from './training-command.js';
import { environmentLayer, resolveSettings } from '../settings/settings.js';
import { useSettingForm } from '../settings/setting-text.js';
import { version } from '../version.js';

useSettingForm('flag');

const afterHelp = `
Every setting can also be an environment variable: TUNEBOOK_LEARNING_RATE is --learning-rate. --learning_rate works too.

Exit codes:
  0    success
  1    unexpected error
  2    invalid flag, setting, path or run folder; nothing was started
  3    model or reviews are missing or invalid
  4    loss is NaN or infinite; the last checkpoint is valid
  5    disk is full; the last checkpoint is valid
  138  another worker was lost; restart all workers with --resume
  129, 130, 143  stopped by SIGHUP, SIGINT or SIGTERM; a checkpoint was written if training had started`;

const program = throwErrors(new Command('tunebook'))
  .description('Fine-tune language models on reviews, in TypeScript.')
  .version(version, '--version', 'print the version and exit')
  .enablePositionalOptions();

const finetune = addTrainingFlags(
  program
    .command('finetune')
    .description('Fine-tune a classifier on labeled reviews, evaluate it, and write a report.')
    .addHelpText('after', afterHelp),
  'finetune',
);
finetune.action(async () => {
  await runTrainingCommand('finetune', finetune, async () => (await import('../jobs/finetune.js')).finetune);
});

const adapt = addTrainingFlags(
  program
    .command('adapt')
    .description('Adapt a base model to reviews by masked-language modeling; then run finetune --model RUN/model.')
    .addHelpText('after', afterHelp),
  'adapt',
);
adapt.action(async () => {
  await runTrainingCommand('adapt', adapt, async () => (await import('../jobs/adapt.js')).adaptModel);
});

const sweep = addSweepFlags(
  program
    .command('sweep')
    .description(
      'Fine-tune with all combinations of several values (--lr 1e-5,3e-5 --seed 1,2,3), or with values sampled from ranges (--sampler tpe --trials 20 --lr 1e-5..1e-3), and report the best.',
    )
    .addHelpText('after', afterHelp),
);
sweep.action(() => runSweep(sweep));

const crossValidation = addCrossValidationFlags(
  program
    .command('cross-validate')
    .description('Fine-tune once per fold, and report means with intervals and the predictions of all reviews.')
    .addHelpText('after', afterHelp),
);
crossValidation.action(() => crossValidate(crossValidation));

const inspect = addSettings(
  program
    .command('inspect')
    .argument('[dataset]', 'reviews to inspect, as for --dataset')
    .description('Report duplicates, label errors, leakage, truncation and other problems of reviews before training.')
    .option('--out <file>', 'HTML file to write (default: runs/inspect-NAME.html)')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nWith --model RUN, the model of a fine-tuning run also looks for label errors, in rows that it was not trained on.',
    ),
  [
    ...(['source', 'model', 'dataset', 'datasetConfig', 'labelColumn', 'labelMapping'] as const),
    ...fileSettings,
    ...(['rows', 'maxLength', 'seed'] as const),
  ],
  { rows: 'all, at most 100,000; of a data set on the hub 20,000 with a GPU, 2,000 without' },
);
inspect.action(async (dataset: string | undefined) => (await import('./inspect.js')).inspect(dataset, inspect));

program
  .command('launch')
  .argument('<command>', 'finetune or adapt')
  .argument('[arguments...]', 'arguments of the command')
  .description('Train with several workers: all on this machine, or as one process of a Slurm or MPI job.')
  .option('--workers <number>', 'number of workers to start on this machine; with several GPUs, one GPU each')
  .option('--max-restarts <number>', 'maximum number of restarts from the last checkpoint after a worker is lost', '0')
  .option('--from <scheduler>', 'slurm, mpi or kubernetes: run as one of the processes that it started')
  .option('--hosts <hosts>', 'hosts of mpirun on several machines: node1:2,node2:2, or a hostfile')
  .option('--port <number>', 'port of the first worker per machine, with --from (default: derived from the job name)')
  .option('--nodes <number>', 'number of pods, with --from kubernetes')
  .option('--service <name>', 'headless service of the pods, with --from kubernetes')
  .passThroughOptions()
  .allowUnknownOption()
  .addHelpText(
    'after',
    '\nWithout launch, the workers are read from TF_CONFIG, as set by Kubeflow and Ray. See lib/distributed/README.md.',
  )
  .action(async (command: string, argv: string[], options: LaunchOptions) =>
    (await import('./launch.js')).launch(command, argv, options),
  );

program
  .command('track')
  .argument('<run>', 'run folder, or name of a run in runs/')
  .description("Send a run's missing data to MLflow.")
  .action(async (run: string) => (await import('./track.js')).track(run));

program
  .command('report')
  .argument('<run>', 'run folder, or name of a run in runs/')
  .description("Write a run's figures and report again.")
  .action(async (run: string) => {
    const [{ openRun }, { writeReport }] = await Promise.all([
      import('../runs/run-folder.js'),
      import('../runs/report.js'),
    ]);
    console.log(await writeReport(openRun(run)));
  });

program
  .command('lesson')
  .description('A lesson on transfer learning as a web page that needs no server and no installation.')
  .command('build')
  .argument('[folder]', 'folder to write', 'lesson')
  .description('Write the page: static files for any web server, or to open index.html from a disk.')
  .action(async (folder: string) => (await import('./lesson.js')).writeLesson(folder));

program
  .command('export')
  .argument('<run>', 'run folder, name of a run in runs/, or model folder')
  .description("Export a run's model to ONNX, in float32 and int8, for transformers.js and onnxruntime.")
  .option('--calibrated', 'divide the logits of the exported model by the temperature that is stored with the model')
  .option('--json', 'print the result as JSON')
  .action(async (run: string, options: ExportOptions) => (await import('./export.js')).exportRun(run, options));

program
  .command('merge')
  .description('Add a LoRA adapter in the format of PEFT to its model, and save the result as a model.')
  .argument('<adapter>', 'folder of the adapter, or its name on the hub')
  .argument('<folder>', 'folder for the merged model')
  .option('--model <name>', 'model that the adapter belongs to (default: the one that its adapter_config.json names)')
  .option('--labels <names>', 'class names in their order, separated by commas (default: those of its training)')
  .action(async (adapter: string, folder: string, options: MergeOptions) =>
    (await import('./merge.js')).merge(adapter, folder, options),
  );

program
  .command('push')
  .argument('<repository>', 'owner/name on the Hugging Face hub; created if it does not exist')
  .description('Upload an exported model with its card to the Hugging Face hub, as one commit.')
  .option('--model <run>', 'run or model folder (default: the newest run with a model)')
  .option('--private', 'make a new repository visible to its owner only')
  .action(async (name: string, options: { model?: string; private?: boolean }) =>
    (await import('./push.js')).push(name, options),
  );

addSettings(
  program
    .command('score')
    .argument('[sentences...]', 'texts to score; put -- before texts that look like flags')
    .description('Score texts, or a file of reviews of any size, with an exported model.')
    .option('--model <run>', 'run or model folder (default: the newest run with a model)')
    .option('--text-pair <text>', 'second text of each text, for a model of sentence pairs')
    .option('--file <file>', 'file of reviews to score, in any format that finetune reads')
    .option(
      '--out <file>',
      '.csv, .tsv, .jsonl or .ndjson file to write: all rows, with predicted_label and predicted_score (of a regression the number); ' +
        'of multi-label classification with predicted_labels and probability_NAME for each class',
    )
    .option('--overwrite', 'allow --out to replace an existing file, also the input file')
    .option('--precision <value>', 'number type of the exported model: float32 or int8', 'float32')
    .option('--calibrated', 'apply the temperature and the decision threshold that are stored with the model')
    .option('--json', 'print the result as JSON'),
  [...fileSettings],
  { textColumns: 'those of training', textPairColumn: 'that of training' },
)
  // A text may begin with a dash: "-1 star".
  .allowUnknownOption()
  .action(async (args: string[], options: ScoreOptions, command: Command) => {
    const flags = command.options.map(({ long }) => long!);
    const reading = resolveSettings([environmentLayer(), flagsLayer(command, fileSettings)]).settings;
    await (await import('./score.js')).score(textsOfArguments(args, process.argv, flags), { ...options, reading });
  });

const addServing = (command: Command) =>
  command
    .argument('[run]', 'run or model folder (default: the newest run with a model)')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 for any free port', '8000')
    .option('--name <name>', 'model name in paths and responses', 'sentiment')
    .option('--precision <value>', 'number type of the exported model: float32 or int8', 'float32')
    .option('--calibrated', 'apply the temperature and the decision threshold that are stored with the model')
    .option('--timeout <seconds>', 'seconds after which a request times out', '30')
    .option('--body-limit <bytes>', 'maximum size of a request body in bytes', '1048576')
    .option('--queue <texts>', 'maximum number of waiting texts; above it, the server responds with 429', '2048')
    .option('--rate-limit <requests>', 'maximum number of scoring requests per minute and client (default: no limit)')
    .addHelpText(
      'after',
      "\nIf TUNEBOOK_SERVE_TOKEN is set, requests except health checks need the header 'authorization: Bearer TOKEN'.",
    );

addServing(program.command('serve'))
  .description('Serve an exported model over HTTP: original, Hugging Face, MLflow and Open Inference protocols.')
  .action(async (run: string | undefined, options: ServeOptions) => (await import('./serve.js')).serve(run, options));

addServing(program.command('app'))
  .description('Serve a web page that scores reviews, on the server or in the browser.')
  .action(async (run: string | undefined, options: ServeOptions) =>
    (await import('./serve.js')).serve(run, options, true),
  );

if (isCheckout)
  program
    .command('notebooks')
    .argument('[names...]', 'names of notebooks in notebooks/ (default: all)')
    .description('Execute notebooks headlessly and compare their key numbers with the committed ones.')
    .option('--fast-dev-run', 'use a fraction of the reviews and of the training')
    .option('--update', 'replace the committed notebooks with the executed ones')
    .option('--list', 'list the selected notebooks and exit')
    .option('--junit <file>', 'write the result as JUnit XML, for CI')
    .option('--out <folder>', 'folder for executed notebooks and HTML reports', 'runs/notebooks')
    .addHelpText(
      'after',
      '\nExit codes: 0 all ran and match, 1 one failed or differs, 2 invalid input, nothing was run.',
    )
    .action(async (names: string[], options: NotebooksOptions) =>
      (await import('./notebooks.js')).notebooks(names, options),
    );

program
  .command('runs')
  .argument('[runs...]', 'runs to compare: folders, or names of runs in runs/ (default: list all)')
  .description('List all runs, or compare the differing settings and the results of some.')
  .option('--folder <folder>', 'folder that contains the runs', 'runs')
  .option('--json', 'print the result as JSON')
  .action(async (runs: string[], options: { folder: string; json?: boolean }) =>
    (await import('./runs.js')).listRuns(runs, options),
  );

program
  .command('compare')
  .argument('<a>', 'run folder, or name of a run in runs/')
  .argument('<b>', 'another run of finetune')
  .description('Test whether the accuracies of two runs differ significantly, on the same test reviews.')
  .option('--json', 'print the result as JSON')
  .action(async (a: string, b: string, options: { json?: boolean }) =>
    (await import('./compare.js')).compare(a, b, options),
  );

program
  .command('init')
  .argument('[folder]', 'folder to create', 'my-reviews')
  .description('Create a folder with a script, a notebook and example reviews.')
  .action(async (folder: string) => (await import('./init.js')).init(folder));

const kernel = program
  .command('kernel')
  .description('Offer the TypeScript kernel to an existing Jupyter and to VS Code.');
kernel
  .command('install')
  .description("Write the kernel specification to Jupyter's folder of this user.")
  .option('--overwrite', 'replace another kernel of this name')
  .action(async (options: { overwrite?: boolean }) => (await import('./kernel.js')).installKernel(options));
kernel
  .command('uninstall')
  .description('Delete the kernel specification.')
  .action(async () => (await import('./kernel.js')).uninstallKernel());

program
  .command('sagemaker')
  .description('Train as a job of Amazon SageMaker: settings, data and results are in /opt/ml.')
  .command('train')
  .description('Train, export and copy the model, as /opt/ml/input/config says. See lib/platforms/README.md.')
  .action(async () => (await import('./sagemaker.js')).trainOnSagemaker());

// Declared only for --help: tunebook.mjs runs the following commands.
if (isCheckout) {
  program.command('start').description('Execute notebooks/finetune.ipynb headlessly, as npm start does.');
  program.command('lab').description('Open JupyterLab with the notebooks, as npm run lab does.');
}

program
  .command('setup')
  .description("Install TensorFlow's library and the embedded model, as the commands that need them do.");

program
  .command('doctor')
  .argument('[checks...]', 'names of checks (default: all)')
  .description('Check the machine, the set-up, the GPU, the hub and MLflow, and print how to fix each problem.')
  .option('--json', 'print the result as JSON');

const argv = process.argv.slice(2);
try {
  const [name, topic] = argv;
  // Commander prints the general help for an unknown command.
  if (name === 'help' && topic !== undefined && !program.commands.some((command) => command.name() === topic))
    throw unknownCommand(program, topic);
  await program.parseAsync(normalizeFlags(argv), { from: 'user' });
} catch (error) {
  reportError(commandLineError(error, program, argv));
}
