// Messages on the terminals of who is logged in, as wall(1) does: with a line that says where it comes from, to those who take messages, and without
// ever waiting for anyone for more than a second.

import * as path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { type LoginSession, readSessions, type SessionPlaces } from '../platform/sessions.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import type { Outlet, OutletEvents } from './outlet.ts'
import { closeTerminal, openTerminal, TerminalWrite, takesMessages, terminalLine } from './terminal.ts'

/** Who has logged in within this time may miss a message. */
const SESSIONS_AGE_MS = 1000
/** A terminal that took nothing is not waited for again within this time. */
const STUCK_MS = 10_000
/** Terminals that one message goes to. */
const TERMINALS_LIMIT = 1024

export interface UsersOptions {
  /** Names, or `*` alone for everyone. */
  readonly users: readonly string[]
  readonly sessions: SessionPlaces
  /** Where terminals are: /dev, but for a test. */
  readonly devices: string
}

export class UsersOutlet implements Outlet {
  readonly kind = 'users'
  readonly name: string
  readonly guarantee = 'shown to who is logged in, takes messages (mesg) and has a terminal that is free'
  readonly retryLimitMs = 1000
  readonly #options: UsersOptions
  readonly #format: LineMaker
  readonly #metrics: Metrics
  readonly #clock: Clock
  #events: OutletEvents | undefined
  #known: LoginSession[] = []
  #knownMs = Number.NEGATIVE_INFINITY
  /** Until when a terminal is not waited for; as many as there are terminals. */
  readonly #stuck = new Map<string, number>()
  readonly #writing = new Map<TerminalWrite, number>()
  #done = 0
  #shown = 0
  #notShown = 0

  constructor(options: UsersOptions, format: LineMaker, metrics: Metrics, clock: Clock) {
    this.#options = options
    this.name = options.users.join(',')
    this.#format = format
    this.#metrics = metrics
    this.#clock = clock
  }

  open(events: OutletEvents): void {
    this.#events = events
    this.#done = 0
  }

  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    if (this.#writing.size > 0) return false
    const format = this.#format
    format.make(bytes, start, end, context)
    const line = terminalLine(format.bytes, format.start, format.end)
    const time = new Date(this.#clock.wallUs() / 1000).toString().replace(/ GMT.*/, '')
    const header = `\r\n\x07Message from loghop@${context.localHost} at ${time} ...\r\n`
    const text = Buffer.concat([Buffer.from(header, 'latin1'), line])
    for (const terminal of this.#terminals()) this.#show(terminal, text)
    if (this.#writing.size === 0) this.#done++
    return true
  }

  flush(): void {
    // Each has gone by itself.
  }

  done(): number {
    return this.#done
  }

  status(): Record<string, string | number> {
    return { shown: this.#shown, not_shown: this.#notShown }
  }

  close(): void {
    for (const [write, fd] of this.#writing) {
      write.stop()
      closeTerminal(fd, true)
    }
    this.#writing.clear()
  }

  /** Paths of the terminals, each once. */
  #terminals(): string[] {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#knownMs > SESSIONS_AGE_MS) {
      this.#known = readSessions(this.#options.sessions)
      this.#knownMs = nowMs
      for (const [terminal, untilMs] of this.#stuck) if (untilMs < nowMs) this.#stuck.delete(terminal)
    }
    const { users, devices } = this.#options
    const wanted = this.#known.filter(({ user }) => users.includes('*') || users.includes(user))
    return [...new Set(wanted.map(({ line }) => path.join(devices, line)))].slice(0, TERMINALS_LIMIT)
  }

  #show(terminal: string, text: Buffer): void {
    let fd: number
    try {
      fd = openTerminal(terminal)
    } catch {
      // Its session has ended, or it is not ours to write to.
      this.#missed()
      return
    }
    if (!takesMessages(fd)) {
      closeTerminal(fd, false)
      return
    }
    const isStuck = (this.#stuck.get(terminal) ?? 0) > this.#clock.monotonicMs()
    let isNow = true
    let hasEnded = false
    const write = new TerminalWrite(fd, text, !isStuck, (shown) => {
      hasEnded = true
      if (shown === 'shown') {
        this.#shown++
        this.#stuck.delete(terminal)
      } else {
        if (shown === 'given-up') this.#stuck.set(terminal, this.#clock.monotonicMs() + STUCK_MS)
        this.#missed()
      }
      closeTerminal(fd, shown !== 'shown')
      if (isNow) return
      this.#writing.delete(write)
      if (this.#writing.size > 0) return
      this.#done++
      this.#events?.onChange()
    })
    isNow = false
    if (!hasEnded) this.#writing.set(write, fd)
  }

  #missed(): void {
    this.#notShown++
    this.#metrics.add('messagesNotShown', 1)
  }
}
