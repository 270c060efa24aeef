import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import type { Outlet, OutletEvents } from './outlet.ts'
import { closeTerminal, openTerminal, type Shown, TerminalWrite, terminalLine } from './terminal.ts'

/** /dev/console or another terminal, by its path. */
export class ConsoleOutlet implements Outlet {
  readonly kind = 'console'
  readonly name: string
  readonly guarantee = 'shown if the terminal takes it within a second; what it does not take is counted and passed over'
  readonly retryLimitMs = 10_000
  readonly #format: LineMaker
  readonly #log: Log
  readonly #metrics: Metrics
  #fd = -1
  #events: OutletEvents | undefined
  #write: TerminalWrite | undefined
  #isBusy = false
  /** It has taken nothing for a whole second: it is not waited for until it takes something again. */
  #isStuck = false
  #done = 0
  #notShown = 0

  constructor(path: string, format: LineMaker, log: Log, metrics: Metrics) {
    this.name = path
    this.#format = format
    this.#log = log
    this.#metrics = metrics
  }

  open(events: OutletEvents): void {
    this.#fd = openTerminal(this.name)
    this.#events = events
    this.#done = 0
    this.#isBusy = false
  }

  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    if (this.#isBusy) return false
    const format = this.#format
    format.make(bytes, start, end, context)
    this.#isBusy = true
    let isNow = true
    this.#write = new TerminalWrite(this.#fd, terminalLine(format.bytes, format.start, format.end), !this.#isStuck, (shown) => {
      this.#isBusy = false
      if (shown === 'failed') {
        // Hung up: it has to be opened anew, and the message comes again.
        const error = Object.assign(new Error(`${this.name} was hung up`), { code: 'EIO' })
        if (isNow) throw error
        this.#events?.onFailed(error)
        return
      }
      this.#done++
      this.#note(shown)
      if (!isNow) this.#events?.onChange()
    })
    isNow = false
    return true
  }

  flush(): void {
    // Each has gone by itself.
  }

  done(): number {
    return this.#done
  }

  status(): Record<string, string | number> {
    return { not_shown: this.#notShown }
  }

  close(): void {
    this.#write?.stop()
    this.#write = undefined
    if (this.#fd !== -1) closeTerminal(this.#fd, this.#isStuck || this.#isBusy)
    this.#fd = -1
  }

  #note(shown: Shown): void {
    if (shown === 'shown') {
      if (this.#isStuck) this.#log.info('terminal-free', `${this.name} takes messages again`, { not_shown: this.#notShown })
      this.#isStuck = false
      return
    }
    this.#notShown++
    this.#metrics.add('messagesNotShown', 1)
    if (!this.#isStuck)
      this.#log.warn('terminal-stuck', `${this.name} takes no more messages: they are passed over until it does. Look at it (Ctrl-Q?)`, {})
    this.#isStuck = true
  }
}
