/**
 * `tunebook sweep`: trains with several values of some settings, each run as `tunebook finetune` in its own process and folder. A
 * resumed sweep skips finished and pruned runs and resumes an interrupted run from its last checkpoint.
 */
import fs from 'node:fs';
import { Option, type Command } from 'commander';
import { exitCodes } from '../errors.js';
import { visibleGpus } from '../distributed/rank-environment.js';
import { startupTrials } from '../jobs/parzen-estimator.js';
import { pruners } from '../jobs/pruner.js';
import { samplers } from '../jobs/sampler.js';
import { describeDimension, describeValues, type Dimension } from '../jobs/search-space.js';
import { sweepResult, type Sweep, type SweepResult } from '../jobs/sweep.js';
import { selectionMetrics } from '../runs/metrics.js';
import { Trials } from '../jobs/trials.js';
import { sweepFile, type RunFolder } from '../runs/run-folder.js';
import { configLayer } from '../settings/config-file.js';
import { flagOf } from '../settings/setting-text.js';
import { environmentLayer, resolveSettings } from '../settings/settings.js';
import { mlflowOfEnvironment, type MlflowSettings } from '../tracking/mlflow-client.js';
import { SweepRun, trackingFile } from '../tracking/sweep-run.js';
import { readInteger } from './integer-argument.js';
import { addSettings } from './settings-flags.js';
import { describeResult } from './sweep-output.js';
import { chooseSweep, hasTrained, planSweep, type SweepFlags } from './sweep-plan.js';
import { executeRuns } from './sweep-runs.js';
import { settingsOf } from './training-command.js';

/** Adds the flags of `finetune`, each with one or several values separated by commas or a range, and those of a sweep. */
export function addSweepFlags(command: Command): Command {
  addSettings(
    command,
    settingsOf('finetune').filter((setting) => setting !== 'runFolder'),
  );
  const add = (option: Option) => command.addOption(option.helpGroup('Sweep:'));
  const run = (flags: string, description: string) => add(new Option(flags, description));
  add(
    new Option(
      '--sampler <name>',
      'how values are chosen: grid, all combinations; random; or tpe, from those of the best runs (default: grid)',
    ).choices(samplers),
  );
  run('--trials <number>', 'number of runs of the samplers random and tpe');
  add(
    new Option(
      '--pruner <name>',
      'stop runs early: median, if the validation accuracy (multi-label: micro F1; regression: loss) is worse than the median of the completed runs; asha, by successive halving (default: none)',
    ).choices(pruners),
  );
  run('--pruner-warmup <number>', 'evaluations during which --pruner median stops no run (default: 0)');
  run('--timeout <seconds>', 'seconds after which no run starts; those that run then finish (default: no limit)');
  run('--parallel <number>', 'number of runs at once, as far as memory allows; they share the cores (default: 1)');
  run('--run-folder <folder>', 'folder for the run folders (default: a new folder runs/sweep-TIME)');
  run('--config <file>', 'JSON or YAML file with settings of all runs');
  run('--print-config', 'print the settings in which the runs differ, and exit');
  run('--resume [sweep]', 'resume a sweep (default: --run-folder, else the newest unfinished sweep)');
  run('--json', 'print the journals of the runs and then the result, one JSON object per line');
  return command;
}

/** Whether the runs of a sweep are tracked by MLflow. */
function reportsToMlflow({ argv }: Sweep): boolean {
  const valueOf = (flag: string) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
  const [config, reportTo] = [valueOf('--config'), valueOf(flagOf('reportTo'))];
  const layer = { origin: 'command line', values: reportTo === undefined ? {} : { reportTo }, nameOf: flagOf };
  return resolveSettings([
    ...(config ? [configLayer(config)] : []),
    environmentLayer(),
    layer,
  ]).settings.reportTo.includes('mlflow');
}

/** Starts the run of the sweep in MLflow, with the values of its settings. */
function startParent(folder: RunFolder, sweep: Sweep, mlflow: MlflowSettings, print: (text: string) => void) {
  const prefix = sweep.sampler === 'grid' ? 'grid' : 'search_space';
  const params = Object.entries(sweep.space).map(([name, dimension]: [string, Dimension]) => ({
    key: `${prefix}_${name}`,
    value: describeDimension(dimension),
  }));
  const names = { sampler: sweep.sampler, pruner: sweep.pruner.name };
  return SweepRun.start(
    folder,
    mlflow,
    [...params, ...Object.entries(names).map(([key, value]) => ({ key, value }))],
    print,
  );
}

/** Whether a run has failed: it is neither finished nor pruned, and has started. */
const hasFailed = ({ state, metrics }: SweepResult['runs'][number]) =>
  !metrics && state !== 'pruned' && state !== 'not begun';

/** Sends the best combination as the result of the sweep. */
async function finishParent(parent: SweepRun | undefined, { best, metric, runs }: SweepResult): Promise<void> {
  await parent?.finish(
    runs.some(hasFailed) ? 'FAILED' : 'FINISHED',
    {
      ...(best?.validation && { [`best_validation_${metric}`]: best.validation.mean }),
      ...(best?.test && { [`best_test_${metric}`]: best.test.mean }),
    },
    best
      ? [
          {
            key: 'mlflow.note.content',
            value: `Best by validation ${selectionMetrics[metric].name}: ${describeValues(best.values)}`,
          },
        ]
      : [],
  );
}

/** Prints the values of the runs, or of sampled ones the search space. */
function printConfig({ sampler, space, runs, trials }: Sweep): void {
  if (sampler === 'grid') for (const { values } of runs) console.log(describeValues(values));
  else {
    for (const [name, dimension] of Object.entries(space)) console.log(`${name} ${describeDimension(dimension)}`);
    console.log(`${trials} runs, sampler ${sampler}`);
  }
}

/** Executes a sweep until it is finished or a signal stops it, and sets the exit code. */
export async function sweep(command: Command): Promise<void> {
  const flags = command.opts<SweepFlags>();
  if (flags.printConfig) return printConfig(planSweep(command, flags));
  const timeout = flags.timeout === undefined ? Infinity : readInteger('--timeout', flags.timeout, 1);
  const parallelRuns = readInteger('--parallel', flags.parallel ?? '1', 1);
  const { folder, plan: sweep } = chooseSweep(command, flags);
  const mlflow = mlflowOfEnvironment();
  const existed = fs.existsSync(folder.folder);
  folder.write(sweepFile, sweep);
  const json = flags.json ?? false;
  const print = (text: string) => (json ? console.error : console.log)(text);
  print(`Sweep ${folder.folder}: ${sweep.trials} runs`);
  if (sweep.sampler === 'tpe' && sweep.trials <= startupTrials)
    print(
      `The sampler tpe chooses the first ${startupTrials} runs at random; with ${sweep.trials} it is a random search.`,
    );
  const parent = mlflow && reportsToMlflow(sweep) ? await startParent(folder, sweep, mlflow, print) : undefined;
  const parallel = Math.min(parallelRuns, sweep.trials);
  const gpus = parallel > 1 ? visibleGpus() : [];
  const context = { sweep, trials: new Trials(folder), parallel, gpus, json, environment: parent?.environment ?? {} };
  const { exitCode, isInterrupted, notStarted } = await executeRuns(context, timeout, print);
  if (exitCode !== exitCodes.done) {
    process.exitCode = exitCode;
    await parent?.finish(isInterrupted ? 'KILLED' : 'FAILED');
    if (isInterrupted) print(`\nInterrupted. Resume with: npx tunebook sweep --resume ${folder.folder}`);
    else if (hasTrained(folder, sweep))
      print(`\nAll runs would fail with this error. Fix it, then run: npx tunebook sweep --resume ${folder.folder}`);
    else {
      for (const name of [sweepFile, trackingFile]) fs.rmSync(folder.path(name), { force: true });
      if (!existed) fs.rmdirSync(folder.folder);
    }
    return;
  }
  const result = sweepResult(folder.folder, sweep);
  folder.write('result.json', result);
  await finishParent(parent, result);
  print(`\n${describeResult(sweep, result)}`);
  if (notStarted > 0)
    print(`Timeout: ${notStarted} runs were not started. Continue with: npx tunebook sweep --resume ${folder.folder}`);
  if (json) console.log(JSON.stringify({ kind: 'sweep', ...result }));
  if (result.runs.some(hasFailed)) process.exitCode = exitCodes.unexpected;
}
