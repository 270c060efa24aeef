// A process that files what stands in a spool by the day of the message and compresses files of earlier days, until it is done or killed:
// `node dated-process.ts DIRECTORY COMPRESS`. Its clock runs ahead by hours with each checkpoint, so that every file is of an earlier day at once, is closed as
// soon as its next line does not come directly, and is written to again when that comes.

import * as path from 'node:path'
import { type Clock, systemClock } from '../../core/base/clock.ts'
import { createLog } from '../../core/base/log.ts'
import { Metrics } from '../../core/base/metrics.ts'
import { openSpool } from '../../core/daemon/open-spool.ts'
import { filesOption } from '../../core/destinations/files-options.ts'
import { makeFilesDestination } from '../../core/destinations/make-files.ts'
import { SharedRecords } from '../../core/destinations/shared-records.ts'
import { endWhenFiled } from './end-when-filed.ts'

const HOURS_MS = 25 * 3_600_000
let aheadMs = HOURS_MS
const clock: Clock = {
  wallUs: () => systemClock.wallUs() + aheadMs * 1000,
  monotonicMs: () => systemClock.monotonicMs() + aheadMs,
}

const [directory, compress] = process.argv.slice(2) as [string, string]
const log = createLog('warn', 'text', (line) => process.stderr.write(line))
const metrics = new Metrics()
const { spool, close } = openSpool({ directory: path.join(directory, 'spool'), limitBytes: 1 << 30 }, log, metrics, systemClock)
const files = path.join(directory, 'log', '$HOST', '$YEAR-$MONTH-$DAY', 'messages')
const records = new SharedRecords('loghost', log, metrics)
const options = filesOption.parse({ files, zone: 'UTC', compress, fsync: 'batch' })
const destination = makeFilesDestination(options, { spool, records, log, metrics, clock, openFilesLimit: 16 })
destination.start()
process.stdout.write('started\n')
endWhenFiled(destination, close, () => {
  aheadMs += HOURS_MS
  return spool.checkpoint()
})
