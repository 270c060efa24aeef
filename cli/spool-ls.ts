import * as fs from 'node:fs'
import * as path from 'node:path'
import { LoghopError } from '../core/base/errors.ts'
import { nodeFiles } from '../core/base/files.ts'
import { printable } from '../core/base/printable.ts'
import {
  bytesBehind,
  checkIsDirectory,
  endPosition,
  isSpool,
  listOrExplain,
  missingSegments,
  positionText,
  type SegmentFile,
  segmentFiles,
  unreadable,
} from '../core/spool/inspect.ts'
import { type Cursor, documentFault, inspectCursors, inspectState, inspectStreams } from '../core/spool/inspect-documents.ts'
import { listKept } from '../core/spool/inspect-quarantine.ts'
import { type SegmentSummary, summarise } from '../core/spool/inspect-records.ts'
import { comparePositions } from '../core/spool/position.ts'
import { type ConfiguredSpool, loadConfiguredSpool } from './spool-config.ts'
import { isOpenElsewhere, undeliveredPosition } from './spool-open.ts'
import { counted, printLine, roundedSize } from './spool-output.ts'

export interface ListFlags {
  readonly config?: string
  readonly older: number
  readonly json?: boolean
}

type ListedSegment = SegmentFile & { readonly fault?: string } & Partial<SegmentSummary>

interface ListedCursor {
  readonly name: string
  readonly position?: { readonly segment: number; readonly offset: number }
  readonly behindBytes?: number
  readonly fault?: string
  readonly movedAt: string
  /** Why no destination is known to use it. */
  readonly orphaned?: string
}

interface ListedSpool {
  readonly directory: string
  readonly id?: string
  readonly stream?: string
  readonly state: string
  readonly streams?: number
  readonly streamsFault?: string
  readonly segments: readonly ListedSegment[]
  readonly missing: ReturnType<typeof missingSegments>
  readonly cursors: readonly ListedCursor[]
  readonly quarantine: ReadonlyArray<{ readonly file: string; readonly bytes: number }>
}

const DAY_MS = 86_400_000
const MISSING_SHOWN = 100

/** @throws {LoghopError} no spool, not readable, or a configuration of another spool */
export function listSpool(directory: string, flags: ListFlags): void {
  checkIsDirectory(nodeFiles, directory)
  const configured = flags.config === undefined ? undefined : loadConfiguredSpool(flags.config)
  if (!isSpool(nodeFiles, directory)) {
    listBelow(directory, flags, configured)
    return
  }
  if (configured !== undefined && !isSame(configured.directory, directory)) {
    throw new LoghopError(
      'USAGE',
      `Cannot tell the cursors of ${directory} by ${flags.config}: its spool is ${configured.directory}`,
      'Give the configuration of the daemon that has this spool, or leave --config out',
    )
  }
  const listed = gather(directory, flags, configured)
  if (flags.json === true) printLine(JSON.stringify(listed, undefined, 2))
  else for (const line of linesOf(listed)) printLine(line)
}

function isSame(a: string, b: string): boolean {
  try {
    return fs.realpathSync(a) === fs.realpathSync(b)
  } catch {
    return false
  }
}

function stateText(isClosed: boolean | undefined, isOpen: boolean | undefined): string {
  if (isOpen === true) return 'open in a running process'
  if (isClosed === undefined) return 'of unknown state'
  if (isClosed) return 'closed cleanly'
  return isOpen === false ? 'not closed cleanly: the daemon recovers it at its next start' : 'open, or not closed cleanly'
}

function gather(directory: string, flags: ListFlags, configured: ConfiguredSpool | undefined): ListedSpool {
  const state = inspectState(nodeFiles, directory)
  const streams = inspectStreams(nodeFiles, directory)
  const cursors = inspectCursors(nodeFiles, directory)
  const segments = segmentFiles(nodeFiles, directory)
  const isClosed = state.kind === 'read' ? state.content.isClosed : undefined
  const stateFault = documentFault(state) ?? (state.kind === 'absent' ? 'missing' : undefined)
  const streamsFault = documentFault(streams)
  return {
    directory,
    ...(state.kind === 'read' ? { id: state.content.id, stream: state.content.stream } : {}),
    state:
      stateFault === undefined ? stateText(isClosed, isClosed === true ? false : isOpenElsewhere(directory)) : `DAMAGED: ${stateFault}`,
    ...(streams.kind === 'read' ? { streams: streams.content.streams.length } : {}),
    ...(streamsFault === undefined ? {} : { streamsFault }),
    segments: segments.map(listedSegment),
    missing: missingSegments(segments, MISSING_SHOWN),
    cursors: cursors.map((cursor) => listedCursor(cursor, segments, flags, configured)),
    quarantine: listKept(nodeFiles, directory).map(({ file, bytes }) => ({ file, bytes })),
  }
}

function listedSegment(segment: SegmentFile): ListedSegment {
  try {
    return { ...segment, ...summarise(nodeFiles, segment) }
  } catch (error) {
    return { ...segment, fault: unreadable(segment.file, error).message }
  }
}

function listedCursor(
  { name, file, document }: Cursor,
  segments: readonly SegmentFile[],
  flags: ListFlags,
  configured: ConfiguredSpool | undefined,
): ListedCursor {
  const movedMs = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const movedAt = new Date(movedMs).toISOString()
  const fault = documentFault(document)
  const position = document.kind === 'read' ? document.content.position : undefined
  const isBeyond = position !== undefined && comparePositions(position, endPosition(segments)) > 0
  const behindBytes = position === undefined ? undefined : bytesBehind(segments, position)
  const idleDays = Math.floor((Date.now() - movedMs) / DAY_MS)
  let orphaned: string | undefined
  if (configured !== undefined)
    orphaned = configured.cursors.includes(name) ? undefined : 'the configuration has no destination of that name'
  // One that has everything does not move either.
  else if (idleDays >= flags.older && behindBytes !== 0) orphaned = `it has not moved for ${idleDays} days; --config tells for certain`
  return {
    name,
    ...(position === undefined ? {} : { position, behindBytes: behindBytes! }),
    ...(fault === undefined && !isBeyond ? {} : { fault: fault ?? 'it is behind the end of the spool' }),
    movedAt,
    ...(orphaned === undefined ? {} : { orphaned }),
  }
}

function timeText(us: number): string {
  const date = new Date(us / 1000)
  return Number.isNaN(date.getTime()) ? 'an impossible time' : date.toISOString().replace(/\.\d+Z$/, 'Z')
}

function linesOf(spool: ListedSpool): string[] {
  const label = (name: string, text: string): string => `${name.padEnd(12)} ${printable(text, 4096)}`
  const lines = [
    label('spool', `${spool.directory}: ${spool.state}`),
    label('id', `${spool.id ?? 'unknown'}, stream ${spool.stream ?? 'unknown'}`),
    label('streams', spool.streamsFault === undefined ? `${spool.streams ?? 'none written yet'}` : `DAMAGED: ${spool.streamsFault}`),
  ]
  let [records, messages, bytes] = [0, 0, 0]
  for (const segment of spool.segments) {
    bytes += segment.bytes
    records += segment.records ?? 0
    messages += segment.messages ?? 0
    lines.push(label('segment', segmentText(segment)))
  }
  for (const [from, to] of spool.missing) lines.push(label('segment', from === to ? `${from} is MISSING` : `${from} to ${to} are MISSING`))
  lines.push(
    label(
      'in all',
      `${counted(spool.segments.length, 'segment')}, ${roundedSize(bytes)}, ${counted(records, 'record')}, ${counted(messages, 'message')}`,
    ),
  )
  for (const cursor of spool.cursors) lines.push(label('cursor', cursorText(cursor)))
  if (spool.cursors.length === 0) lines.push(label('cursor', 'none: no destination has read from it'))
  for (const { file, bytes: size } of spool.quarantine) lines.push(label('quarantine', `${file}, ${size} bytes`))
  return lines
}

function segmentText(segment: ListedSegment): string {
  if (segment.fault !== undefined) return `${segment.number}: UNREADABLE: ${segment.fault}`
  const { firstUs, lastUs, badBytes = 0 } = segment
  const times = firstUs === undefined || lastUs === undefined ? '' : `, ${timeText(firstUs)} to ${timeText(lastUs)}`
  const bad = badBytes === 0 ? '' : `, ${badBytes} bytes are NO RECORD`
  return `${segment.number}: ${segment.bytes} bytes, ${counted(segment.records ?? 0, 'record')}, ${counted(segment.messages ?? 0, 'message')}${times}${bad}`
}

function cursorText(cursor: ListedCursor): string {
  const place = cursor.position === undefined ? '' : ` at ${positionText(cursor.position)}, ${cursor.behindBytes} bytes behind`
  const fault = cursor.fault === undefined ? '' : `: DAMAGED: ${cursor.fault}`
  return `${cursor.name}${place}${fault}${cursor.orphaned === undefined ? '' : `, ORPHANED: ${cursor.orphaned}`}`
}

/** A spool without a process, and whether a configuration knows it. */
function listBelow(parent: string, flags: ListFlags, configured: ConfiguredSpool | undefined): void {
  const spools = listOrExplain(nodeFiles, parent)
    .map((name) => path.join(parent, name))
    .filter((directory) => isSpool(nodeFiles, directory))
    .sort()
  if (spools.length === 0) {
    throw new LoghopError(
      'NO_SPOOL',
      `Cannot list ${parent}: it is no spool, and none stands in it`,
      'Name the directory that stands as "spool: directory" in agent.yaml or relay.yaml, or the one above it',
    )
  }
  const orphaned = spools.flatMap((directory) => {
    if (configured !== undefined && isSame(configured.directory, directory)) return []
    return isOpenElsewhere(directory) === true ? [] : [orphanOf(directory)]
  })
  if (flags.json === true) {
    printLine(JSON.stringify({ directory: parent, spools: spools.length, orphaned }, undefined, 2))
    return
  }
  for (const { directory, fault, undeliveredBytes, usedBytes } of orphaned) {
    const text = fault ?? `${roundedSize(usedBytes)}, of which ${roundedSize(undeliveredBytes)} are not delivered`
    printLine(`orphaned     ${printable(directory, 4096)}: ${text}`)
  }
  const known = spools.length - orphaned.length
  const why = configured === undefined ? 'open in a running process' : 'open in a running process, or in the configuration'
  if (known > 0) printLine(`not shown    ${known} of ${spools.length} spools: ${why}`)
  if (orphaned.length > 0)
    printLine(
      'Orphaned means that no process has it open. Look into one with "loghop spool ls", and save its messages with "loghop spool export".',
    )
}

function orphanOf(directory: string): { directory: string; usedBytes: number; undeliveredBytes: number; fault?: string } {
  try {
    const segments = segmentFiles(nodeFiles, directory)
    const position = undeliveredPosition(inspectCursors(nodeFiles, directory), segments)
    return { directory, usedBytes: segments.reduce((sum, { bytes }) => sum + bytes, 0), undeliveredBytes: bytesBehind(segments, position) }
  } catch (error) {
    return { directory, usedBytes: 0, undeliveredBytes: 0, fault: error instanceof Error ? error.message : String(error) }
  }
}
