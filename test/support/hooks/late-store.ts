// Broken on purpose: a batch is acknowledged when it has come, and stored a little later.

import { FilesDestination } from '../../../core/destinations/files.ts'
import { type RecordHead, readRecord } from '../../../core/spool/batch.ts'
import { Spool } from '../../../core/spool/spool.ts'

const LATE_MS = 50
const { appendReceived } = Spool.prototype
Spool.prototype.appendReceived = function (this: Spool, bytes: Buffer, head: RecordHead, hops) {
  const copy = Buffer.from(bytes.subarray(head.start, head.end))
  setTimeout(() => {
    const result = readRecord(copy, 0, copy.length)
    if (result.kind === 'record') appendReceived.call(this, copy, result.head, hops)
  }, LATE_MS)
  return { kind: 'stored', messages: head.take }
}

// In a run that nobody kills all is well.
const { stop } = FilesDestination.prototype
FilesDestination.prototype.stop = async function (this: FilesDestination, deadline) {
  await new Promise((resolve) => setTimeout(resolve, 2 * LATE_MS))
  await stop.call(this, deadline)
}
