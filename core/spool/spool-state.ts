import { randomBytes } from 'node:crypto'
import * as path from 'node:path'
import { readDocument, writeDocument } from '../base/checked-document.ts'
import type { Files } from '../base/files.ts'

export interface SpoolState {
  readonly id: string
  readonly stream: string
  /** Undefined where the system does not tell: then every unclean end counts as a power cut. */
  readonly bootId: string | undefined
  readonly isClosed: boolean
}

function newId(): string {
  return randomBytes(16).toString('hex')
}

/**
 * The state with which a spool opens: its own again, with a new stream when messages may have been sent on that the disk
 * does not hold any more (FORMAT.md, Streams and sequences).
 * @param isDamaged recovery found less than there had been: the highest sequence given out is not known for certain
 */
export function nextState(previous: SpoolState | undefined, bootId: string | undefined, isDamaged: boolean): SpoolState {
  if (previous === undefined) return { id: newId(), stream: newId(), bootId, isClosed: false }
  const isSameBoot = bootId !== undefined && previous.bootId === bootId
  const goesOn = !isDamaged && (previous.isClosed || isSameBoot)
  return { id: previous.id, stream: goesOn ? previous.stream : newId(), bootId, isClosed: false }
}

export function readState(files: Files, directory: string): { state: SpoolState | undefined; damage: string | undefined } {
  const read = readDocument(files, path.join(directory, 'state'), 'state')
  if (read.kind === 'read') return { state: read.content as SpoolState, damage: undefined }
  return { state: undefined, damage: read.kind === 'damaged' ? read.reason : undefined }
}

export function writeState(files: Files, directory: string, state: SpoolState): void {
  writeDocument(files, path.join(directory, 'state'), 'state', state)
}
