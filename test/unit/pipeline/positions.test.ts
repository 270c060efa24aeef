import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { type Files, nodeFiles } from '../../../core/base/files.ts'
import { createLog } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { Intake } from '../../../core/pipeline/intake.ts'
import { Loss } from '../../../core/pipeline/loss.ts'
import { Positions } from '../../../core/pipeline/positions.ts'
import { WaitingBatch } from '../../../core/pipeline/waiting-batch.ts'
import { Spool } from '../../../core/spool/spool.ts'
import { temporaryDirectory } from '../../support/chain.ts'

interface Opened {
  readonly spool: Spool
  readonly positions: Positions
  readonly intake: Intake
  store(key: string, position: unknown, ...texts: string[]): boolean
}

/** As a process that starts. One that was opened before counts as killed: its memory is gone, its files stay. */
function open(t: ExecutionContext, directory: string, files: Files = nodeFiles, limitBytes = 1 << 26): Opened {
  const log = createLog('error', 'text', () => undefined)
  const spool = Spool.open(
    { directory, limitBytes },
    {
      files,
      clock: systemClock,
      bootId: 'boot',
      onBadRecord: () => undefined,
      onSyncFailure: () => undefined,
      onMiscount: () => undefined,
    },
  )
  const loss = new Loss('web01', log, systemClock)
  t.teardown(() => loss.stop())
  const intake = new Intake(spool, 'web01', loss, new Metrics(), 'none')
  const positions = new Positions(files, directory, spool, intake, log)
  const store = (key: string, position: unknown, ...texts: string[]): boolean => {
    const batch = new WaitingBatch(positions, systemClock)
    for (const text of texts) batch.add('<13>1 - - - - - - ', Buffer.from(text))
    return batch.store(key, position)
  }
  return { spool, positions, intake, store }
}

/** nodeFiles, of which the write that `isFatal` names never comes back: as if the process were killed in it. */
function killedAt(isFatal: (bytes: Uint8Array) => boolean, kind: 'kill' | 'ENOSPC' = 'kill'): Files {
  return {
    ...nodeFiles,
    write: (fd, bytes, offset, length, position) => {
      if (isFatal(bytes)) throw kind === 'kill' ? new Error('killed') : Object.assign(new Error('full'), { code: 'ENOSPC' })
      return nodeFiles.write(fd, bytes, offset, length, position)
    },
  }
}

const isRecord = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('fatal')

test('a position holds once its messages are stored, also for a process that was killed', (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory)
  t.true(first.store('a', 1, 'x', 'y'))
  t.true(first.store('b', { cursor: 's' }, 'z'))
  t.true(first.store('a', 2, 'x'))
  const second = open(t, directory)
  t.is(second.positions.get('a'), 2)
  t.deepEqual(second.positions.get('b'), { cursor: 's' })
  t.is(second.spool.had.next('web01', second.spool.stream), 5)
})

test('a process that is killed between position and messages has moved neither, and who is given the sequences later moves nothing', (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory, killedAt(isRecord))
  t.true(first.store('a', 1, 'x'))
  t.throws(() => first.store('a', 2, 'fatal'), { message: 'killed' })
  const second = open(t, directory)
  t.is(second.positions.get('a'), 1)
  // Another source takes the sequence that the lost batch would have had.
  t.true(second.store('b', 7, 'other'))
  const third = open(t, directory)
  t.is(third.positions.get('a'), 1)
  t.is(third.positions.get('b'), 7)
})

test('messages that cannot be stored take their position back before another source gets their sequence', (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory, killedAt(isRecord, 'ENOSPC'))
  t.true(first.store('a', 1, 'x'))
  t.false(first.store('a', 2, 'fatal'))
  t.true(first.store('b', 1, 'other'))
  const second = open(t, directory)
  t.is(second.positions.get('a'), 1)
  t.is(second.positions.get('b'), 1)
})

test('a batch torn by the kill does not count, and the source reads it again', (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory)
  t.true(first.store('a', 1, 'x'))
  t.true(first.store('a', 2, 'y'))
  const segment = `${directory}/segments/000000000001.segment`
  fs.truncateSync(segment, fs.statSync(segment).size - 3)
  const second = open(t, directory)
  t.is(second.positions.get('a'), 1)
  t.true(second.store('a', 2, 'y'))
  t.is(open(t, directory).positions.get('a'), 2)
})

test('behind an entry that does not count none of the same source does', async (t) => {
  const directory = temporaryDirectory(t)
  const { replayJournal } = await import('../../../core/pipeline/positions.ts')
  const first = open(t, directory)
  for (let at = 1; at <= 3; at++) {
    first.store('a', at, 'x')
    first.store('b', at, 'x')
  }
  const name = fs.readdirSync(directory).find((one) => one.startsWith('positions.'))!
  const found = new Map<string, unknown>()
  // Sequence 3, the second of a, was taken by a power cut; 5, its third, was not.
  replayJournal(fs.readFileSync(`${directory}/${name}`), found, (_origin, _stream, from) => from !== 3)
  t.deepEqual(Object.fromEntries(found), { a: 1, b: 3 })
})

test('a torn end of the journal is passed over', (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory)
  first.store('a', 1, 'x')
  first.store('a', 2, 'y')
  const name = fs.readdirSync(directory).find((one) => one.startsWith('positions.'))!
  fs.truncateSync(`${directory}/${name}`, fs.statSync(`${directory}/${name}`).size - 5)
  t.is(open(t, directory).positions.get('a'), 1)
})

test('the journal is folded into the document, and what is stored meanwhile stays', async (t) => {
  const directory = temporaryDirectory(t)
  const first = open(t, directory)
  const journals = (): string[] => fs.readdirSync(directory).filter((one) => one.startsWith('positions.'))
  const [before] = journals()
  const long = 'p'.repeat(20_000)
  for (let at = 1; at <= 100; at++) {
    t.true(first.store('a', { at, long }, 'x'))
    t.is((first.positions.get('a') as { at: number }).at, at)
    if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await first.spool.commit()
  while (journals().includes(before!)) await new Promise((resolve) => setTimeout(resolve, 5))
  const second = open(t, directory)
  t.is((second.positions.get('a') as { at: number }).at, 100)
})

test('a source waits while the spool is nearly full: nothing is stored and nothing is lost', async (t) => {
  const directory = temporaryDirectory(t)
  const { positions, store, spool } = open(t, directory, nodeFiles, 4096)
  let stored = 0
  while (store('a', stored + 1, 'x'.repeat(200))) stored++
  t.true(spool.usedBytes <= 4096 * 0.91, `${spool.usedBytes}`)
  t.is(positions.get('a'), stored)
  t.is(spool.had.next('web01', spool.stream), stored + 1)
  await positions.close()
})
