// The fenced blocks of the documentation, each with its place, so that what is wrong in one is said by file and line.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { root } from '../checkout.js';

export interface Block {
  /** Relative to the checkout. */
  file: string;
  /** The line of the fence; the first line of the code is the next. */
  line: number;
  language: string;
  code: string;
}

/** What is wrong in a block. */
export interface Problem {
  file: string;
  line: number;
  message: string;
}

export const describeProblem = ({ file, line, message }: Problem): string => `${file}:${line}: ${message}`;

/** A problem in a line of a block's code, counted from 1. */
export const problemAt = ({ file, line }: Block, lineOfCode: number, message: string): Problem => ({
  file,
  line: line + lineOfCode,
  message,
});

type Node = ReturnType<typeof fromMarkdown>['children'][number] | ReturnType<typeof fromMarkdown>;

/** The fenced blocks of a page, those in lists and quotations too. */
export function blocksOf(file: string, markdown: string): Block[] {
  const visit = (node: Node): Block[] => {
    if (node.type === 'code')
      return [{ file, line: node.position!.start.line, language: node.lang ?? '', code: node.value }];
    return 'children' in node ? (node.children as Node[]).flatMap(visit) : [];
  };
  return visit(fromMarkdown(markdown));
}

/** Every page that git tracks or would track. */
export function pages(): string[] {
  const argv = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
  const { status, stdout, stderr } = spawnSync('git', argv, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git does not say which pages there are: ${stderr}`);
  return stdout.split('\n').filter((file) => file !== '' && fs.existsSync(path.join(root, file)));
}

export const blocksOfPages = (): Block[] =>
  pages().flatMap((file) => blocksOf(file, fs.readFileSync(path.join(root, file), 'utf8')));
