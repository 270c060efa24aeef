import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { takeLock } from '../platform/lock.ts'
import { asOwner } from './as-owner.ts'

export const NEXT_DIRECTORY = 'next'
const WRITTEN_DIRECTORY = 'next.new'
const LOCK_FILE = 'lock'
const KEY_NAMES = /key\.pem$/
const LOCK_WAIT_MS = 10_000
const LOCK_POLL_MS = 20

/** Name of a file in the identity directory to its content. */
export type NewFiles = Readonly<Record<string, string>>

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Writes a new file and syncs it; a key is for its owner alone. @throws EEXIST when it is there */
export function writeNew(file: string, content: string): void {
  const fd = fs.openSync(file, 'wx', KEY_NAMES.test(file) ? 0o600 : 0o644)
  try {
    fs.writeFileSync(fd, content)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Step 3 of FORMAT.md for what stands in `next/`; nothing when it is not there. */
function* finishSteps(directory: string): Generator<string, void> {
  const next = path.join(directory, NEXT_DIRECTORY)
  if (!fs.existsSync(next)) return
  for (const name of fs.readdirSync(next).sort()) {
    fs.renameSync(path.join(next, name), path.join(directory, name))
    yield `${name} is in its place`
  }
  fs.rmdirSync(next)
  yield 'next is removed'
  syncDirectory(directory)
}

/**
 * Replaces the files together, step by step, so that a test can stop between any two; after each yield everything before it has happened.
 * The lock is held by the caller.
 * @see FORMAT.md
 */
export function* replacementSteps(directory: string, files: NewFiles): Generator<string, void> {
  yield* finishSteps(directory)
  const written = path.join(directory, WRITTEN_DIRECTORY)
  fs.rmSync(written, { recursive: true, force: true })
  fs.mkdirSync(written, { mode: 0o700 })
  yield 'next.new is made'
  for (const [name, content] of Object.entries(files)) {
    writeNew(path.join(written, name), content)
    yield `${name} is written`
  }
  syncDirectory(written)
  fs.renameSync(written, path.join(directory, NEXT_DIRECTORY))
  yield 'next is there'
  syncDirectory(directory)
  yield* finishSteps(directory)
}

function lockFault(directory: string): LoghopError {
  return new LoghopError(
    'IDENTITY_LOCKED',
    `Cannot replace files of identity ${directory}: another process is doing it`,
    `Wait until it has ended ("fuser ${path.join(directory, LOCK_FILE)}" names it), then try again`,
  )
}

/** Runs `use` while no other process replaces files of the directory. @throws {LoghopError} another one has done so for ten seconds */
export async function withIdentityLock<T>(directory: string, use: () => T | Promise<T>): Promise<T> {
  const file = path.join(directory, LOCK_FILE)
  for (const deadlineMs = performance.now() + LOCK_WAIT_MS; ; ) {
    const lock = asOwner(directory, () => takeLock(file))
    if (lock !== undefined) {
      try {
        return await use()
      } finally {
        lock.release()
      }
    }
    if (performance.now() > deadlineMs) throw lockFault(directory)
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
  }
}

function explained(directory: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  const remedy =
    errno === 'ELOOP'
      ? 'Remove the link that stands in the place of a file, and find out who has put it there'
      : errno === 'ENOSPC' || errno === 'EDQUOT'
        ? 'Free space on its file system; the old files are in use meanwhile'
        : 'Give the directory, and the file system it is on, to the user that runs this, writable'
  return new LoghopError('IDENTITY_WRITE', `Cannot replace files of identity ${directory}: ${(error as Error).message}`, remedy, {
    cause: error,
  })
}

/**
 * Replaces the files together: after any crash either all old ones or all new ones count.
 * @throws {LoghopError} IDENTITY_WRITE, IDENTITY_LOCKED; the old ones count
 */
export async function replaceTogether(directory: string, files: NewFiles): Promise<void> {
  try {
    await withIdentityLock(directory, () => {
      asOwner(directory, () => {
        for (const _ of replacementSteps(directory, files));
      })
    })
  } catch (error) {
    throw explained(directory, error)
  }
}

/** Finishes a replacement that a crash has left, if this process may write and no other is at it. Without effect otherwise: readers cope. */
export function finishReplacement(directory: string): void {
  if (!fs.existsSync(path.join(directory, NEXT_DIRECTORY))) return
  try {
    asOwner(directory, () => {
      const lock = takeLock(path.join(directory, LOCK_FILE))
      if (lock === undefined) return
      try {
        for (const _ of finishSteps(directory));
      } finally {
        lock.release()
      }
    })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}
