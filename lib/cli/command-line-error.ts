/** Errors of the command line as SettingsErrors: commander has only texts for them, and does not know the names of other tools. */
import { CommanderError, type Command } from 'commander';
import { SettingsError } from '../errors.js';
import { spellings } from '../settings/settings.js';
import { didYouMean } from '../settings/did-you-mean.js';
import { dashed, settingText } from '../settings/setting-text.js';
import { insteadOf } from '../settings/unknown-setting.js';

/** Makes a command throw errors instead of printing them and ending the process, and wrap its help; its subcommands inherit this. */
export const throwErrors = (command: Command): Command =>
  command
    .configureOutput({ outputError() {} })
    // Descriptions beside long flags are wrapped too; by default they need 40 columns.
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 30 })
    .showSuggestionAfterError(false)
    .exitOverride();

/** The error for a command that does not exist. */
export function unknownCommand(program: Command, name: string): SettingsError {
  const names = program.commands.map((command) => command.name());
  return new SettingsError(
    'SETTING_UNKNOWN',
    `There is no command '${name}'.${didYouMean(name, names)} Commands: ${names.join(', ')}.`,
    { name, commands: names },
  );
}

/** The flags of a command, and those of its settings under their other names. */
function flagsOf({ options }: Command): Map<string, string> {
  const own = options.flatMap(({ long }) => long ?? []);
  const aliases = spellings.filter(({ name }) => own.includes(`--${dashed(name)}`)).map(({ spelling }) => spelling);
  return new Map([...own, ...aliases.map((alias) => `--${dashed(alias)}`)].map((flag) => [flag.slice(2), flag]));
}

/**
 * Converts an error of commander; other errors, and the end after --help and --version, are returned unchanged.
 * @param program the parsed command line
 * @param argv its arguments as written, without program names
 */
export function commandLineError(error: unknown, program: Command, argv: readonly string[]): unknown {
  // Without a command, commander prints the help to standard error.
  if (!(error instanceof CommanderError) || /^commander\.(help|version)/.test(error.code)) return error;
  const command = program.commands.find((each) => each.name() === argv[0]) ?? program;
  const title = command === program ? program.name() : `${program.name()} ${command.name()}`;
  const help = program.commands.length === 0 ? `${title} --help` : `npx tunebook help ${command.name()}`;
  const seeHelp = `'${command === program && program.commands.length > 0 ? 'npx tunebook help' : help}' lists all options.`;
  // A flag may be written with its value: --flag=value.
  const [, quoted = ''] = /'([^'=]*)(?:=[^']*)?'/.exec(error.message) ?? [];
  if (error.code === 'commander.unknownCommand') return unknownCommand(program, quoted);
  if (error.code === 'commander.unknownOption') {
    const written =
      argv.map((arg) => arg.split('=')[0]!).find((flag) => flag.replaceAll('_', '-') === quoted) ?? quoted;
    return new SettingsError(
      'SETTING_UNKNOWN',
      `${title} has no option ${written}.${insteadOf(quoted.replace(/^-+/, ''), flagsOf(command), settingText)} ${seeHelp}`,
      { name: written },
    );
  }
  const message = error.message.replace(/^error: (.)/, (_, first: string) => first.toUpperCase()).replace(/\.?$/, '.');
  return new SettingsError('SETTING_INVALID', `${title}: ${message} ${seeHelp}`, { argv });
}
