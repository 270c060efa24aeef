/** Who wants to be told of something that happens again and again. */
export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** @param listener must not throw. @returns what ends it */
  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
