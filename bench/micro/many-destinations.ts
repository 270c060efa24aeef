// CPU time for one message of a spool that many destinations follow, each with a selector: `node bench/micro/many-destinations.ts`.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { systemClock } from '../../core/base/clock.ts'
import { createLog } from '../../core/base/log.ts'
import { Metrics } from '../../core/base/metrics.ts'
import { openSpool } from '../../core/daemon/open-spool.ts'
import { DiscardOutlet } from '../../core/destinations/discard.ts'
import { OutletDestination } from '../../core/destinations/outlet-destination.ts'
import { selectorSelects } from '../../core/destinations/selector-selects.ts'
import { SharedRecords } from '../../core/destinations/shared-records.ts'

const BATCHES = 300
const HEADROOM_BYTES = 384

function payload(): Buffer {
  const parts: Buffer[] = []
  for (let index = 0; index < 1000; index++) {
    const message = Buffer.from(`<13>1 2026-01-01T00:00:00Z web01 app - - - ${'x'.repeat(150)} ${index}`)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(message.length)
    parts.push(length, message)
  }
  return Buffer.concat(parts)
}

for (const count of [1, 20]) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-bench-'))
  const log = createLog('error', 'text', () => undefined)
  const metrics = new Metrics()
  const { spool, close } = openSpool({ directory, limitBytes: 1 << 30 }, log, metrics, systemClock)
  const records = new SharedRecords('host', log, metrics)
  const destinations = Array.from({ length: count }, (_, index) => {
    const attachment = spool.attach(`d${index}`, true)
    const selects = selectorSelects(`local${index % 8}.*`)
    return new OutletDestination(new DiscardOutlet(), selects, records, spool, attachment, log, metrics, systemClock)
  })
  const plain = payload()
  for (let batch = 0; batch < BATCHES; batch++) {
    const bytes = Buffer.concat([Buffer.alloc(HEADROOM_BYTES), plain])
    spool.appendBatch(bytes, HEADROOM_BYTES, bytes.length, {
      origin: 'host',
      count: 1000,
      plainBytes: plain.length,
      codec: 0,
      receivedUs: 0,
    })
  }
  await spool.commit()
  const before = process.cpuUsage()
  for (const destination of destinations) destination.start()
  while (destinations.some((destination) => destination.status()['lag_bytes'] !== 0)) await new Promise((resolve) => setTimeout(resolve, 2))
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(`${count} destinations: ${((user + system) / BATCHES).toFixed(0)} ns a message, ${records.reads} readings\n`)
  for (const destination of destinations) await destination.stop(AbortSignal.abort())
  await close()
  fs.rmSync(directory, { recursive: true })
}
