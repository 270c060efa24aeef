import * as fs from 'node:fs'
import * as path from 'node:path'
import { LoghopError } from '../base/errors.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK } = fs.constants

export interface Modes {
  readonly file: number
  readonly directory: number
  /** Owner of what is made; ours when left out. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** False: a folder that is missing is an error. */
  readonly createDirectories?: boolean
}

/** Where `name` in the open directory `fd` is reached without walking the path to it again; Linux alone has this. */
export function within(fd: number, directory: string, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${fd}/${name}` : path.join(directory, name)
}

const REMEDY = 'Remove what stands there; Loghop follows no link below the base directory and writes only to plain files of its own'

function refused(file: string, found: string, remedy = REMEDY): LoghopError {
  return new LoghopError('FILE_REFUSED', `Cannot write to ${file}: ${found}`, remedy)
}

/** What is told where a directory stands in the place of a file. */
export function refusedDirectory(file: string): LoghopError {
  return refused(file, 'it is no plain file but a directory', `Name a file in it, such as ${path.join(file, 'messages')}, or move it away`)
}

function openDirectory(parent: number, directory: string, name: string, modes: Modes | undefined): number {
  const place = within(parent, directory, name)
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
  try {
    return fs.openSync(place, flags)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ELOOP' || code === 'ENOTDIR') throw refused(path.join(directory, name), 'it is no directory but a link or a file')
    if (code !== 'ENOENT' || modes === undefined) throw error
    if (modes.createDirectories === false) {
      throw new LoghopError(
        'FILE_REFUSED',
        `Cannot write below ${path.join(directory, name)}: that directory is missing`,
        'Make it, or leave create_dirs at true',
      )
    }
  }
  fs.mkdirSync(place, { mode: modes.directory })
  const fd = fs.openSync(place, flags)
  if (hasOwner(modes)) fs.fchownSync(fd, modes.uid ?? -1, modes.gid ?? -1)
  fs.fchmodSync(fd, modes.directory) // whatever the umask
  return fd
}

/**
 * Opens a file for appending below `base`, creating directories and file, following no link below it.
 * @param components at least the file's name; each one component
 * @returns descriptor and full path
 * @throws {LoghopError} a link, a hard link, a pipe or a directory stands in the way; or the errno of the failing call
 */
export function openBelow(base: string, components: readonly string[], modes: Modes): { fd: number; file: string } {
  if (modes.createDirectories !== false) makeBase(base, modes)
  const { fd: parent, directory } = openParent(base, components, modes)
  try {
    const name = components.at(-1)!
    const file = path.join(directory, name)
    const fd = openFile(within(parent, directory, name), file, modes)
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

function makeBase(base: string, modes: Modes): void {
  const first = fs.mkdirSync(base, { recursive: true, mode: modes.directory })
  if (first === undefined) return
  // Whatever the umask, here too.
  for (let made = base; made.length >= first.length; made = path.dirname(made)) {
    fs.chmodSync(made, modes.directory)
    if (hasOwner(modes)) fs.chownSync(made, modes.uid ?? -1, modes.gid ?? -1)
  }
}

/**
 * The open folder of a file below `base`; no link below it is followed.
 * @param components of the file, its name last
 * @param modes where folders that are missing are made; else they have to be there
 */
export function openParent(base: string, components: readonly string[], modes?: Modes): { fd: number; directory: string } {
  let directory = base
  let fd = fs.openSync(base, O_RDONLY | O_DIRECTORY)
  for (const name of components.slice(0, -1)) {
    let child: number
    try {
      child = openDirectory(fd, directory, name, modes)
    } finally {
      fs.closeSync(fd)
    }
    fd = child
    directory = path.join(directory, name)
  }
  return { fd, directory }
}

function hasOwner(modes: Modes): boolean {
  return modes.uid !== undefined || modes.gid !== undefined
}

function openFile(place: string, file: string, modes: Modes): number {
  // O_NONBLOCK: opening a pipe that nobody reads must not hang us.
  const flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK
  try {
    return fs.openSync(place, flags)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ELOOP') throw refused(file, 'it is a link')
    if (code === 'EISDIR') throw refusedDirectory(file)
    if (code === 'ENXIO') throw refused(file, 'it is no plain file')
    if (code !== 'ENOENT') throw error
  }
  const fd = fs.openSync(place, flags | O_CREAT | O_EXCL, modes.file)
  try {
    if (hasOwner(modes)) fs.fchownSync(fd, modes.uid ?? -1, modes.gid ?? -1)
    fs.fchmodSync(fd, modes.file)
  } catch (error) {
    // Else it would stand there with the wrong owner, and nobody would set it right.
    fs.closeSync(fd)
    fs.unlinkSync(place)
    throw error
  }
  return fd
}
