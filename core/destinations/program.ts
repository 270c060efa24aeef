// Lines into the standard input of a program. It is restarted, with a growing pause, when it ends.

import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { openPipe, unreadInPipe } from '../platform/descriptors.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import { LineWriter } from './line-writer.ts'
import type { Outlet, OutletEvents } from './outlet.ts'

/** What it has read counts once it has lived so much longer: a program that dies of a line has not done it. */
const SETTLE_MS = 1000
/** After SIGTERM. */
const KILL_MS = 5000
const SAID_LIMIT_CHARACTERS = 500

export class ProgramOutlet implements Outlet {
  readonly kind = 'program'
  readonly name: string
  readonly guarantee = 'at least once: what it read in its last second, and what it had not read, comes again when it ends by itself'
  readonly retryLimitMs = 30_000
  readonly #words: readonly string[]
  readonly #format: LineMaker
  #child: ChildProcess | undefined
  #fd = -1
  #writer: LineWriter | undefined
  /** Whether its end is a failure. */
  #isWanted = false
  #starts = 0

  /** @param command a text for `/bin/sh -c`, or the program and its arguments */
  constructor(command: string | readonly string[], format: LineMaker) {
    this.#words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
    this.name = typeof command === 'string' ? command : command.join(' ')
    this.#format = format
  }

  open(events: OutletEvents): void {
    if (this.#child !== undefined) throw new LoghopError('PROGRAM', `The program ${this.name} has not ended yet`, 'Wait until it does')
    // A real pipe and not the socket that a child gets by default: /dev/stdin can be opened then.
    const { readEnd, writeEnd } = openPipe()
    const [file, ...words] = this.#words as [string, ...string[]]
    let child: ChildProcess
    try {
      // In a process group of its own: it gets no Ctrl-C of ours, and what it starts ends with it.
      child = spawn(file, words, { stdio: [readEnd, 'ignore', 'pipe'], detached: true })
    } catch (error) {
      fs.closeSync(writeEnd)
      throw error
    } finally {
      fs.closeSync(readEnd)
    }
    this.#child = child
    this.#fd = writeEnd
    this.#starts++
    const writer = new LineWriter({ fd: writeEnd, format: this.#format, unread: unreadInPipe, settleMs: SETTLE_MS }, events)
    this.#writer = writer
    this.#isWanted = true
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-SAID_LIMIT_CHARACTERS)
    })
    child.stderr!.on('error', () => undefined)
    const ended = (how: string, remedy: string): void => {
      if (this.#child === child) this.#child = undefined
      if (!this.#isWanted || this.#writer !== writer) return
      const last = said.trimEnd().split('\n').at(-1) ?? ''
      const words = last === '' ? '' : `; it said: ${printable(last, SAID_LIMIT_CHARACTERS)}`
      events.onFailed(new LoghopError('PROGRAM', `The program ${this.name} ${how}${words}`, remedy))
    }
    child.once('error', (error) => ended(`cannot be started: ${error.message}`, 'Correct its path and permissions'))
    child.once('exit', (code, signal) =>
      ended(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`, 'It is started again by itself'),
    )
  }

  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    return this.#writer!.add(bytes, start, end, context)
  }

  flush(): void {
    this.#writer!.flush()
  }

  done(): number {
    return this.#writer!.done()
  }

  status(): Record<string, string | number> {
    return { pid: this.#child?.pid ?? 0, starts: this.#starts }
  }

  /** Its input ends, and it may finish. What it has read then counts. */
  async end(deadline: AbortSignal): Promise<void> {
    const child = this.#child
    const writer = this.#writer
    if (child === undefined || writer === undefined) return
    while (!deadline.aborted && this.#isWanted && !writer.isAllRead()) await new Promise((resolve) => setTimeout(resolve, 5))
    if (deadline.aborted || !this.#isWanted) return
    this.#isWanted = false
    writer.stop()
    this.#closePipe()
    await new Promise<void>((resolve) => {
      if (this.#child !== child) resolve()
      child.once('exit', () => resolve())
      deadline.addEventListener('abort', () => resolve(), { once: true })
    })
    if (child.exitCode === 0) writer.settleAll()
  }

  close(): void {
    this.#isWanted = false
    this.#writer?.stop()
    this.#closePipe()
    const child = this.#child
    if (child === undefined) return
    signalGroup(child, 'SIGTERM')
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_MS)
    timer.unref()
    child.once('exit', () => clearTimeout(timer))
  }

  #closePipe(): void {
    if (this.#fd !== -1) fs.closeSync(this.#fd)
    this.#fd = -1
  }
}

/** To it and what it has started. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}
