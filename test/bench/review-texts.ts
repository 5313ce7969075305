// Generated texts for benchmarks: Markov chains over the words of the embedded reviews. One word in 25 is misspelled, so that
// new words keep appearing, as in real reviews.
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';

/** Returns a function that generates a text of a number of words. */
export async function reviewTexts(random: () => number): Promise<(count: number) => string> {
  const successors = new Map<string, string[]>();
  const words: string[] = [];
  for (const { text } of await sampleReviews(await embeddedReviews())) {
    const sentence = text.split(/\s+/);
    words.push(...sentence);
    sentence.slice(1).forEach((word, i) => {
      const list = successors.get(sentence[i]!);
      if (list) list.push(word);
      else successors.set(sentence[i]!, [word]);
    });
  }
  const pick = (list: string[]) => list[Math.floor(random() * list.length)]!;
  const misspell = (word: string) => {
    const index = Math.floor(random() * word.length);
    return word.slice(0, index) + String.fromCharCode(97 + Math.floor(random() * 26)) + word.slice(index + 1);
  };
  return (count) => {
    const generated = [pick(words)];
    while (generated.length < count) {
      const list = successors.get(generated.at(-1)!);
      const word = list && random() < 0.8 ? pick(list) : pick(words);
      generated.push(random() < 0.04 ? misspell(word) : word);
    }
    return generated.join(' ');
  };
}
