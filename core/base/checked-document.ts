import * as fs from 'node:fs'
import { crc32 } from 'node:zlib'
import { type Files, readAll, replaceFile, replaceFileLater } from './files.ts'

const DOCUMENT_LIMIT_BYTES = 64 << 20
// Seeded, so that an empty or zero-filled file is never valid.
const CRC_SEED = 0x4c6f6768

export type DocumentRead = { kind: 'read'; content: unknown } | { kind: 'absent' } | { kind: 'damaged'; reason: string }

/**
 * Replaces `file` by a small JSON document with a checksum, so that a crash leaves the old or the new one.
 * @throws the errno of the failing call; the old document still stands
 */
export function writeDocument(files: Files, file: string, name: string, content: unknown): void {
  replaceFile(files, file, encodeDocument(name, content), 0o600)
}

/** `writeDocument` with its syncs off the event loop; two calls for one file must not overlap. */
export function writeDocumentLater(files: Files, file: string, name: string, content: unknown): Promise<void> {
  return replaceFileLater(files, file, encodeDocument(name, content), 0o600)
}

function checksumOf(json: string): string {
  return crc32(json, CRC_SEED).toString(16).padStart(8, '0')
}

function encodeDocument(name: string, content: unknown): Buffer {
  const json = JSON.stringify(content)
  return Buffer.from(`loghop ${name} 1 ${checksumOf(json)}\n${json}\n`)
}

/** Reads what `writeDocument` wrote; damage is a result, since every document here can be rebuilt. */
export function readDocument(files: Files, file: string, name: string): DocumentRead {
  if (files.statPath(file) === undefined) return { kind: 'absent' }
  const fd = files.open(file, fs.constants.O_RDONLY, 0)
  let text: string
  try {
    const size = files.stat(fd).size
    if (size > DOCUMENT_LIMIT_BYTES) return { kind: 'damaged', reason: `${size} bytes, at most ${DOCUMENT_LIMIT_BYTES} are read` }
    const bytes = Buffer.alloc(size)
    text = bytes.toString('utf8', 0, readAll(files, fd, bytes, size, 0))
  } finally {
    files.close(fd)
  }
  const end = text.indexOf('\n')
  const header = /^loghop ([a-z-]+) 1 ([0-9a-f]{8})$/.exec(text.slice(0, Math.max(end, 0)))
  if (header === null || header[1] !== name) return { kind: 'damaged', reason: 'its first line is not that of such a document' }
  const json = text.slice(end + 1, -1)
  if (checksumOf(json) !== header[2]) return { kind: 'damaged', reason: 'its checksum does not match' }
  try {
    return { kind: 'read', content: JSON.parse(json) }
  } catch {
    return { kind: 'damaged', reason: 'it is not JSON' }
  }
}
