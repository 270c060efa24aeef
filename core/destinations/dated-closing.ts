// Which files of a path with a date are over. Told by the last write, as in dated-files.ts: the date in the path may be the sender's, and what came late for
// yesterday may go on coming.

import type { MinutesAt } from '../syslog/moment.ts'
import { periodOf, type RotationPeriod } from './file-rotation.ts'

/** How files of an earlier date are closed. */
export interface DatedClosing {
  /** How long the path stays the same. */
  readonly every: RotationPeriod
  /** The zone in which that begins. */
  readonly minutesAt: MinutesAt
  /** A file was renamed, or one that was before is still plain. @param components of the path that it had */
  closed(components: readonly string[]): void
}

/**
 * Those of one series that were last written to in an earlier period. The one that was written to last stays as it is, whatever its age, and so does the one
 * that was begun last: a link may lead to it.
 * @param files in any order, without those that have been closed
 */
export function overOf<T extends { readonly writtenMs: number; readonly bornMs: number }>(
  files: readonly T[],
  { every, minutesAt }: Pick<DatedClosing, 'every' | 'minutesAt'>,
  nowMs: number,
): T[] {
  const period = (ms: number): number => periodOf(Math.floor(ms / 1000), every, minutesAt)
  const now = period(nowMs)
  const lastMs = files.reduce((ms, { writtenMs }) => Math.max(ms, writtenMs), 0)
  const bornLastMs = files.reduce((ms, { bornMs }) => Math.max(ms, bornMs), 0)
  return files.filter(({ writtenMs, bornMs }) => period(writtenMs) < now && writtenMs < lastMs && (bornMs < bornLastMs || bornLastMs === 0))
}
