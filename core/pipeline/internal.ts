import type { Clock } from '../base/clock.ts'
import type { Log, LogEvent } from '../base/log.ts'
import { priOf, type Severity } from '../syslog/priority.ts'
import { formatTimestamp } from '../syslog/timestamp.ts'
import { BatchBuilder, type PayloadReceiver } from './batch-builder.ts'
import { LOSS_EVENT } from './loss.ts'
import type { Source } from './unix-datagram.ts'

const SEVERITY: Readonly<Record<LogEvent['level'], Severity>> = { debug: 'debug', info: 'info', warn: 'warning', error: 'err' }

/** The daemon's own events as messages of facility syslog; MSGID is the event's name. */
export class InternalSource implements Source {
  readonly name = 'internal'
  readonly #builder: BatchBuilder
  #isStopped = false

  constructor(log: Log, app: string, hostname: string, receiver: PayloadReceiver, clock: Clock) {
    this.#builder = new BatchBuilder(receiver, clock)
    log.onEvent((event) => {
      // That one stands in the file already, stored where nothing else would be.
      if (this.#isStopped || event.event === LOSS_EVENT) return
      let text = event.text
      for (const [key, value] of Object.entries(event.fields)) if (value !== undefined) text += ` ${key}=${value}`
      const pri = priOf('syslog', SEVERITY[event.level])
      this.#builder.add(
        Buffer.from(`<${pri}>1 ${formatTimestamp(clock.wallUs())} ${hostname} ${app} ${process.pid} ${event.event.slice(0, 32)} - ${text}`),
      )
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#builder.flush()
  }
}
