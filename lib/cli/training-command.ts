/** The part that `finetune` and `adapt` share: settings, flags, workers, run folder, output and exit codes. */
import { Command, Option } from 'commander';
import { RunError, SettingsError } from '../errors.js';
import { endTogether, joinForJob } from '../jobs/join-cluster.js';
import type { TrainingJob } from '../jobs/job.js';
import { assertResumable, isChanged, resumedSettings, runToResume } from '../jobs/resume.js';
import { newRunFolder, RunFolder, type RunCommand } from '../runs/run-folder.js';
import {
  environmentLayer,
  resolveSettings,
  settingsList,
  type ResolvedSettings,
  type Settings,
  type SettingsLayer,
} from '../settings/settings.js';
import { clusterOfEnvironment } from '../distributed/cluster-definition.js';
import type { Cluster } from '../distributed/cluster.js';
import { mlflowOfEnvironment } from '../tracking/mlflow-client.js';
import { configLayer } from '../settings/config-file.js';
import { openOutput, titledRows } from './output.js';
import { describeConfig } from './print-config.js';
import { reportError } from './report-error.js';
import { addSettings, flagsLayer } from './settings-flags.js';

interface Flags {
  config?: string;
  printConfig?: boolean;
  json?: boolean;
  resume?: string | true;
  allowChangedSettings?: boolean;
  runFolder?: string;
}

/** Names of the settings that apply to a command. */
export const settingsOf = (command: RunCommand) =>
  settingsList.filter(({ only }) => !only || only === command).map(({ name }) => name);

/** Adds the flags of all settings, and those of a run, to a command. */
export function addTrainingFlags(command: Command, name: RunCommand): Command {
  addSettings(
    command,
    settingsOf(name).filter((setting) => setting !== 'runFolder'),
  );
  const run = (flags: string, description: string) =>
    command.addOption(new Option(flags, description).helpGroup('Run:'));
  run('--run-folder <folder>', 'folder for everything that the run writes (default: a new folder in runs/)');
  run('--config <file>', 'JSON or YAML file with settings; environment variables and flags take precedence');
  run('--print-config', 'print every setting with its origin, and exit');
  run(
    '--resume [run]',
    "resume a run (default: --run-folder, else this command's newest unfinished run) from its last complete checkpoint",
  );
  run('--allow-changed-settings', 'with --resume: allow settings that differ from those the run was started with');
  run('--json', 'print the journal, one JSON object per line; messages go to standard error');
  return command;
}

/**
 * Selects the run to start or to resume, and its settings. `run` is undefined if a new folder must be created.
 * @throws RunError if the folder contains a run and --resume is not set, or if the run cannot be resumed
 */
function chooseRun(
  name: RunCommand,
  layers: SettingsLayer[],
  resolved: ResolvedSettings,
  flags: Flags,
): { resolved: ResolvedSettings; run?: RunFolder } {
  const named = resolved.settings.runFolder === undefined ? undefined : new RunFolder(resolved.settings.runFolder);
  if (flags.resume === undefined) {
    if (named?.hasTrained)
      throw new RunError(
        'RUN_EXISTS',
        named.isRun
          ? `${named.folder} already contains a run (${named.state}). Resume it with --resume, or choose another folder with --run-folder.`
          : `${named.folder} already contains a model. Choose another folder with --run-folder.`,
        { folder: named.folder, state: named.state },
      );
    return { resolved, ...(named && { run: named }) };
  }
  // A scheduler always passes --resume; at the first start there is nothing to resume.
  if (flags.resume === true && named && !named.hasTrained) return { resolved, run: named };
  const run = runToResume(name, flags.resume === true ? (named?.folder ?? true) : flags.resume);
  return { resolved: resumedSettings(run, layers, flags.allowChangedSettings ?? false), run };
}

/**
 * Runs the job on a worker that is not the chief. The chief sends the settings, or undefined if there is nothing to do.
 * @returns the exit code
 */
async function followChief(
  cluster: Cluster,
  loadJob: () => Promise<TrainingJob>,
  print: (text: string) => void,
): Promise<number> {
  const settings = cluster.ranks.fromChief<Settings | undefined>(undefined);
  if (settings) return (await (await loadJob()).follow(cluster, settings, print)).exitCode;
  await cluster.leave();
  return 0;
}

/**
 * Runs a training command and sets the exit code.
 * @param loadJob imports the job; called only when the job runs, since loading TensorFlow takes a second
 */
export async function runTrainingCommand(
  name: RunCommand,
  command: Command,
  loadJob: () => Promise<TrainingJob>,
): Promise<void> {
  const flags = command.opts<Flags>();
  const output = openOutput(flags.json ?? false);
  let cluster: Cluster | undefined;
  let run: RunFolder | undefined;
  try {
    const layers = [...(flags.config ? [configLayer(flags.config)] : []), environmentLayer(), flagsLayer(command)];
    const requested = resolveSettings(layers);
    const { textPairColumn } = requested.settings;
    if (name === 'adapt' && textPairColumn !== undefined)
      throw new SettingsError(
        'SETTING_CONFLICT',
        `The setting textPairColumn is '${textPairColumn}' (${requested.origins.textPairColumn}), but adapt trains on single texts. Remove it there.`,
        { names: ['textPairColumn'] },
      );
    const definition = clusterOfEnvironment();
    const mlflow = requested.settings.reportTo.includes('mlflow') ? mlflowOfEnvironment() : undefined;
    if (definition && !flags.printConfig) {
      cluster = await joinForJob(definition, name, requested.settings, (text) => output.print(text));
      if (!cluster.ranks.isChief) {
        process.exitCode = await followChief(cluster, loadJob, (text) => output.print(text));
        return;
      }
    }
    const chosen = chooseRun(name, layers, requested, flags);
    const { resolved } = chosen;
    if (flags.printConfig) {
      console.log(describeConfig(settingsOf(name), resolved, flags.json));
      return;
    }
    run = chosen.run;
    if (run?.isRun && !isChanged(run, resolved.settings) && run.isFinished) {
      output.print(
        `${run.folder} is finished (${run.state}); there is nothing to resume. Report: ${run.path('report.html')}`,
      );
      cluster?.ranks.fromChief(undefined);
      await cluster?.leave();
      return;
    }
    if (run) assertResumable(run);
    run ??= new RunFolder(newRunFolder());
    resolved.settings.runFolder = run.folder;
    output.print(`Run ${run.folder}`);
    cluster?.ranks.fromChief(resolved.settings);
    const { lead } = await loadJob();
    const { end, exitCode } = await lead({ resolved, run, mlflow, cluster, onEntry: (entry) => output.entry(entry) });
    output.stop();
    if (end === 'pruned') output.print(`\nPruned: ${run.pruned!.reason}.`);
    else if (end === 'interrupted')
      // A sweep says itself how it is resumed.
      output.print(`\nInterrupted.${run.isPart ? '' : ` Resume with: npx tunebook ${name} --resume ${run.folder}`}`);
    else
      output.print(
        titledRows([
          ['Model', run.path('model')],
          ['Report', run.path('report.html')],
        ]),
      );
    process.exitCode = exitCode;
  } catch (thrown) {
    const error = cluster ? await endTogether(cluster, thrown) : thrown;
    output.stop();
    reportError(error);
  }
}
