// Types of kernel-specification.mjs for the library, which is compiled without JavaScript files.
export const kernelName: string;
export function kernelSpecification(tslab: string): string;
