/**
 * Tests of single capabilities, as in CheckList (Ribeiro et al., 2020, arXiv:2005.04118). They show which phenomena a
 * model does not handle, which the accuracy on a test set does not. The sentences are generated from templates, so that
 * those of one capability differ only in the product they mention.
 */
import { wilsonInterval, type Interval } from './interval.js';

/** A test sentence with an unambiguous class. */
export interface Probe {
  capability: string;
  text: string;
  /** 0 negative, 1 positive. */
  label: number;
}

const things = ['camera', 'battery', 'screen', 'player', 'phone', 'router', 'case', 'lens', 'speaker', 'keyboard'];

/** Templates of the sentences; `{thing}` is replaced by each of `things`. */
const templates: { capability: string; text: string; label: number }[] = [
  { capability: 'direct statements', text: 'The {thing} is great.', label: 1 },
  { capability: 'direct statements', text: 'I love this {thing}.', label: 1 },
  { capability: 'direct statements', text: 'The {thing} is terrible.', label: 0 },
  { capability: 'direct statements', text: 'I hate this {thing}.', label: 0 },
  { capability: 'facts without opinion', text: 'The {thing} broke on the second day.', label: 0 },
  { capability: 'facts without opinion', text: 'I had to send the {thing} back twice.', label: 0 },
  { capability: 'facts without opinion', text: 'After three years the {thing} works as on the first day.', label: 1 },
  { capability: 'facts without opinion', text: 'I have since bought a second {thing} for my parents.', label: 1 },
  { capability: 'negated praise', text: 'The {thing} is not good.', label: 0 },
  { capability: 'negated praise', text: 'I would not recommend this {thing} to anyone.', label: 0 },
  { capability: 'negated criticism', text: 'The {thing} has never let me down.', label: 1 },
  { capability: 'negated criticism', text: 'There is nothing wrong with the {thing}.', label: 1 },
  { capability: "contrast with 'but'", text: 'The {thing} looks cheap, but it is excellent.', label: 1 },
  { capability: "contrast with 'but'", text: 'The {thing} looks beautiful, but it is useless.', label: 0 },
  { capability: 'misspellings', text: 'The {thing} is terribel, compleetly usless.', label: 0 },
  { capability: 'misspellings', text: 'The {thing} is excelent, absolutly wonderfull.', label: 1 },
];

/**
 * All test sentences, grouped by capability.
 * @example
 * const { logits } = await evaluate(model, model.encode(capabilityProbes()));
 */
export const capabilityProbes = (): Probe[] =>
  templates.flatMap(({ capability, text, label }) =>
    things.map((thing) => ({ capability, text: text.replace('{thing}', thing), label })),
  );

/** The result for one capability. */
export interface CapabilityResult {
  /** The capability. */
  name: string;
  accuracy: number;
  interval: Interval;
  count: number;
  /** The first misclassified sentence; empty if there is none. */
  example: string;
}

/**
 * Computes the accuracy of each capability.
 * @param probes the test sentences
 * @param predicted predicted class number of each sentence
 * @example
 * const probes = capabilityProbes();
 * const { logits } = await evaluate(model, model.encode(probes));
 * const predicted = predictions(logits, 2).map(({ label }) => label);
 * showTable(capabilityResults(probes, predicted).map(({ name, accuracy }) => ({ name, accuracy })));
 */
export function capabilityResults(probes: Probe[], predicted: number[]): CapabilityResult[] {
  return [...new Set(probes.map(({ capability }) => capability))].map((name) => {
    const rows = probes.flatMap(({ capability }, row) => (capability === name ? [row] : []));
    const wrong = rows.filter((row) => predicted[row] !== probes[row]!.label);
    return {
      name,
      accuracy: 1 - wrong.length / rows.length,
      interval: wilsonInterval(rows.length - wrong.length, rows.length),
      count: rows.length,
      example: wrong.length > 0 ? probes[wrong[0]!]!.text : '',
    };
  });
}
