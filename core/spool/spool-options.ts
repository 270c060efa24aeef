import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Finding } from './recovery.ts'

export interface SpoolOptions {
  readonly directory: string
  readonly limitBytes: number
  /** SEGMENT_BYTES when left out; a test rolls sooner. */
  readonly segmentBytes?: number
  /** Pause after a failed sync; a test does not wait. */
  readonly syncRetryMs?: number
}

export interface SpoolWorld {
  readonly files: Files
  readonly clock: Clock
  readonly bootId: string | undefined
  onBadRecord(finding: Finding): void
  /** A sync failed; the unsynced part moves to a new segment and is synced there, again and again until it holds. */
  onSyncFailure(error: unknown): void
  /** A destination has come to the end and was shown more or fewer messages than the spool has had: a bug or a broken disk. */
  onMiscount(destination: string, shown: number, stored: number): void
}
