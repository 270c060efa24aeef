import * as fs from 'node:fs'
import * as path from 'node:path'
import { LoghopError } from '../base/errors.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK } = fs.constants

export interface Modes {
  readonly file: number
  readonly directory: number
}

/** Where `name` in the open directory `fd` is reached without walking the path to it again; Linux alone has this. */
function within(fd: number, directory: string, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${fd}/${name}` : path.join(directory, name)
}

function refused(file: string, found: string): LoghopError {
  return new LoghopError(
    'FILE_REFUSED',
    `Cannot write to ${file}: ${found}`,
    'Remove what stands there; Loghop follows no link below the base directory and writes only to plain files of its own',
  )
}

function openDirectory(parent: number, directory: string, name: string, mode: number): number {
  const place = within(parent, directory, name)
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
  try {
    return fs.openSync(place, flags)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ELOOP' || code === 'ENOTDIR') throw refused(path.join(directory, name), 'it is no directory but a link or a file')
    if (code !== 'ENOENT') throw error
  }
  fs.mkdirSync(place, { mode })
  const fd = fs.openSync(place, flags)
  fs.fchmodSync(fd, mode) // whatever the umask
  return fd
}

/**
 * Opens a file for appending below `base`, creating directories and file, following no link below it.
 * @param components at least the file's name; each one component
 * @returns descriptor and full path
 * @throws {LoghopError} a link, a hard link, a pipe or a directory stands in the way; or the errno of the failing call
 */
export function openBelow(base: string, components: readonly string[], modes: Modes): { fd: number; file: string } {
  const first = fs.mkdirSync(base, { recursive: true, mode: modes.directory })
  // Whatever the umask, here too.
  if (first !== undefined) for (let made = base; made.length >= first.length; made = path.dirname(made)) fs.chmodSync(made, modes.directory)
  let directory = base
  let parent = fs.openSync(base, O_RDONLY | O_DIRECTORY)
  try {
    for (const name of components.slice(0, -1)) {
      const child = openDirectory(parent, directory, name, modes.directory)
      fs.closeSync(parent)
      parent = child
      directory = path.join(directory, name)
    }
    const name = components.at(-1)!
    const file = path.join(directory, name)
    const fd = openFile(within(parent, directory, name), file, modes.file)
    const stat = fs.fstatSync(fd)
    if (!stat.isFile() || stat.nlink > 1) {
      fs.closeSync(fd)
      throw refused(file, stat.isFile() ? `it has ${stat.nlink} names (hard links), one is wanted` : 'it is no plain file')
    }
    return { fd, file }
  } finally {
    fs.closeSync(parent)
  }
}

function openFile(place: string, file: string, mode: number): number {
  // O_NONBLOCK: opening a pipe that nobody reads must not hang us.
  const flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK
  try {
    return fs.openSync(place, flags)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ELOOP') throw refused(file, 'it is a link')
    if (code === 'EISDIR' || code === 'ENXIO') throw refused(file, 'it is no plain file')
    if (code !== 'ENOENT') throw error
  }
  const fd = fs.openSync(place, flags | O_CREAT | O_EXCL, mode)
  fs.fchmodSync(fd, mode)
  return fd
}
