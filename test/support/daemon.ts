// The whole program as real processes, and what they say on stderr.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { LIMIT_MS } from './eventually.ts'

const ENTRY = fileURLToPath(new URL('../../cli/loghop.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const running = new Set<ChildProcess>()
// Also when the runner gives up on a test and no teardown runs.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Remembers a process until it has ended, so that none outlives its test. */
export function watched(t: ExecutionContext, child: ChildProcess): Promise<Ended> {
  running.add(child)
  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return ended
}

/** A started daemon. */
export class Daemon {
  readonly lines: string[] = []
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  readonly #name: string
  readonly #listeners = new Set<() => void>()
  #hasEnded = false

  private constructor(t: ExecutionContext, name: string, args: readonly string[]) {
    this.#name = name
    this.#child = spawn(process.execPath, [ENTRY, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.ended = watched(t, this.#child)
    let rest = ''
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      this.lines.push(...lines)
      this.#tell()
    })
    this.#child.once('close', () => {
      if (rest !== '') this.lines.push(rest)
      this.#hasEnded = true
      this.#tell()
    })
  }

  /** Starts it and returns at once. */
  static spawn(t: ExecutionContext, name: 'agent' | 'relay', config: string): Daemon {
    return new Daemon(t, name, [name, 'run', '--config', config])
  }

  /** Starts the server of an authority and returns at once. */
  static serve(t: ExecutionContext, directory: string, ...args: readonly string[]): Daemon {
    return new Daemon(t, 'pki serve', ['pki', 'serve', '--directory', directory, '--listen', '127.0.0.1:0', ...args])
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Everything it has said, for the message of a failed assertion. */
  get said(): string {
    return `${this.#name} said:\n${this.lines.join('\n')}`
  }

  /** Number of lines so far: from here on `waitFor` finds only what is said later. */
  get mark(): number {
    return this.lines.length
  }

  /** Resolves with the first line from `from` on that matches. @throws when it ends or too much time passes before */
  waitFor(pattern: RegExp, from = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#listeners.delete(look)
        clearTimeout(deadline)
      }
      const look = (): void => {
        const line = this.lines.slice(from).find((candidate) => pattern.test(candidate))
        if (line !== undefined) {
          finish()
          resolve(line)
        } else if (this.#hasEnded) {
          finish()
          reject(new Error(`Ended before it said ${pattern}; ${this.said}`))
        }
      }
      const deadline = setTimeout(() => {
        finish()
        reject(new Error(`Did not say ${pattern} within ${LIMIT_MS / 1000} s; ${this.said}`))
      }, LIMIT_MS)
      this.#listeners.add(look)
      look()
    })
  }

  /** `event: text` of that name, such as `relay-failed`. */
  event(name: string, from = 0): Promise<string> {
    return this.waitFor(new RegExp(`^\\S+ (?:debug|info|warn|error) ${name}: `), from)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Sends the signal and waits until the process has ended and all it said has been read. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    this.signal(signal)
    const ended = await this.ended
    await this.closed()
    return ended
  }

  /** Resolves when the process has ended and all it said has been read. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.#hasEnded) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
      look()
    })
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command of the program to its end. */
export function loghop(...args: string[]): Promise<Finished> {
  return loghopWith({}, ...args)
}

/** The same with variables added to its environment. */
export function loghopWith(variables: Readonly<Record<string, string>>, ...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const options = { timeout: LIMIT_MS, killSignal: 'SIGKILL', env: { ...process.env, ...variables } } as const
    const child = execFile(process.execPath, [ENTRY, ...args], options, (error, stdout, stderr) => {
      running.delete(child)
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
    running.add(child)
  })
}
