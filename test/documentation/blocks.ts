// Finds the fenced blocks of the documentation, with file and line for the messages about problems.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { root } from '../checkout.js';

export interface Block {
  /** Path relative to the checkout. */
  file: string;
  /** The line of the fence; the code begins on the next line. */
  line: number;
  language: string;
  code: string;
}

/** A problem in a block. */
export interface Problem {
  file: string;
  line: number;
  message: string;
}

export const describeProblem = ({ file, line, message }: Problem): string => `${file}:${line}: ${message}`;

/** Creates a problem in a line of a block's code, from 1. */
export const problemAt = ({ file, line }: Block, lineOfCode: number, message: string): Problem => ({
  file,
  line: line + lineOfCode,
  message,
});

type Node = ReturnType<typeof fromMarkdown>['children'][number] | ReturnType<typeof fromMarkdown>;

/** Returns the fenced blocks of a page, including those in lists and quotations. */
export function blocksOf(file: string, markdown: string): Block[] {
  const visit = (node: Node): Block[] => {
    if (node.type === 'code')
      return [{ file, line: node.position!.start.line, language: node.lang ?? '', code: node.value }];
    return 'children' in node ? (node.children as Node[]).flatMap(visit) : [];
  };
  return visit(fromMarkdown(markdown));
}

/** Returns every Markdown file that git tracks or would track. */
export function pages(): string[] {
  const argv = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
  const { status, stdout, stderr } = spawnSync('git', argv, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ls-files failed: ${stderr}`);
  return stdout.split('\n').filter((file) => file !== '' && fs.existsSync(path.join(root, file)));
}

export const blocksOfPages = (): Block[] =>
  pages().flatMap((file) => blocksOf(file, fs.readFileSync(path.join(root, file), 'utf8')));
