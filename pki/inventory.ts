import * as fs from 'node:fs'
import * as path from 'node:path'
import { nodeFiles } from '../core/base/files.ts'
import { INVENTORY_FILE } from './authority.ts'

/** One line of `issued.jsonl`: what revocation, renewal and a curious person need to know of a certificate. */
export interface IssuedCertificate {
  readonly serial: string
  readonly name: string
  readonly role: string
  readonly issuedAt: string
  readonly notAfter: string
  /** Fingerprint, as in CertificateFacts. */
  readonly sha256: string
}

/** Appends one line, in one write, and syncs it: a certificate exists only once it is on record. */
export function recordIssued(directory: string, issued: IssuedCertificate): void {
  const line = Buffer.from(`${JSON.stringify(issued)}\n`)
  const fd = fs.openSync(path.join(directory, INVENTORY_FILE), fs.constants.O_WRONLY | fs.constants.O_APPEND | fs.constants.O_CREAT, 0o600)
  try {
    if (fs.writeSync(fd, line) !== line.length) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  nodeFiles.syncDirectory(directory)
}
