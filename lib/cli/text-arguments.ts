/** Texts as arguments of a command. A text may begin with a dash, such as "-1 star", and must not be taken for a flag. */
import { SettingsError } from '../errors.js';
import { didYouMean } from '../settings/did-you-mean.js';

/** Whether an argument has the form of a flag: -x, --some-flag or --some-flag=value. */
export const isFlagLike = (argument: string): boolean => /^--?[a-z][a-z0-9]*([-_][a-z0-9]+)*(=.*)?$/is.test(argument);

/**
 * Selects the texts among the arguments that are not known flags.
 * @param args arguments of a command that allows unknown options
 * @param argv the whole command line: arguments after `--` are texts in any case
 * @param flags known flags, for the suggestion
 * @throws SettingsError for an argument that has the form of a flag and is not known
 */
export function textsOfArguments(args: string[], argv: readonly string[], flags: string[]): string[] {
  const end = argv.indexOf('--');
  const literal = end === -1 ? [] : argv.slice(end + 1);
  const others = args.slice(0, args.length - literal.length).filter((argument) => argument !== '--');
  const unknown = others.find(isFlagLike);
  if (unknown !== undefined)
    throw new SettingsError(
      'SETTING_UNKNOWN',
      `Unknown flag ${unknown}.${didYouMean(unknown, flags)} If it is a text, put -- before the texts: npx tunebook score -- '${unknown}'`,
      { name: unknown },
    );
  return [...others, ...literal];
}
