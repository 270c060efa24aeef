import { isDeepStrictEqual } from 'node:util'
import { EXIT_CONFIGURATION } from '../base/configuration.ts'
import { errnoOf, LoghopError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

/** How a request to read the configuration again ended. */
export interface Reloaded {
  readonly isDone: boolean
  /** For a person: what has changed; or what is wrong, and on a line of its own what to do. */
  readonly text: string
  /** Of a command that asked. */
  readonly exitCode: number
}

export interface ReloadWorld<Options> {
  /** @throws {LoghopError} it cannot be used */
  read(): Options
  /** Paths of options that differ and cannot be changed while running, such as `spool.directory`. */
  fixed(before: Options, after: Options): readonly string[]
  /** Changes over, all or nothing. Resolves with what was done, in words. @throws {LoghopError} nothing has changed */
  apply(after: Options): Promise<string>
}

/** Takes over a changed configuration, one request after the other; whatever is wrong with it, the running one stays. */
export class Reload<Options> {
  readonly #world: ReloadWorld<Options>
  readonly #log: Log
  #current: Options
  #last: Promise<unknown> = Promise.resolve()

  constructor(current: Options, world: ReloadWorld<Options>, log: Log) {
    this.#current = current
    this.#world = world
    this.#log = log
  }

  /** Never rejects for what is wrong with the configuration or the system. */
  request(): Promise<Reloaded> {
    const next = this.#last.then(() => this.#run())
    this.#last = next.catch(() => undefined)
    return next
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#last
  }

  async #run(): Promise<Reloaded> {
    let after: Options
    try {
      after = this.#world.read()
      const fixed = this.#world.fixed(this.#current, after)
      if (fixed.length > 0) throw needsRestart(fixed)
    } catch (error) {
      return this.#refused(error)
    }
    try {
      const text = await this.#world.apply(after)
      this.#current = after
      this.#log.info('reloaded', `Configuration read again: ${text}`, {})
      return { isDone: true, text, exitCode: 0 }
    } catch (error) {
      return this.#refused(error)
    }
  }

  #refused(error: unknown): Reloaded {
    if (!(error instanceof LoghopError) && errnoOf(error) === undefined) throw error
    const { message } = error as Error
    const remedy = error instanceof LoghopError ? error.remedy : 'Look at the disk of the spool'
    // The problems of a file stand on lines of their own, and an event is one line.
    this.#log.error('reload-refused', `${message.replace(/\n\s*/g, '; ')}. ${remedy}. The running configuration is kept`, {})
    const exitCode = (error as { exitCode?: number }).exitCode === EXIT_CONFIGURATION ? EXIT_CONFIGURATION : 1
    return { isDone: false, text: `${message}\n  ${remedy}. The running configuration is kept`, exitCode }
  }
}

function needsRestart(paths: readonly string[]): LoghopError {
  const isOne = paths.length === 1
  return new LoghopError(
    'RESTART_NEEDED',
    `Cannot change ${paths.join(', ')} while running`,
    `Put ${isOne ? 'it' : 'them'} back as ${isOne ? 'it was' : 'they were'} and reload, or restart the program`,
  )
}

/**
 * Paths at which two configurations differ, as deep as mappings go; a list counts as one.
 * @param passed paths that may differ, such as `rules` or `spool.limit`
 */
export function differences(before: unknown, after: unknown, passed: readonly string[] = [], path = ''): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isMapping(before) || !isMapping(after)) return [path]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const paths = keys.map((key) => [key, path === '' ? key : `${path}.${key}`] as const).filter(([, below]) => !passed.includes(below))
  return paths.flatMap(([key, below]) => differences(before[key], after[key], passed, below))
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
