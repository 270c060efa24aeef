// Whether a spool takes writes. A disk that is full is told and waited out: a new start would not mend it. What else fails, and what hangs, a new
// start may mend: it opens every file anew.

import * as fs from 'node:fs/promises'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../base/errors.ts'

const FULL: readonly string[] = ['ENOSPC', 'EDQUOT']
const PROBE_FILE = '.health'

export class SpoolHealth {
  readonly #directory: string
  readonly #commit: () => Promise<void>
  readonly #waiting = new Set<(error: unknown) => void>()
  #isFull = false

  /** @param commit resolves when all is on the disk, as Spool.commit() */
  constructor(directory: string, commit: () => Promise<void>) {
    this.#directory = directory
    this.#commit = commit
  }

  /** The disk had no room the last time. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** A sync of the spool failed; it goes on trying. */
  failed(error: unknown): void {
    for (const waiting of this.#waiting) waiting(error)
  }

  /** Writes, and waits until all that the spool has is on the disk. @throws {LoghopError} it cannot, for another reason than a full disk; hangs with the disk */
  async check(): Promise<void> {
    try {
      await writeProbe(path.join(this.#directory, PROBE_FILE))
      await this.#committed()
      this.#isFull = false
    } catch (error) {
      this.#isFull = FULL.includes(errnoOf(error) ?? '')
      if (this.#isFull) return
      const sentence = `Cannot write to the spool ${this.#directory}: ${errnoOf(error) ?? (error as Error).message}`
      throw new LoghopError('UNHEALTHY', sentence, 'Look at its disk', { cause: error })
    }
  }

  async #committed(): Promise<void> {
    let fail: ((error: unknown) => void) | undefined
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    this.#waiting.add(fail!)
    try {
      await Promise.race([this.#commit(), failed])
    } finally {
      this.#waiting.delete(fail!)
    }
  }
}

/** A few bytes of its own: a spool that nobody writes to would say nothing of its disk. @throws the errno */
async function writeProbe(file: string): Promise<void> {
  const handle = await fs.open(file, 'w', 0o600)
  try {
    await handle.write('loghop\n')
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await fs.unlink(file)
}
