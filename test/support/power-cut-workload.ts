// What a relay does, without network: takes batches of three hosts, syncs, acknowledges on stdout, files, checkpoints, frees. Killed by its parent.
// power-cut-workload.ts DIRECTORY ACKNOWLEDGED BATCHES: goes on behind the last number that its sender knows to be acknowledged.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { systemClock } from '../../core/base/clock.ts'
import { nodeFiles } from '../../core/base/files.ts'
import { createLog } from '../../core/base/log.ts'
import { Metrics } from '../../core/base/metrics.ts'
import { FilesDestination } from '../../core/destinations/files.ts'
import { readRecord } from '../../core/spool/batch.ts'
import type { Hop } from '../../core/spool/hops.ts'
import { Spool } from '../../core/spool/spool.ts'
import { MESSAGES_PER_BATCH, madeBatch } from './made-batches.ts'

const [directory, acknowledged, batches] = process.argv.slice(2) as [string, string, string]
const log = createLog('warn', 'text', (line) => fs.writeSync(2, line))
const metrics = new Metrics()
const spool = Spool.open(
  { directory: path.join(directory, 'spool'), limitBytes: 1 << 30, segmentBytes: 16 << 10, syncRetryMs: 10 },
  {
    files: nodeFiles,
    clock: systemClock,
    // After a power cut the machine starts anew.
    bootId: `${process.pid}-${Date.now()}`,
    onBadRecord: (finding) => log.warn('finding', finding.text),
    onMiscount: (destination, shown, stored) => log.error('miscount', `${destination} was shown ${shown} of ${stored}`),
    onSyncFailure: (error) => log.warn('sync', String(error)),
  },
)
for (const finding of spool.findings) log.warn('finding', finding.text)
const template = path.join(directory, 'logs/$HOST/messages')
const files = new FilesDestination(
  { template, modes: { file: 0o640, directory: 0o750 }, openFilesLimit: 16 },
  spool,
  spool.attach('files', true),
  log,
  metrics,
  systemClock,
)
files.start()

const last = Number(batches)
for (let batch = Number(acknowledged) + 1; batch <= last; ) {
  // One sync for one, two or three of them, as they come together.
  const together = Math.min(last, batch + (batch % 3))
  for (; batch <= together; batch++) {
    const bytes = madeBatch(batch)
    const result = readRecord(bytes, 0, bytes.length)
    if (result.kind !== 'record') throw new Error(`Batch ${batch} was made badly`)
    const here: Hop = { id: spool.id, name: 'relay.example.com', arrivedUs: systemClock.wallUs() }
    const stored = spool.appendReceived(bytes, result.head, [here])
    if (stored.kind === 'refused') throw new Error(stored.reason)
  }
  await spool.commit()
  fs.writeSync(1, `${together}\n`)
  if (together % 4 === 0) await spool.checkpoint()
}
await files.stop(AbortSignal.timeout(20_000))
await spool.close()
files.close()
fs.writeSync(1, `filed ${metrics.get('messagesFiled')} of ${MESSAGES_PER_BATCH}\n`)
