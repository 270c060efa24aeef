import * as path from 'node:path'
import { LoghopError } from '../core/base/errors.ts'
import { nodeFiles } from '../core/base/files.ts'
import { takeLock } from '../core/platform/lock.ts'
import { endPosition, oldestPosition, positionText, type SegmentFile } from '../core/spool/inspect.ts'
import { type Cursor, documentFault, inspectCursors } from '../core/spool/inspect-documents.ts'
import { comparePositions, type Position } from '../core/spool/position.ts'

/** Whether a process has the spool open; undefined when this user may not ask. Makes no file. */
export function isOpenElsewhere(directory: string): boolean | undefined {
  const file = path.join(directory, 'lock')
  try {
    if (nodeFiles.statPath(file) === undefined) return false
    const lock = takeLock(file)
    lock?.release()
    return lock === undefined
  } catch {
    return undefined
  }
}

/** @throws {LoghopError} there is no such cursor, or it is damaged */
export function cursorPosition(directory: string, name: string): Position {
  const cursors = inspectCursors(nodeFiles, directory)
  const cursor = cursors.find((one) => one.name === name)
  const names = cursors.map((one) => one.name).join(', ')
  const remedy = names === '' ? 'This spool has none: leave the option out' : `It has ${names}`
  if (cursor === undefined) throw new LoghopError('USAGE', `Cannot start at the cursor "${name}": there is none of that name`, remedy)
  const { document } = cursor
  if (document.kind === 'read') return document.content.position
  throw new LoghopError(
    'CURSOR_DAMAGED',
    `Cannot start at the cursor "${name}": ${documentFault(document) ?? 'it is gone'}`,
    `Give a place with --after, or mend it with "loghop spool repair ${directory}"`,
  )
}

/** Where the slowest destination is; the oldest record kept when a cursor cannot be read, or there is none. */
export function undeliveredPosition(cursors: readonly Cursor[], segments: readonly SegmentFile[]): Position {
  const [oldest, end] = [oldestPosition(segments), endPosition(segments)]
  const positions = cursors.map(({ document }) => (document.kind === 'read' ? document.content.position : oldest))
  const slowest = positions.toSorted(comparePositions)[0] ?? oldest
  return comparePositions(slowest, oldest) < 0 || comparePositions(slowest, end) > 0 ? oldest : slowest
}

/** Reads `SEGMENT:OFFSET`. @throws {LoghopError} it is none, or not in the spool */
export function parsePosition(text: string, segments: readonly SegmentFile[]): Position {
  const match = /^(\d{1,12}):(\d{1,12})$/.exec(text)
  if (match === null)
    throw new LoghopError(
      'USAGE',
      `Cannot start at "${text}": it is not SEGMENT:OFFSET`,
      'Give it as "loghop spool ls" shows it, such as 3:4711',
    )
  const position = { segment: Number(match[1]), offset: Number(match[2]) }
  const end = endPosition(segments)
  if (comparePositions(position, end) <= 0) return position
  throw new LoghopError(
    'USAGE',
    `Cannot start at ${text}: the spool ends at ${positionText(end)}`,
    'Give a place in the spool, as "loghop spool ls" shows them',
  )
}
