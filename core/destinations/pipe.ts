// A named pipe, and readers that come and go. The pipe's memory belongs to nobody: it lives as long as any end is open, and what one reader leaves, the next
// one finds. So our end is held open only while somebody reads:
//
// | state  | our end | begins                                       | ends                                                                     |
// |--------|---------|----------------------------------------------|--------------------------------------------------------------------------|
// | closed | closed  | at the start; when the reader is gone        | the pipe can be opened for writing, which it can while somebody reads    |
// | open   | open    | a reader is there                            | nobody has the read end any more: EPIPE, or poll(2) says so, asked with  |
// |        |         |                                              | each write and every 20 ms while a line is not read                      |
//
// From open to closed: how many bytes were not read is asked (FIONREAD) and says which lines are done, those that were read to their end. Then our end is
// closed. It was the last, so the system forgets what is left in the pipe, and the next reader begins with the first line that is not done.
//
// Lines up to PIPE_BUF are written whole or not at all, several in one write, so what stands in the pipe ends with a whole line. Only what a reader takes by its
// own choice of length begins or ends within one.
//
// What no writer can see: a reader that is gone and another one that came before we looked. The second goes on where the first had stopped, as with any
// pipe; where that is within a line, each has a part of it. And one that opens the pipe in the moment before our end is closed reads the end of the file.

import * as fs from 'node:fs'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { isWithoutReader, unreadInPipe } from '../platform/descriptors.ts'
import type { LineMaker } from './line-maker.ts'
import { LineOutlet } from './line-outlet.ts'

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants
const POLL_LIMIT_MS = 20

/** Lines into a named pipe. Without a reader nothing is written and everything waits in the spool. */
export class PipeOutlet extends LineOutlet {
  constructor(path: string, format: LineMaker) {
    const look = (fd: number): void => {
      if (isWithoutReader(fd)) throw new LoghopError('PIPE', `The reader of the pipe ${path} is gone`, 'Start it again')
    }
    const end = {
      kind: 'pipe',
      name: path,
      guarantee: 'at least once: what a reader had not read to the end of the line when it went comes again',
      retryLimitMs: 1000,
      open: () => ({ fd: openForWriting(path), unread: unreadInPipe, look, settleMs: 0, pollLimitMs: POLL_LIMIT_MS }),
      close: fs.closeSync,
    }
    super(end, format)
  }
}

function openForWriting(path: string): number {
  let fd: number
  try {
    // Without a reader this fails at once instead of waiting for one.
    fd = fs.openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENXIO') throw new LoghopError('PIPE', `Nobody reads the pipe ${path}`, 'Start its reader')
    if (errno === 'ENOENT') throw new LoghopError('PIPE', `There is no pipe ${path}`, `Make it: mkfifo -m 0640 ${path}`)
    throw error
  }
  if (fs.fstatSync(fd).isFIFO()) return fd
  fs.closeSync(fd)
  throw new LoghopError('PIPE', `${path} is no named pipe`, 'Remove what stands there and make the pipe: mkfifo')
}
