import * as path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { type Files, nodeFiles } from '../base/files.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { bootId } from '../platform/boot-id.ts'
import { takeLock } from '../platform/lock.ts'
import type { Finding } from '../spool/recovery.ts'
import { Spool } from '../spool/spool.ts'
import type { SpoolOptions } from '../spool/spool-options.ts'
import { SpoolHealth } from './spool-health.ts'

const CHECKPOINT_MS = 1000

const FINDINGS: Readonly<Record<Finding['kind'], string>> = {
  'torn-tail': 'The end of the spool was torn by a crash and has been cut; nothing there had been acknowledged',
  'bad-record': 'Bytes in the spool are no record; they are passed over and kept in quarantine',
  'bad-segment': 'A file of the spool has no whole header',
  'damaged-document': 'A file of the spool is damaged and is made anew',
}

export interface OpenedSpool {
  readonly spool: Spool
  readonly health: SpoolHealth
  /** Last checkpoint, clean mark, lock released. @throws {LoghopError} the former two cannot be written */
  close(): Promise<void>
}

/**
 * Locks and opens the spool of a daemon and keeps its checkpoints going.
 * @param progress called while recovery reads: with a spool of many segments that takes its time
 * @throws {LoghopError} another process has it, or it cannot be read or written
 */
export function openSpool(
  options: SpoolOptions,
  log: Log,
  metrics: Metrics,
  clock: Clock,
  progress: (what: string) => void = () => undefined,
): OpenedSpool {
  const tell = (finding: Finding): void => {
    if (finding.kind === 'bad-record') metrics.add('recordsQuarantined', 1)
    log.error('spool-finding', `${FINDINGS[finding.kind]}: ${finding.text}`, {
      kind: finding.kind,
      file: finding.file,
      bytes: finding.bytes,
    })
  }
  const files: Files = {
    ...nodeFiles,
    open: (file, flags, mode) => {
      progress(`Reads its spool: ${path.basename(file)}`)
      return nodeFiles.open(file, flags, mode)
    },
  }
  let lock: { release(): void } | undefined
  let spool: Spool
  try {
    nodeFiles.makeDirectory(options.directory, 0o700)
    lock = takeLock(path.join(options.directory, 'lock'))
    if (lock === undefined) {
      throw new LoghopError(
        'SPOOL_LOCKED',
        `Cannot open the spool ${options.directory}: another process has it open`,
        `Stop that one first ("fuser ${path.join(options.directory, 'lock')}" names it), or give this one a spool directory of its own`,
      )
    }
    spool = Spool.open(options, {
      files,
      clock,
      bootId: bootId(),
      onBadRecord: tell,
      onMiscount: (destination, shown, stored) => {
        metrics.add('miscounts', 1)
        log.error(
          'miscount',
          `Destination ${destination} was shown ${shown} messages, the spool has stored ${stored}: this is a bug or a broken disk. Keep the spool directory and report it`,
          { destination, shown, stored },
        )
      },
      onSyncFailure: (error) => {
        health.failed(error)
        log.error(
          'spool-sync-failed',
          `Cannot sync the spool ${options.directory}: ${(error as Error).message}. Nothing is acknowledged until it can be; it is tried again every second`,
          {},
        )
      },
    })
  } catch (error) {
    lock?.release()
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    const remedy =
      errno === 'ENOSPC' ? 'Free space on its file system' : 'Make the directory and give it to the user that runs this, mode 0700'
    throw new LoghopError('SPOOL', `Cannot open the spool ${options.directory}: ${(error as Error).message}`, remedy, { cause: error })
  }
  const health = new SpoolHealth(options.directory, () => spool.commit())
  for (const finding of spool.findings) tell(finding)
  let trouble = ''
  const timer = setInterval(() => {
    spool.checkpoint().then(
      () => {
        trouble = ''
      },
      (error: Error) => {
        if (error.message !== trouble)
          log.error(
            'checkpoint-failed',
            `Cannot write the cursors of ${options.directory}: ${error.message}. It is tried again every second; a crash now would send more again`,
            {},
          )
        trouble = error.message
      },
    )
  }, CHECKPOINT_MS)
  timer.unref()
  return {
    spool,
    health,
    close: async () => {
      clearInterval(timer)
      try {
        await spool.close()
      } catch (error) {
        if (errnoOf(error) === undefined) throw error
        throw new LoghopError(
          'SPOOL',
          `Cannot write the last cursors of the spool ${options.directory}: ${(error as Error).message}`,
          'See that the directory is there and can be written to; the next start goes on where the cursors in it stand, so some may come again',
          { cause: error },
        )
      } finally {
        lock?.release()
      }
    },
  }
}
