// A process that files what stands in a spool, with rotation, until it is done or killed: `node files-process.ts DIRECTORY COMPRESS [chosen|limited|folded]`;
// the last two without rotation.

import * as path from 'node:path'
import { systemClock } from '../../core/base/clock.ts'
import { createLog } from '../../core/base/log.ts'
import { Metrics } from '../../core/base/metrics.ts'
import { openSpool } from '../../core/daemon/open-spool.ts'
import { savedWithFiles } from '../../core/destinations/chosen-files.ts'
import { FilePlanner } from '../../core/destinations/file-plan.ts'
import { FilesDestination } from '../../core/destinations/files.ts'
import { limitOption } from '../../core/destinations/limit-options.ts'
import { FileLines } from '../../core/destinations/line-maker.ts'
import { selectorSelects } from '../../core/destinations/selector-selects.ts'
import { makeShaper, type ShaperOptions } from '../../core/destinations/shapers.ts'
import { SharedRecords } from '../../core/destinations/shared-records.ts'
import { endWhenFiled } from './end-when-filed.ts'

const [directory, compress, how] = process.argv.slice(2) as [string, 'none' | 'gzip' | 'zstd', string]
const log = createLog('warn', 'text', (line) => process.stderr.write(line))
const metrics = new Metrics()
const { spool, close } = openSpool({ directory: path.join(directory, 'spool'), limitBytes: 1 << 30 }, log, metrics, systemClock)
const template = path.join(directory, 'log', '$HOST', 'messages')
const attachment = spool.attach('files-test', true)
const SHAPERS: Readonly<Record<string, ShaperOptions>> = {
  limited: { limit: limitOption.parse({ rate: '20/s', burst: 100 }) },
  folded: { repeated: 'fold' },
}
const shaper = makeShaper(SHAPERS[how] ?? {}, undefined, savedWithFiles(attachment), metrics)
const chosen =
  how === 'chosen' || shaper !== undefined
    ? {
        records: new SharedRecords('host', log, metrics),
        planner: new FilePlanner(template, selectorSelects('*.notice'), () => 0, shaper),
        shaper,
        lines: new FileLines(),
      }
    : undefined
const destination = new FilesDestination(
  {
    template,
    chosen,
    // So that there is time for checkpoints between its writes.
    fsync: shaper !== undefined ? 'batch' : 'checkpoint',
    modes: { file: 0o640, directory: 0o750 },
    openFilesLimit: 16,
    rotation:
      shaper !== undefined
        ? undefined
        : {
            sizeBytes: 100_000,
            every: undefined,
            minutesAt: () => 0,
            keep: undefined,
            keepMs: undefined,
            keepBytes: undefined,
            compress,
          },
  },
  spool,
  attachment,
  log,
  metrics,
  systemClock,
)
destination.start()
process.stdout.write('started\n')
if (shaper !== undefined) {
  // So that a kill comes between two checkpoints, and the next process goes on from one.
  const from = attachment.acknowledged.offset
  setInterval(() => {
    void spool.checkpoint().then(() => attachment.durable.offset > from && process.stdout.write('saved\n'))
  }, 3)
}
endWhenFiled(destination, close)
