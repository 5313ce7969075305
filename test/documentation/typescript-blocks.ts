// Type-checks the TypeScript blocks of the documentation like files of a project that imports the package. All blocks are
// checked in one compiler program.
import path from 'node:path';
import ts from 'typescript';
import { root } from '../checkout.js';
import { problemAt, type Block, type Problem } from './blocks.js';

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  // Blocks without imports are modules too, so that their declarations are separate and they can use await.
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

/** Returns the compiler's errors in the blocks. */
export function checkTypes(blocks: Block[]): Problem[] {
  // The blocks are files at the root of the checkout, where the package is resolved as in any project that installs it.
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
    if (!block) throw new Error(`Compiler error outside the blocks: ${file?.fileName ?? ''} ${message}`);
    return problemAt(block, file.getLineAndCharacterOfPosition(start).line + 1, message);
  });
}
