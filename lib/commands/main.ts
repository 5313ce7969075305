/** The command line: `npx tunebook …`. Each command loads what it needs when it is called: --help needs no TensorFlow. */
import { Command, CommanderError } from 'commander';
import { exitCodeOf, exitCodes, wordsOf } from '../runs/exit-codes.js';
import { withDashes } from './settings-flags.js';
import { addTrainingFlags, runTrainingCommand } from './training-command.js';

const afterHelp = `
Every setting has an environment variable, TUNEBOOK_LEARNING_RATE for --learning-rate; underscores in flags are as good as dashes.
Exit codes: 0 done, 1 unexpected, 2 refused before any work, 3 model or reviews cannot be used, 4 diverged, 5 disk full,
129, 130 and 143 ended by SIGHUP, SIGINT or SIGTERM, with a checkpoint to --resume from.`;

const program = new Command('tunebook')
  .description('Fine-tunes language models on reviews, in TypeScript.')
  .showHelpAfterError("'tunebook help COMMAND' lists its flags.")
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

const finetune = addTrainingFlags(
  program
    .command('finetune')
    .description('Fine-tunes a classifier: model, reviews, training, test, report.')
    .addHelpText('after', afterHelp),
  'finetune',
);
finetune.action(async () => {
  const { checkFinetune } = await import('../runs/finetune-settings.js');
  await runTrainingCommand(
    'finetune',
    finetune,
    checkFinetune,
    async () => (await import('../runs/finetune.js')).finetune,
  );
});

try {
  await program.parseAsync(withDashes(process.argv));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.refused;
  else {
    console.error(wordsOf(error));
    process.exitCode = exitCodeOf(error);
  }
}
