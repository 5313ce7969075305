// What the README says was measured is what the results' files hold.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import prettier from 'prettier';
import { measurements, readAccuracy, readmeFile, readServing, readSpeed, withMeasurements } from './readme.js';

test("the README's measurements are those of the results' files", async () => {
  const readme = fs.readFileSync(readmeFile, 'utf8');
  const wanted = withMeasurements(readme, measurements(readSpeed(), readAccuracy(), readServing()));
  const options = await prettier.resolveConfig(readmeFile);
  assert.equal(await prettier.format(wanted, { ...options, filepath: readmeFile }), readme);
});
