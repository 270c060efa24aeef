// What the service manager wants to know: sd_notify(3), sd_watchdog_enabled(3). Without one nothing is sent.
//
//   starting --ready--> running <--reloading, reloaded--> running --stopping--> stopping
//   extended here       watched, told its status                                extended once

import { explain } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { printable } from '../base/printable.ts'
import { NotifySocket } from '../platform/notify-socket.ts'

/** What a running daemon says of itself. */
export interface Watched {
  /** How it is, in one sentence. */
  describe?(): string
  /** Resolves when it works, or when only a person can mend what is wrong; rejects, or never settles, when a new start may help. */
  healthy?(): Promise<void>
}

const STATUS_EVERY_MS = 10_000
const STATUS_LIMIT = 500
/** Of signs of life in one period of the watchdog: one late check is no reason to be killed. */
const CHECKS_PER_PERIOD = 3
// A segment of the spool is read within it on any disk.
const EXTEND_MS = 60_000
const EXTEND_EVERY_MS = 1000
// What closing takes beyond the time that deliveries are given.
const STOP_MARGIN_MS = 30_000

export class ServiceNotifier {
  readonly #log: Log
  readonly #socket: NotifySocket | undefined
  readonly #watchdogMs: number | undefined
  #phase: 'starting' | 'running' | 'stopping' = 'starting'
  #extendedMs = -Infinity
  #status = ''
  #trouble = ''
  #untold = ''
  #timer: NodeJS.Timeout | undefined

  /** Takes its variables out of the environment, so that no program started from here speaks for us. */
  constructor(environment: Record<string, string | undefined>, pid: number, log: Log) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
    this.#log = log
    if (NOTIFY_SOCKET === undefined || !/^[/@]./.test(NOTIFY_SOCKET)) return
    this.#socket = new NotifySocket(NOTIFY_SOCKET, (reason) => this.#cannotTell(reason))
    const isOurs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid
    if (isOurs && /^[1-9]\d{0,15}$/.test(WATCHDOG_USEC ?? '')) this.#watchdogMs = Number(WATCHDOG_USEC) / 1000
  }

  /** Something long goes on, and gets on: each call gives it another minute. To be called freely. */
  progress(what: string): void {
    const nowMs = performance.now()
    if (this.#phase !== 'starting' || nowMs - this.#extendedMs < EXTEND_EVERY_MS) return
    this.#extendedMs = nowMs
    this.#socket?.send(`EXTEND_TIMEOUT_USEC=${EXTEND_MS * 1000}`, `STATUS=${what}`)
  }

  /** It serves. From here on the watchdog is answered for as long as it is healthy. */
  ready(watched: Watched): void {
    if (this.#socket === undefined || this.#phase !== 'starting') return
    this.#phase = 'running'
    const watchdog = this.#watchdogMs === undefined ? [] : ['WATCHDOG=1']
    this.#socket.send('READY=1', ...watchdog, ...this.#changedStatus(watched))
    const everyMs = Math.min(STATUS_EVERY_MS, (this.#watchdogMs ?? Infinity) / CHECKS_PER_PERIOD)
    const turn = async (): Promise<void> => {
      const isHealthy = this.#watchdogMs !== undefined && (await this.#isHealthy(watched))
      if (this.#phase !== 'running') return
      const assignments = [...(isHealthy ? ['WATCHDOG=1'] : []), ...this.#changedStatus(watched)]
      if (assignments.length > 0) this.#socket?.send(...assignments)
      this.#timer = setTimeout(turn, everyMs).unref()
    }
    this.#timer = setTimeout(turn, everyMs).unref()
  }

  /** To be followed by `reloaded`. */
  reloading(): void {
    // hrtime is CLOCK_MONOTONIC, which the service manager compares with its own.
    this.#socket?.send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  reloaded(): void {
    if (this.#phase === 'running') this.#socket?.send('READY=1')
  }

  /** @param withinMs how long deliveries may go on */
  stopping(withinMs: number): void {
    this.#phase = 'stopping'
    clearTimeout(this.#timer)
    this.#socket?.send('STOPPING=1', `EXTEND_TIMEOUT_USEC=${(withinMs + STOP_MARGIN_MS) * 1000}`, 'STATUS=Stops in order')
  }

  async #isHealthy(watched: Watched): Promise<boolean> {
    try {
      await watched.healthy?.()
      this.#trouble = ''
      return true
    } catch (error) {
      const trouble = explain(error).replace(/\n\s*/, '. ')
      if (trouble !== this.#trouble)
        this.#log.error('unhealthy', `${trouble}. The service manager gets no sign of life until this works again, and will start it anew`)
      this.#trouble = trouble
      return false
    }
  }

  #changedStatus(watched: Watched): string[] {
    const status = this.#trouble === '' ? (watched.describe?.() ?? '') : `UNHEALTHY: ${this.#trouble}`
    if (status === this.#status) return []
    this.#status = status
    return [`STATUS=${printable(status, STATUS_LIMIT)}`]
  }

  #cannotTell(reason: string): void {
    if (this.#untold === reason) return
    this.#untold = reason
    this.#log.warn('notify-failed', `Cannot tell the service manager how it goes: ${reason}`)
  }
}
