/** The command line: `npx tunebook …`. Each command loads what it needs when it is called: --help needs no TensorFlow. */
import { Command } from 'commander';
import type { LaunchOptions } from './launch.js';
import type { NotebooksOptions } from './notebooks.js';
import { reportError } from './report-error.js';
import type { ScoreOptions } from './score.js';
import type { ServeOptions } from './serve.js';
import { normalizeFlags } from './settings-flags.js';
import { addSweepFlags, sweep as runSweep } from './sweep.js';
import { addTrainingFlags, runTrainingCommand } from './training-command.js';

const afterHelp = `
Every setting has an environment variable, TUNEBOOK_LEARNING_RATE for --learning-rate; underscores in flags are as good as dashes.
Exit codes: 0 done, 1 unexpected, 2 refused before any work, 3 model or reviews cannot be used, 4 diverged, 5 disk full,
129, 130 and 143 ended by SIGHUP, SIGINT or SIGTERM, with a checkpoint to --resume from; 138 another rank was lost.`;

const program = new Command('tunebook')
  .description('Fine-tunes language models on reviews, in TypeScript.')
  .showHelpAfterError("'tunebook help COMMAND' lists its flags.")
  .exitOverride()
  .enablePositionalOptions()
  .configureHelp({ showGlobalOptions: true });

const finetune = addTrainingFlags(
  program
    .command('finetune')
    .description('Fine-tunes a classifier: model, reviews, training, test, report.')
    .addHelpText('after', afterHelp),
  'finetune',
);
finetune.action(async () => {
  await runTrainingCommand('finetune', finetune, async () => (await import('../jobs/finetune.js')).finetune);
});

const adapt = addTrainingFlags(
  program
    .command('adapt')
    .description(
      'Has a base model read reviews, guessing hidden words, before it is fine-tuned (finetune --model RUN/model).',
    )
    .addHelpText('after', afterHelp),
  'adapt',
);
adapt.action(async () => {
  await runTrainingCommand('adapt', adapt, async () => (await import('../jobs/adapt.js')).adaptModel);
});

const sweep = addSweepFlags(
  program
    .command('sweep')
    .description('Fine-tunes with several values of some settings (--lr 1e-5,3e-5 --seed 1,2,3) and reports the best.')
    .addHelpText('after', afterHelp),
);
sweep.action(() => runSweep(sweep));

program
  .command('launch')
  .argument('<command>', 'finetune or adapt')
  .argument('[arguments...]', 'its own')
  .description('Trains on several ranks: all on this machine, or one of those that Slurm or mpirun start.')
  .option('--workers <number>', 'ranks on this machine, one a GPU where there are several')
  .option('--max-restarts <number>', 'how often all start again, from the last checkpoint, when one was lost', '0')
  .option('--from <scheduler>', 'slurm or mpi: this is one of the processes that srun or mpirun have started')
  .option('--hosts <hosts>', 'of mpirun on several machines: node1:2,node2:2, or a hostfile')
  .option('--port <number>', "of a machine's first rank, with --from (default: made of the job's name)")
  .passThroughOptions()
  .allowUnknownOption()
  .addHelpText(
    'after',
    '\nWithout it TF_CONFIG says who trains together, as Kubeflow and Ray set it. More: lib/distributed/README.md.',
  )
  .action(async (command: string, argv: string[], options: LaunchOptions) =>
    (await import('./launch.js')).launch(command, argv, options),
  );

program
  .command('track')
  .argument('<run>', 'its folder, or its name below runs/')
  .description('Sends MLflow what it does not have of a run.')
  .action(async (run: string) => (await import('./track.js')).track(run));

program
  .command('report')
  .argument('<run>', 'its folder, or its name below runs/')
  .description("Makes a run's figures and report anew.")
  .action(async (run: string) => {
    const [{ openRun }, { writeReport }] = await Promise.all([
      import('../runs/run-folder.js'),
      import('../runs/report.js'),
    ]);
    console.log(await writeReport(openRun(run)));
  });

program
  .command('export')
  .argument('<run>', "its folder or its name below runs/; or a model's folder")
  .description("Writes a run's model as ONNX, in float32 and in 8 bits, for transformers.js and onnxruntime.")
  .option('--json', 'for machines')
  .action(async (run: string, options: { json?: boolean }) => (await import('./export.js')).exportRun(run, options));

program
  .command('score')
  .argument('[sentences...]')
  .description('Judges sentences, or a file of reviews of any size, by an exported model.')
  .option('--model <run>', "a run, or a model's folder (default: the newest run with a model)")
  .option('--file <file>', 'a .csv, .jsonl, .ndjson or .parquet file, read in pieces')
  .option('--out <file>', 'a .csv, .jsonl or .ndjson file: the rows with predicted_label and predicted_score')
  .option('--text-columns <names>', 'columns that make the text, by commas')
  .option('--precision <value>', 'float32 or int8', 'float32')
  .option('--json', 'for machines')
  .action(async (sentences: string[], options: ScoreOptions) => (await import('./score.js')).score(sentences, options));

const addServing = (command: Command) =>
  command
    .argument('[run]', "a run, or a model's folder (default: the newest run with a model)")
    .option('--host <address>', 'where it listens', '127.0.0.1')
    .option('--port <number>', '0 for any that is free', '8000')
    .option('--name <name>', "the model's name in paths and answers", 'sentiment')
    .option('--precision <value>', 'float32 or int8', 'float32')
    .option('--timeout <seconds>', 'after which a request is given up', '30')
    .option('--body-limit <bytes>', 'of a request', '1048576')
    .option('--queue <texts>', 'that may wait; beyond it 429 is answered', '2048')
    .addHelpText(
      'after',
      '\nTUNEBOOK_SERVE_TOKEN, if it is set, must be sent with every request: authorization: Bearer TOKEN.',
    );

addServing(program.command('serve'))
  .description('Serves an exported model over HTTP: the original, Hugging Face, MLflow and Open Inference protocols.')
  .action(async (run: string | undefined, options: ServeOptions) => (await import('./serve.js')).serve(run, options));

addServing(program.command('app'))
  .description('A web page on which reviews are judged, by the server or wholly in the browser.')
  .action(async (run: string | undefined, options: ServeOptions) =>
    (await import('./serve.js')).serve(run, options, true),
  );

program
  .command('notebooks')
  .argument('[names...]', 'of those in notebooks/ (default: all)')
  .description('Runs notebooks headlessly and compares their key numbers with the committed ones.')
  .option('--fast-dev-run', 'a fraction of the reviews and of the training')
  .option('--update', 'the executed notebooks take the place of the committed ones')
  .option('--list', 'names those that would be run, and does nothing else')
  .option('--junit <file>', 'writes the result as JUnit XML, for a CI')
  .option('--out <folder>', 'where executed notebooks and HTML reports go', 'runs/notebooks')
  .addHelpText('after', '\nExit codes: 0 all ran and are as committed, 1 one is not, 2 refused before any work.')
  .action(async (names: string[], options: NotebooksOptions) =>
    (await import('./notebooks.js')).notebooks(names, options),
  );

program
  .command('runs')
  .argument('[runs...]', 'those to compare: folders, or names below runs/')
  .description('Lists all runs, or compares some: what differs in their settings, and what came out.')
  .option('--folder <folder>', 'where the runs are', 'runs')
  .option('--json', 'for machines')
  .action(async (runs: string[], options: { folder: string; json?: boolean }) =>
    (await import('./runs.js')).listRuns(runs, options),
  );

// These three are listed here for --help; tunebook.mjs runs them, and each has its own --help.
program.command('start').description('Runs notebooks/finetune.ipynb headlessly, as npm start does.');

program.command('lab').description('Opens JupyterLab with the notebooks, as npm run lab does.');

program
  .command('doctor')
  .argument('[checks...]', 'some of them by name')
  .description('Looks at everything that Tunebook stands on, and says of what is not in order what to do.')
  .option('--json', 'for machines');

try {
  await program.parseAsync(normalizeFlags(process.argv));
} catch (error) {
  reportError(error);
}
