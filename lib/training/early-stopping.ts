/**
 * Ends training when the validation accuracy has stopped rising. The least gain that counts is small: the Python
 * project this answers asked for 0.1, which no run above 0.9 can ever gain, so every long run ended after four looks.
 */
export class EarlyStopping {
  #best = -Infinity;
  #reference = -Infinity;
  #without = 0;

  /**
   * @param patience evaluations without improvement that are borne; 0 for any number
   * @param threshold the least gain that counts
   */
  constructor(
    private readonly patience: number,
    private readonly threshold: number,
  ) {}

  /** @returns whether this is the best so far, and whether to stop */
  see(accuracy: number): { best: boolean; stop: boolean } {
    const best = accuracy > this.#best;
    if (best) this.#best = accuracy;
    if (accuracy >= this.#reference + this.threshold) {
      this.#reference = accuracy;
      this.#without = 0;
    } else this.#without++;
    return { best, stop: this.patience > 0 && this.#without >= this.patience };
  }
}
