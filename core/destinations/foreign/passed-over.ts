/**
 * Counts the messages that are not sent because they are not chosen: they are done together with the one that was sent before or is sent behind them, so
 * that the cursor moves over them too.
 */
export class PassedOver {
  /** How many messages of the spool each sent one stands for; the first `#first` are done. */
  #stands: number[] = []
  #first = 0
  #passed = 0

  pass(): void {
    this.#passed++
  }

  send(): void {
    this.#stands.push(1 + this.#passed)
    this.#passed = 0
  }

  /** The record has ended. @param left its messages that are not done @returns how many are, because nothing was sent that they could wait for */
  end(left: number): number {
    const passed = this.#passed
    this.#passed = 0
    if (left <= passed) return passed
    this.#stands[this.#stands.length - 1]! += passed
    return 0
  }

  /** @returns how many messages of the spool that is */
  done(sent: number): number {
    let messages = 0
    for (let index = 0; index < sent; index++) messages += this.#stands[this.#first++]!
    if (this.#first > 1024 && this.#first * 2 > this.#stands.length) {
      this.#stands = this.#stands.slice(this.#first)
      this.#first = 0
    }
    return messages
  }

  clear(): void {
    this.#stands = []
    this.#first = 0
    this.#passed = 0
  }
}
