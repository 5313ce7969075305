// Types of lock.mjs for the tests.
export function lockHolder(file: string): string;
export function lockContent(): string;
export function lock(file: string, what: string): Promise<() => void>;
