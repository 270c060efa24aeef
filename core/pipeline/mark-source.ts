import type { Clock } from '../base/clock.ts'
import { formatDuration } from '../base/quantities.ts'
import { markMessage } from '../syslog/mark.ts'
import { formatTimestamp } from '../syslog/timestamp.ts'
import { BatchBuilder, type PayloadReceiver } from './batch-builder.ts'
import type { Source } from './unix-datagram.ts'

/** Of classic syslogds, and what an imported configuration gets. */
export const MARK_EVERY_MS = 20 * 60_000
export const MARK_MIN_MS = 1000
export const MARK_MAX_MS = 7 * 86_400_000

/** A mark after each interval, the first one interval after the start; whatever else is logged meanwhile. */
export class MarkSource implements Source {
  readonly name: string
  readonly #builder: BatchBuilder
  readonly #timer: NodeJS.Timeout

  constructor(everyMs: number, hostname: string, receiver: PayloadReceiver, clock: Clock) {
    this.name = `mark every ${formatDuration(everyMs)}`
    this.#builder = new BatchBuilder(receiver, clock)
    this.#timer = setInterval(() => this.#builder.add(markMessage(formatTimestamp(clock.wallUs()), hostname)), everyMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#builder.flush()
  }
}
