// The TypeScript of the documentation, type-checked as a reader's own file that imports the package: one program for all blocks.
import path from 'node:path';
import ts from 'typescript';
import { root } from '../checkout.js';
import { problemAt, type Block, type Problem } from './blocks.js';

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  // A block without an import is a module too: what it declares is its own, and it may await.
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

/** What the compiler has to say of blocks. */
export function checkTypes(blocks: Block[]): Problem[] {
  // They are seen as files at the top of the checkout, from where the package is found as from any project that has it.
  const files = new Map(blocks.map((block, i) => [path.join(root, `block-${i}.ts`), block]));
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    getCurrentDirectory: () => root,
    fileExists: (name) => files.has(name) || disk.fileExists(name),
    readFile: (name) => files.get(name)?.code ?? disk.readFile(name),
    getSourceFile(name, version, ...others) {
      const block = files.get(name);
      return block ? ts.createSourceFile(name, block.code, version) : disk.getSourceFile(name, version, ...others);
    },
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, ' ');
    const block = file && files.get(file.fileName);
    if (!block) throw new Error(`The compiler does not get as far as the blocks: ${file?.fileName ?? ''} ${message}`);
    return problemAt(block, file.getLineAndCharacterOfPosition(start).line + 1, message);
  });
}
