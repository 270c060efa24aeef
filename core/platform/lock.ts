import * as fs from 'node:fs'
import { libc } from './libc.ts'

const LOCK_EX = 2
const LOCK_NB = 4

/**
 * Takes the lock of `file` for the life of the process (flock(2): gone with the process, however it ends).
 * A link of that name is not followed: root takes locks in directories of other users.
 * @returns undefined when another process has it
 */
export function takeLock(file: string): { release(): void } | undefined {
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o600)
  if (libc.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    fs.closeSync(fd)
    return undefined
  }
  return { release: () => fs.closeSync(fd) }
}
