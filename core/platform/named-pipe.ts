import * as fs from 'node:fs'
import { LoghopError } from '../base/errors.ts'
import { lastErrno, libc } from './libc.ts'

/**
 * Opens a named pipe for reading, made if it is missing. It is held open for writing too: no writer ever meets a pipe without a reader, and the end of
 * one is not the end of the pipe.
 * @param mode permissions of a pipe that is made
 * @throws {LoghopError} something else stands there, or it cannot be made or opened
 */
export function openNamedPipe(path: string, mode: number): number {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) {
    const umask = process.umask(0o777 & ~mode)
    const isMade = libc.mkfifo(path, mode) === 0
    const errno = isMade ? '' : lastErrno()
    process.umask(umask)
    if (!isMade && errno !== 'EEXIST') {
      throw new LoghopError(
        'PIPE',
        `Cannot make the named pipe ${path}: ${errno}`,
        errno === 'ENOENT' ? 'Make its directory first' : 'Run the agent as a user that may write there, or name another path in sources',
      )
    }
  } else if (!stat.isFIFO()) {
    throw new LoghopError(
      'PIPE',
      `Cannot read the named pipe ${path}: it is not a named pipe`,
      'Name another path in sources, or move it away',
    )
  }
  try {
    return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
  } catch (error) {
    throw new LoghopError(
      'PIPE',
      `Cannot open the named pipe ${path}: ${(error as Error).message}`,
      'Run the agent as a user that may read and write it',
      { cause: error },
    )
  }
}
