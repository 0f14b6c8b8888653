/** One at a time, in the order asked: what is measured has the machine to itself. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const mine = before.then(act);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
