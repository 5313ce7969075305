// Every value that `tunebook` exports has an example in its docstring, and the examples compile.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import * as tunebook from 'tunebook';
import { root } from '../checkout.js';
import { describeProblem, type Block } from './blocks.js';
import { checkTypes } from './typescript-blocks.js';

/** Declares what the examples use without creating it; one line, so that line numbers of errors are those of the example. */
const preamble =
  `import { ${Object.keys(tunebook).join(', ')} } from 'tunebook'; import type * as types from 'tunebook'; ` +
  'declare const settings: types.Settings; declare const source: types.ReviewSource; ' +
  'declare const reviews: types.LoadedReviews; declare const sample: types.Review[]; declare const labels: string[]; ' +
  'declare const model: types.TextClassifier; declare const trainer: types.Trainer<types.TextClassifier>; ' +
  'declare const maskedModel: types.MaskedLM; declare const batch: types.EncodedBatch; declare const logits: Float32Array; ' +
  'declare const validationSet: types.EncodedReviews; declare const testSet: types.EncodedReviews; ' +
  'declare const metrics: types.ClassificationMetrics; declare const prepared: types.PreparedReviews; {';

const indexFile = path.join(root, 'lib/index.ts');
const program = ts.createProgram([indexFile], { module: ts.ModuleKind.NodeNext, skipLibCheck: true, types: ['node'] });
const checker = program.getTypeChecker();

/** Returns the values that a module exports, those of `figures` included. */
function exportedValues(module: ts.Symbol, values: object): ts.Symbol[] {
  return checker.getExportsOfModule(module).flatMap((symbol) => {
    const value = (values as Record<string, unknown>)[symbol.name];
    // The classes of `errors` are described by their base class.
    if (value === undefined || value === tunebook.errors) return [];
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return value === tunebook.figures ? exportedValues(target, tunebook.figures) : [target];
  });
}

const examplesOf = (symbol: ts.Symbol): Block[] =>
  symbol
    .getJsDocTags(checker)
    .filter(({ name }) => name === 'example')
    .map(({ text }) => ({
      file: path.relative(root, symbol.declarations![0]!.getSourceFile().fileName),
      line: 0,
      language: 'ts',
      code: `${preamble}\n${ts.displayPartsToString(text)}\n}`,
    }));

test('every exported value has an example that compiles', () => {
  const values = exportedValues(checker.getSymbolAtLocation(program.getSourceFile(indexFile)!)!, tunebook);
  assert.ok(values.length > 60, String(values.length));
  const examples = values.flatMap((symbol) => {
    const found = examplesOf(symbol);
    assert.ok(found.length > 0, `${symbol.name} has no @example`);
    return found;
  });
  assert.equal(checkTypes(examples).map(describeProblem).join('\n'), '');
  const [first] = examples;
  assert.ok(checkTypes([{ ...first!, code: `${first!.code}\nnothing;` }]).length > 0);
});
