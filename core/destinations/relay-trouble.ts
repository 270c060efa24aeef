import type { Clock } from '../base/clock.ts'
import type { Log, LogFields } from '../base/log.ts'

/** Two logs of the same trouble are at least this far apart. */
const REPEAT_MS = 60_000

/** What is wrong with the way to a relay, or to another destination: told when it changes, and once a minute while it lasts. */
export class RelayTrouble {
  readonly #log: Log
  readonly #clock: Clock
  readonly #event: string
  #sentence = ''
  #toldMs = 0

  /** @param event name of the line in the log */
  constructor(log: Log, clock: Clock, event = 'relay-failed') {
    this.#event = event
    this.#log = log
    this.#clock = clock
  }

  /** Empty since something was achieved. */
  get sentence(): string {
    return this.#sentence
  }

  tell(sentence: string, remedy: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    if (sentence !== this.#sentence || nowMs - this.#toldMs > REPEAT_MS) {
      this.#log.warn(this.#event, `${sentence}. ${remedy}`, fields)
      this.#toldMs = nowMs
    }
    this.#sentence = sentence
  }

  clear(): void {
    this.#sentence = ''
  }
}
