import * as fs from 'node:fs'
import * as path from 'node:path'

export interface FileStat {
  readonly device: number
  readonly inode: number
  readonly size: number
  readonly isFile: boolean
  readonly isDirectory: boolean
}

/**
 * The file system as the spool and its neighbours use it, passed in so that a test can drop what was not synced.
 * Errors are those of node:fs, with their errno in `code`.
 */
export interface Files {
  open(file: string, flags: number, mode: number): number
  close(fd: number): void
  /** May write less than asked (a full disk does, without an error); see writeAll. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number
  stat(fd: number): FileStat
  statPath(file: string): FileStat | undefined
  truncate(fd: number, size: number): void
  syncData(fd: number): Promise<void>
  syncDataNow(fd: number): void
  sync(fd: number): void
  syncLater(fd: number): Promise<void>
  rename(from: string, to: string): void
  unlink(file: string): void
  makeDirectory(directory: string, mode: number): void
  list(directory: string): string[]
  /** Makes renames, creations and removals in the directory durable. */
  syncDirectory(directory: string): void
  syncDirectoryLater(directory: string): Promise<void>
  /** Bytes free to this process on the file system of `file`. */
  freeBytes(file: string): number
}

const REPLACE_FLAGS = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC

function toStat(stat: fs.Stats): FileStat {
  return { device: stat.dev, inode: stat.ino, size: stat.size, isFile: stat.isFile(), isDirectory: stat.isDirectory() }
}

function fsyncLater(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve())))
}

export const nodeFiles: Files = {
  open: (file, flags, mode) => fs.openSync(file, flags, mode),
  close: (fd) => fs.closeSync(fd),
  write: (fd, bytes, offset, length, position) => fs.writeSync(fd, bytes, offset, length, position),
  read: (fd, into, offset, length, position) => fs.readSync(fd, into, offset, length, position),
  stat: (fd) => toStat(fs.fstatSync(fd)),
  statPath: (file) => {
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    return stat === undefined ? undefined : toStat(stat)
  },
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
  syncData: (fd) => new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
  syncDataNow: (fd) => fs.fdatasyncSync(fd),
  sync: (fd) => fs.fsyncSync(fd),
  syncLater: fsyncLater,
  rename: (from, to) => fs.renameSync(from, to),
  unlink: (file) => fs.unlinkSync(file),
  makeDirectory: (directory, mode) => {
    fs.mkdirSync(directory, { recursive: true, mode })
  },
  list: (directory) => fs.readdirSync(directory),
  syncDirectory: (directory) => {
    const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  },
  syncDirectoryLater: async (directory) => {
    const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    try {
      await fsyncLater(fd)
    } finally {
      fs.closeSync(fd)
    }
  },
  freeBytes: (file) => {
    const stat = fs.statfsSync(file)
    // What a file system keeps for root is free to root.
    return (process.getuid?.() === 0 ? stat.bfree : stat.bavail) * stat.bsize
  },
}

/**
 * Writes all of `bytes` at `position`, looping over short writes.
 * @throws the errno of the failing write; what stands in the file from `position` on is then undefined
 */
export function writeAll(files: Files, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += files.write(fd, bytes, done, bytes.length - done, position + done)
  }
}

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export function readAll(files: Files, fd: number, into: Uint8Array, length: number, position: number): number {
  let done = 0
  while (done < length) {
    const got = files.read(fd, into, done, length - done, position + done)
    if (got === 0) break
    done += got
  }
  return done
}

/**
 * Replaces a small file so that after any crash either the old or the new content stands there:
 * write beside it, fsync, rename, fsync of the folder.
 */
export function replaceFile(files: Files, file: string, content: Uint8Array, mode: number): void {
  const temporary = `${file}.new`
  const fd = files.open(temporary, REPLACE_FLAGS, mode)
  try {
    writeAll(files, fd, content, 0)
    files.sync(fd)
  } finally {
    files.close(fd)
  }
  files.rename(temporary, file)
  files.syncDirectory(path.dirname(file))
}

/** `replaceFile` with both syncs off the event loop. Two calls for one file must not overlap. */
export async function replaceFileLater(files: Files, file: string, content: Uint8Array, mode: number): Promise<void> {
  const temporary = `${file}.new`
  const fd = files.open(temporary, REPLACE_FLAGS, mode)
  try {
    writeAll(files, fd, content, 0)
    await files.syncLater(fd)
  } finally {
    files.close(fd)
  }
  files.rename(temporary, file)
  await files.syncDirectoryLater(path.dirname(file))
}
