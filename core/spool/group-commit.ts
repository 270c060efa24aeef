/**
 * One sync covers all that waits: at most one is under way, and what is asked meanwhile is served by the next one.
 * A failed sync rejects all that waited for it.
 */
export class GroupCommit {
  readonly #sync: () => Promise<void>
  #waiting: Array<{ resolve: () => void; reject: (reason: unknown) => void }> = []
  #running = false

  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  /** Resolves when a sync that was started after this call has returned. */
  request(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#waiting.length > 0) {
      const served = this.#waiting
      this.#waiting = []
      try {
        await this.#sync()
        for (const one of served) one.resolve()
      } catch (error) {
        for (const one of served) one.reject(error)
      }
    }
    this.#running = false
  }
}
