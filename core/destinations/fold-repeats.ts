// "last message repeated N times": in front of a file, messages that a host says again and again are written once and then counted.
//
// Contract
// - The same is: of the same host, with the same PRI, HOSTNAME, APP-NAME and text. The time, PROCID, MSGID and structured data are not compared. A message
//   without text is the same as none, and so are marks, which are there to be seen.
// - Each host has a state of its own:
//
//     | state of the host    | what comes                                                | state after it            | written                    |
//     |----------------------|-----------------------------------------------------------|---------------------------|----------------------------|
//     | none                 | m                                                         | m, told up to now, 0      | m                          |
//     | m, told up to t, n   | m, received at most 600 s after the m before              | m, told up to t, n + 1    | nothing                    |
//     | m, told up to t, n   | another message o, or m later than that                   | o, told up to now, 0      | the line, if n > 0, then o |
//     | m, told up to t, n>0 | a record of whoever, received 30 s after t; the next time | m, told up to now, 0      | the line                   |
//     |                      | 120 s after, from then on 600 s after                     |                           |                            |
//     | m, told up to t, n   | a line about suppressed messages of the host              | none                      | the line, if n > 0, then it|
//     | m, told up to t, n   | a new host, where HOSTS_LIMIT are known and this one has  | none                      | the line, if n > 0         |
//     |                      | been silent for longest                                   |                           |                            |
//     | m, told up to t, 0   | nothing of the host for 600 s                             | none                      | nothing                    |
//
// - So each message is written or in the N of one line: what was folded = what lines have told + what states hold.
// - The line has the PRI, HOSTNAME and APP-NAME of its messages and the time of the last of them, so that it stands in the same file.
// - The clock is the time of receipt that stands in the record, and nothing else; the states are saved with the position in the spool that they belong to. So
//   the same records give the same bytes, whenever they are read. Where nothing more comes at all, the line waits for the next record, also across a restart.
// - At most LINES_PER_RECORD lines that are due come with one record, so that those of many hosts do not use up the files of a record.

import { hash } from 'node:crypto'
import type { Metrics } from '../base/metrics.ts'
import { isMark, MARK_PRI } from '../syslog/mark.ts'
import { MessageFields } from '../syslog/message-fields.ts'
import type { Selects } from './selects.ts'
import { chosenOf, type Planned, type Shaper } from './shaper.ts'
import type { RecordContext, SharedRecord } from './shared-records.ts'
import { toldLine } from './told-line.ts'

/** As syslogd has them. */
const TELL_AFTER_US = [30_000_000, 120_000_000, 600_000_000] as const
const LAST_STEP = TELL_AFTER_US.length - 1
const FORGET_US = TELL_AFTER_US[LAST_STEP]!
const HOSTS_LIMIT = 1024
const LINES_PER_RECORD = 4
// RFC 5424 section 6: what is longer is no field of a message that we would have made.
const TIME_LIMIT_BYTES = 64
const HOSTNAME_LIMIT_BYTES = 255
const PROGRAM_LIMIT_BYTES = 48
/** 132 bits: nobody finds another text for them. */
const HASH_CHARACTERS = 22

/** What a host said last. */
interface Run {
  readonly host: string
  readonly pri: number
  readonly hostname: string
  readonly program: string
  /** Of the text. */
  readonly hash: string
  /** TIMESTAMP of the last one. */
  time: string
  /** Repeats that no line has told yet. */
  count: number
  /** Which interval is running, and since when. Microseconds since 1970 UTC, as all times here. */
  step: number
  sinceUs: number
  /** When the last one was received. */
  lastUs: number
}

interface Change {
  readonly host: string
  /** Undefined when it was forgotten. */
  readonly run: Run | undefined
}

interface Shaped {
  readonly changes: Change[]
  folded: number
}

/** What it and the shaper before it remember. */
export interface FoldSaved {
  readonly before: unknown
  readonly repeated: readonly Run[]
}

export class FoldRepeats implements Shaper {
  readonly #selects: Selects | undefined
  readonly #before: Shaper | undefined
  readonly #isFolding: boolean
  readonly #metrics: Metrics
  readonly #fields = new MessageFields()
  readonly #settled = new Map<string, Run>()
  /** As of the last record that was looked at; who was touched last is last. A run is never changed once it is in here. */
  #table = new Map<string, Run>()
  /** Hosts with something to tell. */
  #counting = new Set<string>()
  /** What each record that is not settled has done. */
  #shaped: Shaped[] = []
  #current: Shaped = { changes: [], folded: 0 }
  #folded = 0

  /**
   * @param before what shapes the records first; it chooses instead of `selects`
   * @param saved what `saved()` had as `repeated` for the position that is read from first
   * @param isFolding false: what is saved is told, and nothing folded any more
   */
  constructor(selects: Selects | undefined, before: Shaper | undefined, saved: unknown, metrics: Metrics, isFolding = true) {
    this.#selects = selects
    this.#before = before
    this.#metrics = metrics
    this.#isFolding = isFolding
    for (const run of runsOf(saved)) this.#settled.set(run.host, run)
    this.#rewindOwn()
  }

  shape(record: SharedRecord): readonly Planned[] {
    const parts = this.#before?.shape(record) ?? [{ record, messages: chosenOf(record, this.#selects) }]
    const { context } = record
    this.#current = { changes: [], folded: 0 }
    const out: Planned[] = []
    this.#tellDue(context, out)
    for (const part of parts) {
      if (part.record === record && this.#isFolding) this.#fold(record, part.messages, out)
      else {
        if (part.record !== record) this.#end(part.record.context.host, context, out)
        out.push(part)
      }
    }
    this.#forgetSilent(context.receivedUs)
    this.#shaped.push(this.#current)
    return out
  }

  settle(records: number): void {
    this.#before?.settle(records)
    for (const { changes, folded } of this.#shaped.splice(0, records)) {
      for (const { host, run } of changes) {
        this.#settled.delete(host)
        if (run !== undefined) this.#settled.set(host, run)
      }
      this.#folded += folded
      this.#metrics.add('messagesFolded', folded)
    }
  }

  rewind(): void {
    this.#before?.rewind()
    this.#rewindOwn()
  }

  saved(): FoldSaved {
    return { before: this.#before?.saved(), repeated: [...this.#settled.values()] }
  }

  status(): Record<string, string | number> {
    return { ...this.#before?.status(), folded: this.#folded, folding_hosts: this.#table.size, folding_hosts_limit: HOSTS_LIMIT }
  }

  #rewindOwn(): void {
    this.#shaped = []
    this.#table = new Map(this.#settled)
    this.#counting = new Set()
    for (const { host, count } of this.#table.values()) if (count > 0) this.#counting.add(host)
  }

  #put(host: string, run: Run | undefined): void {
    this.#current.changes.push({ host, run })
    this.#table.delete(host)
    this.#counting.delete(host)
    if (run === undefined) return
    this.#table.set(host, run)
    if (run.count > 0) this.#counting.add(host)
  }

  #fold(record: SharedRecord, messages: readonly number[], out: Planned[]): void {
    if (messages.length === 0) return
    const { bytes, places, context } = record
    const { host, receivedUs: nowUs } = context
    const known = this.#table.get(host)
    let run = known === undefined ? undefined : { ...known }
    let kept: number[] = []
    const tell = (told: Run): void => {
      if (kept.length > 0) out.push({ record, messages: kept })
      kept = []
      out.push(lineOf(told, context))
    }
    for (const index of messages) {
      const next = this.#runOf(bytes, places[index * 2]!, places[index * 2 + 1]!, host, nowUs)
      if (run !== undefined && next !== undefined && isSame(run, next) && nowUs - run.lastUs <= FORGET_US) {
        run.count++
        run.lastUs = nowUs
        run.time = next.time
        this.#current.folded++
        if (isDue(run, nowUs)) {
          tell(run)
          run = toldAt(run, nowUs)
        }
        continue
      }
      if (run !== undefined && run.count > 0) tell(run)
      kept.push(index)
      run = next
    }
    if (kept.length > 0) out.push({ record, messages: kept })
    if (run !== undefined && known === undefined && this.#table.size >= HOSTS_LIMIT) {
      const [longestSilent] = this.#table.keys()
      this.#end(longestSilent!, context, out)
    }
    this.#put(host, run)
  }

  /** What a host has said with this message; undefined where it is the same as no other. */
  #runOf(bytes: Uint8Array, start: number, end: number, host: string, nowUs: number): Run | undefined {
    const message = this.#fields
    message.begin(bytes, start, end)
    if (message.pri === MARK_PRI && isMark(bytes, start, end)) return undefined
    message.locate()
    const textStart = message.plainTextStart()
    const isFitting =
      textStart < end &&
      message.timeEnd - message.timeStart <= TIME_LIMIT_BYTES &&
      message.hostEnd - message.hostStart <= HOSTNAME_LIMIT_BYTES &&
      message.appEnd - message.appStart <= PROGRAM_LIMIT_BYTES
    if (!isFitting) return undefined
    return {
      host,
      pri: message.pri,
      hostname: message.field(message.hostStart, message.hostEnd),
      program: message.field(message.appStart, message.appEnd),
      hash: hash('sha256', bytes.subarray(textStart, end), 'base64url').slice(0, HASH_CHARACTERS),
      time: message.string(message.timeStart, message.timeEnd) || '-',
      count: 0,
      step: 0,
      sinceUs: nowUs,
      lastUs: nowUs,
    }
  }

  /** The host's last message is not the last one any more. */
  #end(host: string, context: RecordContext, out: Planned[]): void {
    const run = this.#table.get(host)
    if (run === undefined) return
    if (run.count > 0) out.push(lineOf(run, context))
    this.#put(host, undefined)
  }

  #tellDue(context: RecordContext, out: Planned[]): void {
    const nowUs = context.receivedUs
    const due: Run[] = []
    for (const host of this.#counting) {
      const run = this.#table.get(host)!
      if (!this.#isFolding || isDue(run, nowUs)) due.push(run)
    }
    // In an order that does not depend on how the table came about.
    due.sort((a, b) => a.sinceUs - b.sinceUs || (a.host < b.host ? -1 : 1))
    for (const run of due.slice(0, LINES_PER_RECORD)) {
      out.push(lineOf(run, context))
      this.#put(run.host, this.#isFolding ? toldAt(run, nowUs) : undefined)
    }
  }

  #forgetSilent(nowUs: number): void {
    for (const { host, count, lastUs } of this.#table.values()) {
      if (count > 0 || nowUs - lastUs <= FORGET_US) break
      this.#put(host, undefined)
    }
  }
}

function isSame(a: Run, b: Run): boolean {
  return a.hash === b.hash && a.pri === b.pri && a.program === b.program && a.hostname === b.hostname
}

/** A clock that was set back ends the interval. */
function isDue({ step, sinceUs }: Run, nowUs: number): boolean {
  return nowUs - sinceUs >= TELL_AFTER_US[step]! || nowUs < sinceUs
}

function toldAt(run: Run, nowUs: number): Run {
  return { ...run, count: 0, step: Math.min(run.step + 1, LAST_STEP), sinceUs: nowUs }
}

function lineOf({ pri, time, host, hostname, program, count }: Run, context: RecordContext): Planned {
  return toldLine({ pri, time, host, hostname, program, kind: 'repeated', text: `last message repeated ${count} times` }, context)
}

const TEXTS = ['host', 'hostname', 'program', 'hash', 'time'] as const
const NUMBERS = ['pri', 'count', 'step', 'sinceUs', 'lastUs'] as const

/** From the cursor file; what is no run is left out. */
function runsOf(saved: unknown): Run[] {
  if (!Array.isArray(saved)) return []
  return saved.slice(0, HOSTS_LIMIT).flatMap((one: Partial<Run> | null) => {
    const isRun =
      one !== null &&
      TEXTS.every((name) => typeof one[name] === 'string') &&
      NUMBERS.every((name) => Number.isSafeInteger(one[name]) && one[name]! >= 0) &&
      one.pri! <= 191 &&
      one.step! <= LAST_STEP
    return isRun ? [{ ...(one as Run) }] : []
  })
}
