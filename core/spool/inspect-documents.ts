// The checked documents of a spool, with their shape: a checksum only says that they are as they were written.

import * as path from 'node:path'
import { type DocumentRead, readDocument } from '../base/checked-document.ts'
import type { Files } from '../base/files.ts'
import { type CursorDocument, cursorPath } from './attachment.ts'
import type { Position } from './position.ts'
import { STREAMS_FILE, type StreamsDocument } from './recovery.ts'
import type { SpoolState } from './spool-state.ts'

export type Inspected<T> =
  | { readonly kind: 'read'; readonly content: T }
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged'; readonly reason: string }
  /** The system does not give it: no permission, or a bad disk. */
  | { readonly kind: 'unreadable'; readonly error: unknown }

const ID = /^[0-9a-f]{32}$/
const ORIGIN_LIMIT_CHARACTERS = 253

function inspect<T>(files: Files, file: string, name: string, hasShape: (content: unknown) => boolean): Inspected<T> {
  let read: DocumentRead
  try {
    read = readDocument(files, file, name)
  } catch (error) {
    return { kind: 'unreadable', error }
  }
  if (read.kind !== 'read') return read
  if (!hasShape(read.content)) return { kind: 'damaged', reason: 'what it says is not what such a document says' }
  return { kind: 'read', content: read.content as T }
}

function fieldsOf(content: unknown): Record<string, unknown> {
  return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {}
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isPosition(value: unknown): value is Position {
  const { segment, offset } = fieldsOf(value)
  return isCount(segment) && isCount(offset)
}

export function statePath(directory: string): string {
  return path.join(directory, 'state')
}

export function streamsPath(directory: string): string {
  return path.join(directory, STREAMS_FILE)
}

export function inspectState(files: Files, directory: string): Inspected<SpoolState> {
  return inspect(files, statePath(directory), 'state', (content) => {
    const { id, stream, bootId, isClosed } = fieldsOf(content)
    return (
      typeof id === 'string' &&
      ID.test(id) &&
      typeof stream === 'string' &&
      ID.test(stream) &&
      (bootId === undefined || typeof bootId === 'string') &&
      typeof isClosed === 'boolean'
    )
  })
}

export function inspectStreams(files: Files, directory: string): Inspected<StreamsDocument> {
  return inspect(files, streamsPath(directory), 'streams', (content) => {
    const { position, streams } = fieldsOf(content)
    return isPosition(position) && Array.isArray(streams) && streams.every(isStream)
  })
}

function isStream(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [origin, stream, intervals] = value as unknown[]
  if (typeof origin !== 'string' || origin.length === 0 || origin.length > ORIGIN_LIMIT_CHARACTERS) return false
  if (typeof stream !== 'string' || !ID.test(stream) || !Array.isArray(intervals)) return false
  let last = 0
  return intervals.every((interval: unknown) => {
    if (!Array.isArray(interval) || interval.length !== 2) return false
    const [from, to] = interval as unknown[]
    // Sorted, disjoint and not adjacent, and the first sequence is 1.
    if (!isCount(from) || !isCount(to) || from > to || from < 1 || (last > 0 && from <= last + 1)) return false
    last = to
    return true
  })
}

export interface Cursor {
  readonly name: string
  readonly file: string
  readonly document: Inspected<CursorDocument>
}

/** All cursors, by name. @throws the errno of listing them, but for a folder that is not there */
export function inspectCursors(files: Files, directory: string): Cursor[] {
  const folder = path.join(directory, 'cursors')
  if (files.statPath(folder) === undefined) return []
  return files
    .list(folder)
    .filter((name) => name.endsWith('.cursor'))
    .sort()
    .map((fileName) => {
      const name = fileName.slice(0, -'.cursor'.length)
      const file = cursorPath(directory, name)
      return { name, file, document: inspect(files, file, 'cursor', (content) => isPosition(fieldsOf(content)['position'])) }
    })
}

/** Why a document that was read cannot be used; undefined when it can, or is not there. */
export function documentFault(document: Inspected<unknown>): string | undefined {
  if (document.kind === 'damaged') return document.reason
  if (document.kind === 'unreadable') return document.error instanceof Error ? document.error.message : String(document.error)
  return undefined
}
