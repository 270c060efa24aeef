// Rate limits and sampling in front of a destination. A message over the limit is left out of that destination alone: it is counted, and told there in a line
// such as "213 messages of sshd at web01 suppressed, over 200/s, from ... to ...".
//
// Contract
// - One token bucket for each key (`per`): full at the start with `burst` tokens, filled with `rate`; a message takes one. Levels outside `levels` pass and
//   take none. Of what finds no token, one in `sample` passes.
// - The clock is the time of receipt that stands in the record, and nothing else: the same records give the same decisions and the same lines, whenever they
//   are read. What the buckets hold is saved with the position in the spool that it belongs to, so a replay after a crash leaves out what was left out before,
//   passes what has passed, and nothing is doubled or lost. A clock that is set back fills no bucket; one that is set forward fills them all.
// - The line comes with the first record, whoever it is from, 5 s after the last message that was suppressed, or 60 s after the first while that goes on. Where
//   no more records come at all it waits for the next one, also across a restart.
// - KEYS_LIMIT buckets, of which one host has HOST_KEYS_LIMIT at most; what is beyond shares one bucket of the host, or of all. A bucket that is full again
//   and has nothing to tell is forgotten. At most LINES_PER_RECORD lines come with one record.

import type { Metrics } from '../base/metrics.ts'
import { readLevels } from '../syslog/levels.ts'
import { MessageFields } from '../syslog/message-fields.ts'
import { type Bucket, BucketTable } from './bucket-table.ts'
import type { LimitOption } from './limit-options.ts'
import type { Selects } from './selects.ts'
import { chosenOf, type Planned, type Shaper } from './shaper.ts'
import type { RecordContext, SharedRecord } from './shared-records.ts'
import { type Suppression, suppressedLine } from './suppressed-line.ts'

const QUIET_US = 5_000_000
const TELL_US = 60_000_000
const LINES_PER_RECORD = 4
/** RFC 5424 section 6.2.5. */
const PROGRAM_LIMIT_BYTES = 48

export class LoadLimit implements Shaper {
  readonly #options: LimitOption
  readonly #selects: Selects | undefined
  readonly #metrics: Metrics
  readonly #levels: number
  readonly #burst: number
  readonly #perUs: number
  readonly #table: BucketTable
  readonly #fields = new MessageFields()
  /** Messages that each record that is not settled has left out. */
  #left: number[] = []
  #suppressed = 0

  /** @param saved what `saved()` gave for the position that is read from first */
  constructor(options: LimitOption, selects: Selects | undefined, saved: unknown, metrics: Metrics) {
    const levels = readLevels(options.levels)
    if (levels.kind === 'malformed') throw new RangeError(`Cannot limit the levels ${options.levels}: ${levels.reason}`)
    this.#options = options
    this.#selects = selects
    this.#metrics = metrics
    this.#levels = levels.bits
    this.#burst = options.rate === undefined ? 0 : (options.burst ?? options.rate.messages)
    this.#perUs = options.rate === undefined ? 0 : options.rate.messages / (options.rate.seconds * 1_000_000)
    this.#table = new BucketTable(saved, (bucket, nowUs) => bucket.suppressed === 0 && this.#tokens(bucket, nowUs) >= this.#burst)
  }

  shape(record: SharedRecord): readonly Planned[] {
    const { bytes, places, context } = record
    const nowUs = context.receivedUs
    this.#table.begin(nowUs)
    const parts: Planned[] = this.#lines(context, nowUs)
    const chosen = chosenOf(record, this.#selects)
    const messages = chosen.filter((index) => {
      context.sequence = context.firstSequence + index
      return this.#passes(bytes, places[index * 2]!, places[index * 2 + 1]!, context, nowUs)
    })
    if (messages.length > 0) parts.push({ record, messages })
    this.#table.end()
    this.#left.push(chosen.length - messages.length)
    return parts
  }

  settle(records: number): void {
    this.#table.settle(records)
    for (const left of this.#left.splice(0, records)) {
      this.#suppressed += left
      this.#metrics.add('messagesSuppressed', left)
    }
  }

  rewind(): void {
    this.#table.rewind()
    this.#left = []
  }

  saved(): unknown {
    return this.#table.saved()
  }

  status(): Record<string, string | number> {
    return { suppressed: this.#suppressed, limited_keys: this.#table.size, limited_keys_limit: BucketTable.KEYS_LIMIT }
  }

  #tokens({ tokens, atUs }: Bucket, nowUs: number): number {
    return Math.min(this.#burst, tokens + Math.max(0, nowUs - atUs) * this.#perUs)
  }

  #passes(bytes: Uint8Array, start: number, end: number, context: RecordContext, nowUs: number): boolean {
    const message = this.#fields
    message.begin(bytes, start, end)
    if (((this.#levels >>> (message.pri & 7)) & 1) === 0) return true
    const { per, rate, sample } = this.#options
    let program = ''
    if (per === 'program') {
      message.locate()
      program = message.field(message.appStart, Math.min(message.appEnd, message.appStart + PROGRAM_LIMIT_BYTES))
    }
    const bucket = this.#table.open(per === 'rule' ? '' : context.host, program, this.#burst)
    if (rate !== undefined) {
      bucket.tokens = this.#tokens(bucket, nowUs)
      bucket.atUs = nowUs
      if (bucket.tokens >= 1) {
        bucket.tokens--
        return true
      }
    }
    if (sample !== undefined && bucket.over++ % sample === 0) return true
    if (bucket.suppressed++ === 0) bucket.firstUs = nowUs
    bucket.lastUs = nowUs
    bucket.facility = message.pri >>> 3
    return false
  }

  #lines(context: RecordContext, nowUs: number): Planned[] {
    const due = this.#table.suppressing
      .filter(({ firstUs, lastUs }) => nowUs - lastUs >= QUIET_US || nowUs - firstUs >= TELL_US || nowUs < firstUs)
      // In an order that does not depend on how the table came about.
      .sort((a, b) => a.lastUs - b.lastUs || (`${a.host} ${a.program}` < `${b.host} ${b.program}` ? -1 : 1))
    return due.slice(0, LINES_PER_RECORD).map(({ host, program }) => {
      const bucket = this.#table.open(host, program, this.#burst)
      const told: Suppression = { ...bucket, per: this.#options.per, rate: this.#options.rate?.text, sample: this.#options.sample }
      bucket.suppressed = 0
      return suppressedLine(told, context)
    })
  }
}
