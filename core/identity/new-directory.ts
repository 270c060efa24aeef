import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { nodeFiles, writeAll } from '../base/files.ts'

export interface NewFile {
  readonly name: string
  readonly text: string
  readonly mode: number
}

function writeNew(file: string, text: string, mode: number): void {
  const fd = fs.openSync(file, 'wx', mode)
  try {
    fs.fchmodSync(fd, mode)
    writeAll(nodeFiles, fd, Buffer.from(text), 0)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** @throws {LoghopError} PKI_EXISTS when something but an empty directory stands at `directory` */
export function requireFree(directory: string, what: string): void {
  const stat = fs.lstatSync(directory, { throwIfNoEntry: false })
  if (stat === undefined || (stat.isDirectory() && fs.readdirSync(directory).length === 0)) return
  const sentence = `Cannot make ${what} in ${directory}: something stands there already, and nothing is ever overwritten`
  throw new LoghopError('PKI_EXISTS', sentence, 'Name a directory that does not exist yet, or move the old one away')
}

/** In an empty directory that was made for this user, such as a service's below /var/lib, where none can be made beside it. */
function fill(target: string, files: readonly NewFile[], beforeItAppears: () => void): void {
  const begun: string[] = []
  try {
    fs.chmodSync(target, 0o700)
    for (const { name, text, mode } of files) {
      const file = path.join(target, name)
      begun.push(file)
      writeNew(file, text, mode)
    }
    nodeFiles.syncDirectory(target)
    beforeItAppears()
  } catch (error) {
    // That one is another process's.
    if (errnoOf(error) === 'EEXIST') begun.pop()
    for (const file of begun) fs.rmSync(file, { force: true })
    throw error
  }
}

/** Whether it could be made; not where the parent is someone else's, and `target` stands there already. */
function makeBeside(temporary: string, target: string): boolean {
  try {
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.mkdirSync(temporary, { mode: 0o700 })
    return true
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '') && fs.existsSync(target)) return false
    throw error
  }
}

/**
 * Makes a directory (mode 0700) with all of `files` in it, at once: written beside, synced, renamed. After a crash it is there whole or not at all.
 * An empty one whose parent this user may not write to is filled as it stands: whole only when the last of `files` is there.
 * @param beforeItAppears runs when all is on disk under the temporary name; if it throws, nothing appears
 * @throws {LoghopError} PKI_EXISTS, also when another process was faster; PKI_WRITE with the errno as cause
 */
export function makeDirectoryOnce(directory: string, what: string, files: readonly NewFile[], beforeItAppears = () => {}): void {
  const target = path.resolve(directory)
  requireFree(target, what)
  const temporary = `${target}.${randomBytes(6).toString('hex')}.new`
  try {
    if (!makeBeside(temporary, target)) {
      fill(target, files, beforeItAppears)
      return
    }
    for (const { name, text, mode } of files) writeNew(path.join(temporary, name), text, mode)
    nodeFiles.syncDirectory(temporary)
    beforeItAppears()
    // rename(2) replaces an empty directory and refuses any other.
    fs.renameSync(temporary, target)
    nodeFiles.syncDirectory(path.dirname(target))
  } catch (error) {
    fs.rmSync(temporary, { recursive: true, force: true })
    if (error instanceof LoghopError) throw error
    requireFree(target, what)
    const sentence = `Cannot make ${what} in ${directory}: ${errnoOf(error) ?? 'unexpected error'}`
    throw new LoghopError('PKI_WRITE', sentence, 'Check that the parent directory may be written and has space', { cause: error })
  }
}
