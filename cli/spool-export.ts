import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { nodeFiles, writeAll } from '../core/base/files.ts'
import { PAYLOAD_LIMIT_BYTES } from '../core/spool/constants.ts'
import { checkIsSpool, oldestPosition, positionText, segmentFiles } from '../core/spool/inspect.ts'
import { inspectCursors } from '../core/spool/inspect-documents.ts'
import { EXIT_FAILED } from './daemon-commands.ts'
import { PAYLOAD_START, plainRecords } from './spool-messages.ts'
import { cursorPosition, undeliveredPosition } from './spool-open.ts'
import { counted, printLine } from './spool-output.ts'

export interface ExportFlags {
  readonly all?: boolean
  readonly fromCursor?: string
  readonly format: string
}

const WRITE_BYTES = 1 << 20
// A byte of the message takes at most four, and its length or line end a few.
const OUTPUT_BYTES = WRITE_BYTES + 4 * PAYLOAD_LIMIT_BYTES + 16
const LF = 0x0a

/** @throws {LoghopError} wrong options, no spool, or a file that is there or cannot be written */
export function exportSpool(directory: string, file: string, flags: ExportFlags): void {
  checkIsSpool(nodeFiles, directory)
  if (flags.format !== 'octet-counted' && flags.format !== 'lines')
    throw new LoghopError('USAGE', `Cannot export as "${flags.format}"`, 'Give octet-counted or lines')
  if (flags.all === true && flags.fromCursor !== undefined)
    throw new LoghopError('USAGE', 'Cannot start at two places: both --all and --from-cursor are given', 'Give one of them')
  const cursors = inspectCursors(nodeFiles, directory)
  const cursor = flags.fromCursor === undefined ? undefined : cursorPosition(directory, flags.fromCursor)
  const segments = segmentFiles(nodeFiles, directory)
  const from = cursor ?? (flags.all === true ? oldestPosition(segments) : undeliveredPosition(cursors, segments))
  const fd = create(file)
  let isComplete = true
  let messages = 0
  let escaped = 0
  try {
    const memory = Buffer.allocUnsafeSlow(PAYLOAD_START + PAYLOAD_LIMIT_BYTES)
    const out = Buffer.allocUnsafeSlow(OUTPUT_BYTES)
    let length = 0
    let written = 0
    const flush = (): void => {
      writeAll(nodeFiles, fd, out.subarray(0, length), written)
      written += length
      length = 0
    }
    const onDamage = (): void => {
      isComplete = false
    }
    for (const record of plainRecords(directory, segments, from, () => true, memory, onDamage)) {
      for (const [start, end] of record.messages) {
        messages++
        if (flags.format === 'octet-counted') {
          length += out.write(`${end - start} `, length, 'latin1')
          length += memory.copy(out, length, start, end)
        } else {
          const before = length
          length = writeLine(memory, start, end, out, length)
          if (length - before > end - start + 1) escaped++
        }
        if (length >= WRITE_BYTES) flush()
      }
    }
    flush()
    nodeFiles.sync(fd)
    nodeFiles.close(fd)
    nodeFiles.syncDirectory(path.dirname(file))
    printLine(
      `Wrote ${counted(messages, 'message')}, ${counted(written, 'byte')}, to ${file} (${flags.format}), from ${positionText(from)} on`,
    )
    if (escaped > 0)
      printLine(`A line feed or NUL was written as #012 or #000 in ${counted(escaped, 'message')}; octet-counted keeps them as they are`)
  } catch (error) {
    nodeFiles.unlink(file)
    throw cannotWrite(file, error)
  }
  if (isComplete) return
  process.stderr.write(`loghop: the export is not complete, see above\n`)
  process.exitCode = EXIT_FAILED
}

function create(file: string): number {
  try {
    return nodeFiles.open(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600)
  } catch (error) {
    throw cannotWrite(file, error)
  }
}

function cannotWrite(file: string, error: unknown): unknown {
  switch (errnoOf(error)) {
    case undefined:
      return error
    case 'EEXIST':
      return new LoghopError(
        'EXISTS',
        `Cannot export to ${file}: there is such a file already`,
        'Give the name of a new file; none is overwritten',
      )
    case 'ENOSPC':
    case 'EDQUOT':
      return new LoghopError(
        'DISK_FULL',
        `Cannot export to ${file}: no space is left there`,
        'Free space, or give a file on another disk; the begun file is removed',
      )
    default:
      return new LoghopError(
        'EXPORT',
        `Cannot export to ${file}: ${(error as Error).message}`,
        'Give a file in a directory that this user may write to',
        { cause: error },
      )
  }
}

/** One line for each message, whatever is in it: RFC 6587, 3.4.2. @returns end of the line */
function writeLine(memory: Buffer, start: number, end: number, out: Buffer, at: number): number {
  let to = at
  for (let index = start; index < end; index++) {
    const byte = memory[index]!
    if (byte === LF) to += out.write('#012', to, 'latin1')
    else if (byte === 0) to += out.write('#000', to, 'latin1')
    else out[to++] = byte
  }
  out[to] = LF
  return to + 1
}
