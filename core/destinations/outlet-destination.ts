// Follows the spool for an outlet: passes over what is not selected, hands on the rest, and moves the cursor over what is done. What fails or hangs here
// stops nothing else: the outlet never blocks, and the cursor is this destination's own.

import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { errnoOf, LoghopError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { StateMachine } from '../base/state.ts'
import type { Attachment } from '../spool/attachment.ts'
import type { Position } from '../spool/position.ts'
import type { Spool } from '../spool/spool.ts'
import type { Destination } from './destination.ts'
import type { Outlet } from './outlet.ts'
import { RelayTrouble } from './relay-trouble.ts'
import type { Selects } from './selects.ts'
import { chosenOf, type Planned, type Shaper } from './shaper.ts'
import type { SharedChunk, SharedRecord, SharedRecords } from './shared-records.ts'

const RETRY_FIRST_MS = 100
/** Messages that are taken in one turn of the event loop before others have theirs. */
const MESSAGES_PER_TURN = 4096
/** Records that are handed over in part or whole and not done; then it waits. */
const PENDING_LIMIT = 4096

/** A record that was handed over, at least in part. */
interface Pending {
  readonly startOffset: number
  readonly end: Position
  /** Messages added since `open` before this record, and with it; the latter is -1 while it is being walked. */
  readonly addedBefore: number
  addedAfter: number
}

/** A record of which so many of the chosen messages were done when the outlet failed. */
interface Resume {
  readonly segment: number
  readonly offset: number
  readonly done: number
}

interface OutletExtra {
  readonly shaper: unknown
}

/** What the shaper of an outlet's destination has saved with the cursor. */
export function savedByShaper(attachment: Attachment): unknown {
  return (attachment.restored?.extra as OutletExtra | undefined)?.shaper
}

type State = 'idle' | 'waiting' | 'open' | 'stopped'
const NEXT = {
  idle: ['open', 'waiting', 'stopped'],
  waiting: ['open', 'waiting', 'stopped'],
  open: ['waiting', 'stopped'],
  stopped: [],
} as const

export class OutletDestination implements Destination {
  readonly #outlet: Outlet
  readonly #selects: Selects | undefined
  readonly #shaper: Shaper | undefined
  readonly #records: SharedRecords
  readonly #spool: Spool
  readonly #attachment: Attachment
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #trouble: RelayTrouble
  readonly #backoff: Backoff
  readonly #state: StateMachine<State>
  #retry: NodeJS.Timeout | undefined
  #chunk: SharedChunk | undefined
  /** Index of the chunk's record that is walked, and of the message in it that comes next. */
  #record = 0
  #message = 0
  /** What the shaper has made of that record, and which part of it is walked. */
  #parts: readonly Planned[] = []
  #part = 0
  #pending: Pending[] = []
  #added = 0
  #resume: Resume | undefined
  /** Chosen messages at the start of the record that is walked which are done already. */
  #alreadyDone = 0
  #delivered = 0
  #isScheduled = false
  /** All that was durable at the last look has been handed over. */
  #isCaughtUp = false
  #onProgress: (() => void) | undefined
  readonly #unsubscribe: () => void

  /**
   * @param selects everything when left out
   * @param shaper chooses instead where it is given
   */
  constructor(
    outlet: Outlet,
    selects: Selects | undefined,
    records: SharedRecords,
    spool: Spool,
    attachment: Attachment,
    log: Log,
    metrics: Metrics,
    clock: Clock,
    shaper?: Shaper,
  ) {
    this.#outlet = outlet
    this.#selects = selects
    this.#shaper = shaper
    this.#records = records
    this.#spool = spool
    this.#attachment = attachment
    this.#log = log
    this.#metrics = metrics
    this.#trouble = new RelayTrouble(log, clock, 'destination-failed')
    this.#backoff = new Backoff(RETRY_FIRST_MS, outlet.retryLimitMs)
    this.#state = new StateMachine<State>(`destination ${outlet.name}`, NEXT, 'idle')
    if (shaper !== undefined)
      attachment.checkpointFrom(() => ({ position: attachment.acknowledged, extra: { shaper: shaper.saved() } satisfies OutletExtra }))
    this.#unsubscribe = spool.onSynced(() => this.#schedule())
  }

  start(): void {
    this.#open()
  }

  status(): Record<string, string | number> {
    const { kind, name, guarantee } = this.#outlet
    return {
      kind,
      path: name,
      guarantee,
      state: this.#state.current,
      trouble: this.#state.is('open') ? '' : this.#trouble.sentence,
      delivered: this.#delivered,
      ...this.#outlet.status?.(),
      ...this.#shaper?.status(),
      lag_bytes: this.#spool.lagBytes(this.#attachment),
    }
  }

  moveWithin(spreadMs: number): void {
    if (this.#outlet.renew !== undefined) setTimeout(() => this.#outlet.renew?.(), Math.random() * spreadMs).unref()
  }

  recheck(): void {
    this.#outlet.renew?.()
  }

  /** Hands over what is there until all is done or the signal says that time is up. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#isCaughtUp = false
    while (this.#state.is('open') && !deadline.aborted && !this.#isHandedOver()) {
      await new Promise<void>((resolve) => {
        this.#onProgress = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
        this.#schedule()
      })
    }
    this.#onProgress = undefined
    if (this.#state.is('open') && !deadline.aborted) {
      await this.#outlet.end?.(deadline)
      if (this.#state.is('open')) this.#settleSafely()
    }
    this.#state.to('stopped')
    this.#unsubscribe()
    clearTimeout(this.#retry)
    this.#outlet.close()
  }

  close(): void {
    this.#chunk = undefined
  }

  /** Nothing is left to add; what is not done yet is the outlet's to end, where it can. */
  #isHandedOver(): boolean {
    return this.#isCaughtUp && (this.#pending.length === 0 || this.#outlet.end !== undefined)
  }

  #open(): void {
    try {
      this.#outlet.open({
        onChange: () => this.#schedule(),
        onFailed: (error) => this.#fail(error),
      })
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#state.to('open')
    this.#schedule()
  }

  /** Only for what the far end or the system does: anything else is a fault of ours and is thrown. */
  #fail(error: unknown): void {
    if (!(error instanceof LoghopError) && errnoOf(error) === undefined) throw error
    // It may be told twice: by what threw and by an event.
    if (this.#state.is('stopped') || this.#retry !== undefined) return
    this.#keepResume()
    this.#outlet.close()
    this.#pending = []
    this.#added = 0
    this.#chunk = undefined
    this.#shaper?.rewind()
    this.#attachment.follower.seek(this.#attachment.acknowledged)
    const { name, kind } = this.#outlet
    const known = error instanceof LoghopError
    const sentence = known ? error.message : `Cannot write to ${name}: ${(error as Error).message}`
    const remedy = `${known ? error.remedy : 'It is tried again by itself'}; the spool keeps everything meanwhile`
    const waitMs = this.#backoff.next()
    this.#trouble.tell(sentence, remedy, { kind, path: name, lag_bytes: this.#spool.lagBytes(this.#attachment) })
    this.#state.to('waiting')
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#open()
    }, waitMs)
    this.#onProgress?.()
  }

  /** Remembers how far the oldest record that is not done has come, so that one with many messages is not sent from its start again and again. */
  #keepResume(): void {
    const oldest = this.#pending[0]
    if (oldest === undefined) return
    let done = 0
    try {
      done = this.#outlet.done() - oldest.addedBefore
    } catch {
      // It says no more; what it had done by then is sent again.
    }
    const before = this.#resume
    this.#count(Math.max(0, done))
    const isSame = before?.segment === oldest.end.segment && before.offset === oldest.startOffset
    this.#resume = { segment: oldest.end.segment, offset: oldest.startOffset, done: Math.max(0, done) + (isSame ? before.done : 0) }
  }

  /** One pump for all that happens in one turn of the event loop. */
  #schedule(): void {
    if (this.#isScheduled || !this.#state.is('open')) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#state.is('open')) this.#pump()
      this.#onProgress?.()
    })
  }

  #pump(): void {
    try {
      this.#settle()
      const isMore = this.#handOver()
      this.#outlet.flush()
      this.#settle()
      if (isMore) this.#schedule()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** @returns whether there is more for another turn */
  #handOver(): boolean {
    let walked = 0
    for (let left = MESSAGES_PER_TURN; left > 0; ) {
      // Those that read together go in step, a chunk at a time, so that each finds what was read for another.
      if (walked > 0 && this.#chunk !== undefined && this.#record >= this.#chunk.records.length) return true
      const record = this.#currentRecord()
      if (record === undefined) return false
      for (; this.#part < this.#parts.length; this.#part++) {
        const { record: memory, messages } = this.#parts[this.#part]!
        const { places, bytes, context } = memory
        for (; this.#message < messages.length; this.#message++) {
          if (left-- === 0) return true
          const index = messages[this.#message]!
          context.sequence = context.firstSequence + index
          if (this.#alreadyDone > 0) this.#alreadyDone--
          else if (this.#outlet.add(bytes, places[index * 2]!, places[index * 2 + 1]!, context)) this.#added++
          else return false
        }
        this.#message = 0
      }
      walked++
      // Choosing costs time too.
      left -= 1 + (record.places.length >>> 1)
      this.#pending.at(-1)!.addedAfter = this.#added
      this.#record++
    }
    return true
  }

  /** The record that is walked; undefined when all that is durable is handed over, or too much is not done. */
  #currentRecord(): SharedRecord | undefined {
    if (this.#chunk !== undefined && this.#record >= this.#chunk.records.length) this.#chunk = undefined
    if (this.#chunk === undefined) {
      this.#chunk = this.#records.read(this.#attachment)
      this.#record = 0
      this.#isCaughtUp = this.#chunk === undefined
      if (this.#chunk === undefined) return undefined
    }
    const record = this.#chunk.records[this.#record]!
    const last = this.#pending.at(-1)
    if (last !== undefined && last.addedAfter === -1) return record
    if (this.#pending.length >= PENDING_LIMIT) return undefined
    const { end, startOffset } = record
    const isResumed = this.#resume?.segment === end.segment && this.#resume.offset === startOffset
    this.#alreadyDone = isResumed ? this.#resume!.done : 0
    this.#pending.push({ startOffset, end, addedBefore: this.#added, addedAfter: -1 })
    this.#parts = this.#shaper?.shape(record) ?? [{ record, messages: chosenOf(record, this.#selects) }]
    this.#part = 0
    this.#message = 0
    return record
  }

  #settleSafely(): void {
    try {
      this.#settle()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Moves the cursor over the records that are done. */
  #settle(): void {
    const done = this.#outlet.done()
    let settled = 0
    while (settled < this.#pending.length) {
      const { addedBefore, addedAfter, end } = this.#pending[settled]!
      if (addedAfter === -1 || addedAfter > done) break
      settled++
      this.#count(addedAfter - addedBefore)
      if (addedAfter > addedBefore) this.#recovered()
      this.#attachment.acknowledge(end, addedAfter > addedBefore)
    }
    if (settled === 0) return
    this.#pending.splice(0, settled)
    this.#shaper?.settle(settled)
    // It spoke of the oldest one.
    this.#resume = undefined
  }

  #count(messages: number): void {
    this.#delivered += messages
    this.#metrics.add('messagesDelivered', messages)
  }

  #recovered(): void {
    this.#backoff.reset()
    if (this.#trouble.sentence === '') return
    this.#log.info('destination-recovered', `Writing to ${this.#outlet.name} again`, { kind: this.#outlet.kind })
    this.#trouble.clear()
  }
}
