/**
 * The character map of sentencepiece, by which XLM-R, ALBERT and DeBERTa normalize texts. The tokenizer of transformers.js
 * replaces every map by Unicode's NFKC, which differs for emoji sequences, decomposed letters and maps of its own. This is
 * what `tokenizers` computes (spm_precompiled 0.1.4, by Hugging Face): the map applies to a grapheme of fewer than 6 bytes as
 * a whole, else to its characters.
 */

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Characters that are divided at once, since the time of Intl.Segmenter grows with the square of their number. */
const blockLength = 1000;

/** The graphemes of a text. */
export function graphemesOf(text: string): string[] {
  const graphemes: string[] = [];
  for (let start = 0, length = blockLength; start < text.length;) {
    // Not between the two units of a character.
    const isInside = text.codePointAt(start + length - 1)! > 0xffff;
    const end = start + length + Number(isInside);
    const block = Array.from(segmenter.segment(text.slice(start, end)), ({ segment }) => segment);
    // The last grapheme may continue after the block. Others do not depend on what follows or precedes them.
    if (end < text.length) block.pop();
    length = block.length === 0 ? 2 * length : blockLength;
    for (const grapheme of block) {
      graphemes.push(grapheme);
      start += grapheme.length;
    }
  }
  return graphemes;
}

/** Bytes of a grapheme from which it is not looked up as a whole. */
const maxGraphemeBytes = 6;

/**
 * Creates the function that normalizes texts.
 * @param charsmap `precompiled_charsmap` of tokenizer.json: in base64, the size of a trie in bytes (uint32), the trie, and
 * texts that end with a zero byte. The trie is a double array (Darts) of UTF-8 keys, whose values are offsets of texts
 */
export function charsmapNormalizer(charsmap: string): (text: string) => string {
  const bytes = Buffer.from(charsmap, 'base64');
  const size = bytes.readUInt32LE(0);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const texts = bytes.subarray(4 + size);
  // A unit has the label of its byte, whether a value follows, and where its children are.
  const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
  const labelOf = (unit: number) => (unit & 0x800000ff) >>> 0;

  /** The text for the shortest key with which a part begins. */
  const lookUp = (part: string): string | undefined => {
    let at = offsetOf(units[0]!);
    for (const byte of Buffer.from(part)) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = units[at];
      if (unit === undefined || labelOf(unit) !== byte) return undefined;
      at ^= offsetOf(unit);
      if (unit & 0x100) {
        const from = units[at]! & 0x7fffffff;
        return texts.toString('utf8', from, texts.indexOf(0, from));
      }
    }
    return undefined;
  };
  const known = new Map<string, string>();
  const replacementOf = (grapheme: string): string => {
    const cached = known.get(grapheme);
    if (cached !== undefined) return cached;
    const whole = Buffer.byteLength(grapheme) < maxGraphemeBytes ? lookUp(grapheme) : undefined;
    const replacement = whole ?? Array.from(grapheme, (character) => lookUp(character) ?? character).join('');
    // There are few graphemes of one character; sequences of them are unlimited.
    if (grapheme.length === 1) known.set(grapheme, replacement);
    return replacement;
  };
  // In ASCII without carriage returns each character is a grapheme, and most maps keep the printable ones.
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  const keepsPrintable = printable.every((character) => replacementOf(character) === character);
  const changed = keepsPrintable ? /[\t\n]/gu : /[\t\n -~]/gu;
  return (text) =>
    /^[\t\n -~]*$/u.test(text)
      ? text.replaceAll(changed, replacementOf)
      : graphemesOf(text).map(replacementOf).join('');
}
