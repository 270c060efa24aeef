import type { Outlet } from './outlet.ts'

/** Takes everything and keeps nothing: what a rule sends here is gone on purpose, and counted as delivered. */
export class DiscardOutlet implements Outlet {
  readonly kind = 'discard'
  readonly name = 'discard'
  readonly guarantee = 'nothing is kept'
  readonly retryLimitMs = 1000
  #done = 0

  open(): void {
    this.#done = 0
  }

  add(): boolean {
    this.#done++
    return true
  }

  flush(): void {
    // There is nothing to send.
  }

  done(): number {
    return this.#done
  }

  close(): void {
    // There is nothing to close.
  }
}
