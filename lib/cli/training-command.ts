/** What the commands that train have in common: settings from all their places, ranks, a run's folder, output, and exit codes. */
import { Command, Option } from 'commander';
import { RunError } from '../errors.js';
import { endTogether, joinForJob } from '../jobs/join-cluster.js';
import type { TrainingJob } from '../jobs/job.js';
import { isChanged, resumedSettings, runToResume } from '../jobs/resume.js';
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
import { openOutput } from './output.js';
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

/** The settings of a command. */
export const settingsOf = (command: RunCommand) =>
  settingsList.filter(({ only }) => !only || only === command).map(({ name }) => name);

/** Gives a command the flags of the settings, and those of a run. */
export function addTrainingFlags(command: Command, name: RunCommand): Command {
  addSettings(
    command,
    settingsOf(name).filter((setting) => setting !== 'runFolder'),
  );
  const run = (flags: string, description: string) =>
    command.addOption(new Option(flags, description).helpGroup('Run:'));
  run('--run-folder <folder>', 'where all that the run makes goes (default: runs/ and the time)');
  run('--config <file>', 'settings from a JSON or YAML file; the environment and flags go before them');
  run('--print-config', 'shows every setting and where it came from, and does nothing else');
  run(
    '--resume [run]',
    'goes on from the newest whole checkpoint: of that run, of --run-folder, or of the newest unfinished run of this command',
  );
  run('--allow-changed-settings', 'with --resume: takes other settings than the run was begun with');
  run('--json', 'for machines: the journal, one JSON object a line; words for people go to standard error');
  return command;
}

/** The settings and the folder of a run that is asked for; without a folder it gets a new one. */
function choose(
  name: RunCommand,
  layers: SettingsLayer[],
  fresh: ResolvedSettings,
  flags: Flags,
): { resolved: ResolvedSettings; run?: RunFolder } {
  const named = fresh.origins.runFolder === 'default' ? undefined : new RunFolder(fresh.settings.runFolder);
  if (flags.resume === undefined) {
    if (named?.hasTrained)
      throw new RunError(
        'RUN_EXISTS',
        `${named.folder} holds a run already (${named.state}). Go on with it by --resume, or name another folder (--run-folder).`,
        { folder: named.folder, state: named.state },
      );
    return { resolved: fresh, ...(named && { run: named }) };
  }
  // A scheduler gives the same command each time: the first time there is nothing to resume.
  if (flags.resume === true && named && !named.hasTrained) return { resolved: fresh, run: named };
  const run = runToResume(name, flags.resume === true ? (named?.folder ?? true) : flags.resume);
  return { resolved: resumedSettings(run, layers, flags.allowChangedSettings ?? false), run };
}

/** Does what the chief says. */
async function follow(
  cluster: Cluster,
  work: () => Promise<TrainingJob>,
  say: (words: string) => void,
): Promise<number> {
  const settings = cluster.ranks.fromChief<Settings | undefined>(undefined);
  if (settings) return (await (await work()).follow(cluster, settings, say)).exitCode;
  await cluster.leave();
  return 0;
}

/**
 * Runs a training command to its end and sets the exit code.
 * @param work the job; loaded when it is needed, since TensorFlow takes a second
 */
export async function runTrainingCommand(
  name: RunCommand,
  command: Command,
  work: () => Promise<TrainingJob>,
): Promise<void> {
  const flags = command.opts<Flags>();
  const output = openOutput(flags.json ?? false);
  let cluster: Cluster | undefined;
  let run: RunFolder | undefined;
  try {
    const layers = [...(flags.config ? [configLayer(flags.config)] : []), environmentLayer(), flagsLayer(command)];
    const fresh = resolveSettings(layers);
    const definition = clusterOfEnvironment();
    const mlflow = mlflowOfEnvironment();
    if (definition && !flags.printConfig) {
      cluster = await joinForJob(definition, name, fresh.settings, (words) => output.say(words));
      if (!cluster.ranks.isChief) {
        process.exitCode = await follow(cluster, work, (words) => output.say(words));
        return;
      }
    }
    const chosen = choose(name, layers, fresh, flags);
    const { resolved } = chosen;
    if (flags.printConfig) {
      console.log(describeConfig(settingsOf(name), resolved, flags.json));
      return;
    }
    run = chosen.run;
    if (
      run?.isRun &&
      !isChanged(run, resolved.settings) &&
      (run.state === 'completed' || run.state === 'early stopping')
    ) {
      output.say(
        `${run.folder} is finished (${run.state}): nothing is left to do. Its report: ${run.of('report.html')}`,
      );
      cluster?.ranks.fromChief(undefined);
      await cluster?.leave();
      return;
    }
    run ??= new RunFolder(newRunFolder());
    resolved.settings.runFolder = run.folder;
    output.say(`Run ${run.folder}`);
    cluster?.ranks.fromChief(resolved.settings);
    const { lead } = await work();
    const { end, exitCode } = await lead({ resolved, run, mlflow, cluster, onEntry: (entry) => output.entry(entry) });
    output.stop();
    if (end === 'interrupted') output.say(`\nInterrupted. Go on with: tunebook ${name} --resume ${run.folder}`);
    else output.say(`${'Model'.padEnd(13)}${run.of('model')}\n${'Report'.padEnd(13)}${run.of('report.html')}`);
    process.exitCode = exitCode;
  } catch (thrown) {
    const error = cluster ? await endTogether(cluster, thrown) : thrown;
    output.stop();
    reportError(error);
  }
}
