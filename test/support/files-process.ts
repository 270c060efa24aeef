// A process that files what stands in a spool, with rotation, until it is done or killed: `node files-process.ts DIRECTORY`.

import * as path from 'node:path'
import { systemClock } from '../../core/base/clock.ts'
import { createLog } from '../../core/base/log.ts'
import { Metrics } from '../../core/base/metrics.ts'
import { openSpool } from '../../core/daemon/open-spool.ts'
import { FilesDestination } from '../../core/destinations/files.ts'

const [directory, compress] = process.argv.slice(2) as [string, 'none' | 'gzip' | 'zstd']
const log = createLog('warn', 'text', (line) => process.stderr.write(line))
const metrics = new Metrics()
const { spool, close } = openSpool({ directory: path.join(directory, 'spool'), limitBytes: 1 << 30 }, log, metrics, systemClock)
const destination = new FilesDestination(
  {
    template: path.join(directory, 'log', '$HOST', 'messages'),
    modes: { file: 0o640, directory: 0o750 },
    openFilesLimit: 16,
    rotation: {
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
  spool.attach('files-test', true),
  log,
  metrics,
  systemClock,
)
destination.start()
process.stdout.write('started\n')
const timer = setInterval(async () => {
  if (destination.status()['lag_bytes'] !== 0) return
  clearInterval(timer)
  await destination.stop(AbortSignal.timeout(10_000))
  await close()
  destination.close()
  process.exit(0)
}, 5)
