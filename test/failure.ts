// Assertions about errors: their class, their code and the offending values. Messages may be reworded.
import assert from 'node:assert/strict';
import type { TunebookError } from '#lib/errors.js';

/**
 * Returns a check for assert.throws and assert.rejects: the error has this class and this code.
 * @param values expected values of the error, by name; others are ignored
 */
export const failure =
  <Kind extends TunebookError>(
    kind: abstract new (...args: never[]) => Kind,
    code: string,
    values: Record<string, unknown> = {},
  ) =>
  (error: unknown): true => {
    assert.ok(error instanceof kind, error instanceof Error ? error.stack : String(error));
    assert.equal(error.code, code, error.message);
    for (const [name, value] of Object.entries(values))
      assert.deepEqual(error.values[name], value, `${name}: ${error.message}`);
    return true;
  };

/** Returns the class and the code of the error that a command printed. */
export function printedError(stderr: string): [name: string | undefined, code: string | undefined] {
  const [, name, code] = /^(\w+) \[([A-Z_]+)\]: /m.exec(stderr) ?? [];
  return [name, code];
}

/** Asserts that a command ended with this exit code and printed this error, with these values in its message. */
export function assertFailed(
  { status, stderr }: { status: number | null; stderr: string },
  exitCode: number,
  name: string,
  code: string,
  ...values: string[]
): void {
  assert.deepEqual([status, ...printedError(stderr)], [exitCode, name, code], stderr);
  for (const value of values) assert.ok(stderr.includes(value), `${value}: ${stderr}`);
}
