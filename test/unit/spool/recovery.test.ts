// The table "What each crash leaves" of FORMAT.md, line by line.

import test from 'ava'
import { readRecord } from '../../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../../core/spool/constants.ts'
import type { Follower } from '../../../core/spool/follower.ts'
import type { Finding } from '../../../core/spool/recovery.ts'
import { Spool } from '../../../core/spool/spool.ts'
import { type Fault, PowerCutDisk, ProcessGone } from '../../support/power-cut-files.ts'
import { Random } from '../../support/random.ts'
import { payloadOf, recordOf } from '../../support/records.ts'

const DIRECTORY = '/var/spool'
const HEADER = 64

/** A machine with one spool, started as often as wanted. */
class Machine {
  readonly disk = new PowerCutDisk()
  readonly seen: Finding[] = []
  readonly failures: unknown[] = []
  spool!: Spool
  boot = 'boot-1'

  constructor() {
    this.disk.prepare('/var')
    this.start()
  }

  start(): this {
    this.disk.crash()
    this.seen.length = 0
    this.spool = Spool.open(
      { directory: DIRECTORY, limitBytes: 1 << 30, segmentBytes: 4096, syncRetryMs: 0 },
      {
        files: this.disk.start(),
        clock: { wallUs: () => 1_700_000_000_000_000, monotonicMs: () => 0 },
        bootId: this.boot,
        onBadRecord: (finding) => this.seen.push(finding),
        onSyncFailure: (error) => {
          // What a dead process would try again for ever ends here.
          if (error instanceof ProcessGone) throw error
          this.failures.push(error)
        },
        onMiscount: (...all) => {
          throw new Error(`miscounted: ${all}`)
        },
      },
    )
    return this
  }

  own(...texts: string[]): void {
    const payload = payloadOf(texts)
    const bytes = Buffer.concat([Buffer.alloc(BATCH_HEADROOM_BYTES), payload])
    const batch = { origin: 'here', count: texts.length, plainBytes: payload.length, codec: 0, receivedUs: 1 }
    this.spool.appendBatch(bytes, BATCH_HEADROOM_BYTES, bytes.length, batch)
  }

  /** @returns how many were new */
  received(first: number, texts: string[], window: { skip?: number; take?: number } = {}): number {
    const bytes = recordOf(texts, { first, origin: 'sender', ...window })
    const read = readRecord(bytes, 0, bytes.length)
    if (read.kind !== 'record') throw new Error('no record')
    const stored = this.spool.appendReceived(bytes, read.head, [])
    return stored.kind === 'stored' ? stored.messages : -1
  }

  segment(number = 1): string {
    return `${DIRECTORY}/segments/${String(number).padStart(12, '0')}.segment`
  }

  damage(file: string, change: (bytes: Buffer) => Buffer): void {
    this.disk.damage(file.startsWith('/') ? file : `${DIRECTORY}/${file}`, change)
  }

  kinds(): string[] {
    return this.spool.findings.map((finding) => finding.kind)
  }

  /** All messages that a new destination gets. */
  all(name = 'everything'): string[] {
    return textsOf(this.spool.attach(name, true).follower)
  }
}

function textsOf(follower: Follower, room = 100_000): string[] {
  const texts: string[] = []
  for (let chunk = follower.read(Buffer.alloc(room), 0); chunk !== undefined; chunk = follower.read(Buffer.alloc(room), 0)) {
    for (const head of chunk.heads) {
      let at = head.payloadStart
      for (let index = 0; index < head.skip + head.take; index++) {
        const length = chunk.bytes.readUInt32LE(at)
        if (index >= head.skip) texts.push(`${head.origin} ${head.first + index} ${chunk.bytes.toString('utf8', at + 4, at + 4 + length)}`)
        at += 4 + length
      }
    }
  }
  return texts
}

test('a record that was torn, at any byte, is cut off; what is written then stands in its place', (t) => {
  const whole = new Machine()
  whole.own('first')
  const kept = whole.disk.content(whole.segment())!.length
  whole.own('second')
  const size = whole.disk.content(whole.segment())!.length
  for (let end = kept; end < size; end++) {
    const machine = new Machine()
    machine.own('first')
    machine.own('second')
    machine.damage(machine.segment(), (bytes) => bytes.subarray(0, end))
    machine.start()
    t.deepEqual(machine.kinds(), end === kept ? [] : ['torn-tail'], `cut at ${end}`)
    t.is(machine.disk.content(machine.segment())!.length, kept)
    machine.own('third')
    t.deepEqual(
      machine
        .start()
        .all()
        .map((text) => text.split(' ')[2]),
      ['first', 'third'],
      `cut at ${end}`,
    )
  }
})

test('a tail of zeros, as a file system leaves it, is cut off', (t) => {
  for (const zeros of [1, 31, 32, 33, 512, 4096, 70_000]) {
    const machine = new Machine()
    machine.own('first')
    const kept = machine.disk.content(machine.segment())!.length
    machine.damage(machine.segment(), (bytes) => Buffer.concat([bytes, Buffer.alloc(zeros)]))
    machine.start()
    t.deepEqual(machine.kinds(), ['torn-tail'], `${zeros} zeros`)
    t.is(machine.disk.content(machine.segment())!.length, kept)
    t.deepEqual(machine.all(), ['here 1 first'])
  }
})

test('a bad record in the middle is told, quarantined by the follower that passes it, and costs only itself', (t) => {
  const machine = new Machine()
  machine.own('first')
  const from = machine.disk.content(machine.segment())!.length
  machine.own('second')
  const to = machine.disk.content(machine.segment())!.length
  machine.own('third')
  for (let at = from; at < to; at++) {
    machine.damage(machine.segment(), (bytes) => {
      bytes[at]! ^= 0x40
      return bytes
    })
    const damaged = machine.disk.content(machine.segment())!.subarray(from, to)
    machine.start()
    t.deepEqual(machine.kinds(), ['bad-record'], `byte ${at - from}`)
    t.deepEqual(machine.all(), ['here 1 first', 'here 3 third'], `byte ${at - from}`)
    t.is(machine.seen.length, 1)
    t.deepEqual(machine.disk.content(machine.seen[0]!.file), damaged)
    machine.damage(machine.segment(), (bytes) => {
      bytes[at]! ^= 0x40
      return bytes
    })
  }
})

test('a message that looks like a record of another host is never taken for one when the record around it is torn or damaged', (t) => {
  const forged = recordOf(['I am root'], { origin: 'victim', first: 1 })
  for (const cut of [1, 2, 20]) {
    const machine = new Machine()
    machine.own('first')
    machine.spool.appendReceived(...argumentsOf(recordOf([Buffer.concat([Buffer.from('text '), forged, Buffer.from(' text')])])), [])
    machine.own('last')
    machine.damage(machine.segment(), (bytes) => {
      const place = bytes.indexOf('text ')
      bytes[place]! ^= 1
      return cut === 20 ? bytes : bytes.subarray(0, bytes.indexOf(' text') + 5 - (cut === 2 ? 3 : 0))
    })
    machine.start()
    t.deepEqual(
      machine.all().filter((text) => text.startsWith('victim')),
      [],
      `cut ${cut}`,
    )
  }
})

function argumentsOf(bytes: Buffer): [Buffer, Extract<ReturnType<typeof readRecord>, { kind: 'record' }>['head']] {
  const read = readRecord(bytes, 0, bytes.length)
  if (read.kind !== 'record') throw new Error('no record')
  return [bytes, read.head]
}

test('after the sync and before the acknowledgement: what is sent again is known, also in parts', (t) => {
  const machine = new Machine()
  t.is(machine.received(1, ['a', 'b', 'c']), 3)
  machine.start()
  t.is(machine.received(1, ['a', 'b', 'c']), 0)
  t.is(machine.received(2, ['b', 'c', 'd', 'e']), 2)
  t.is(machine.received(9, ['i']), 1)
  t.is(machine.received(5, ['e', 'f', 'g', 'h', 'i', 'j']), 4)
  t.deepEqual(
    machine.start().all(),
    ['a', 'b', 'c', 'd', 'e', 'i', 'f', 'g', 'h', 'j'].map((text) => `sender ${text.charCodeAt(0) - 96} ${text}`),
  )
})

test('a segment that was begun, with no whole header, is removed', (t) => {
  const machine = new Machine()
  machine.own('first')
  for (let length = 0; length < HEADER; length += 7) {
    const header = machine.disk.content(machine.segment())!.subarray(0, length)
    const files = machine.disk.start()
    const fd = files.open(machine.segment(2), 0o101, 0o600)
    if (length > 0) files.write(fd, header, 0, length, 0)
    machine.start()
    t.deepEqual(machine.kinds(), ['bad-segment'])
    t.deepEqual(machine.all(), ['here 1 first'])
    t.is(machine.disk.content(machine.segment(2)), undefined)
  }
})

for (const name of ['state', 'streams', 'cursors/files.cursor']) {
  test(`while ${name} is replaced the old one stands, and what was begun is overwritten`, async (t) => {
    const machine = new Machine()
    machine.own('first')
    const attachment = machine.spool.attach('files', true)
    await machine.spool.commit()
    textsOf(attachment.follower)
    attachment.acknowledge(attachment.follower.next)
    await machine.spool.checkpoint()
    const { stream, id } = machine.spool
    const files = machine.disk.start()
    const fd = files.open(`${DIRECTORY}/${name}.new`, 0o101, 0o600)
    files.write(fd, Buffer.from('loghop half of a doc'), 0, 20, 0)
    machine.start()
    t.deepEqual(machine.kinds(), [])
    t.deepEqual([machine.spool.id, machine.spool.stream], [id, stream])
    t.deepEqual(machine.all('files'), [])
    machine.own('second')
    await machine.spool.close()
    t.deepEqual(machine.start().all('files'), ['here 2 second'])
  })
}

test('a damaged or lost cursor starts at the oldest record, and is told', async (t) => {
  for (const how of ['byte', 'empty', 'zeros', 'lost'] as const) {
    const machine = new Machine()
    machine.own('first')
    const attachment = machine.spool.attach('files', true)
    await machine.spool.commit()
    textsOf(attachment.follower)
    attachment.acknowledge(attachment.follower.next)
    await machine.spool.checkpoint()
    if (how === 'lost') machine.disk.remove(`${DIRECTORY}/cursors/files.cursor`)
    else
      machine.damage('cursors/files.cursor', (bytes) =>
        how === 'empty' ? Buffer.alloc(0) : how === 'zeros' ? bytes.fill(0) : flipped(bytes),
      )
    machine.start()
    t.deepEqual(machine.all('files'), ['here 1 first'], how)
    t.deepEqual(
      machine.seen.map((finding) => finding.kind),
      how === 'lost' ? [] : ['damaged-document'],
    )
  }
})

function flipped(bytes: Buffer): Buffer {
  bytes[bytes.length - 5]! ^= 1
  return bytes
}

test('a damaged or lost streams document is rebuilt from the records, and no sequence is given out again', async (t) => {
  for (const how of ['damaged', 'lost'] as const) {
    const machine = new Machine()
    const attachment = machine.spool.attach('files', true)
    // The own messages go with their segment; later ones are only of others.
    machine.own('mine')
    for (let first = 1; first < 40; first++) machine.received(first, ['x'.repeat(500)])
    await machine.spool.commit()
    textsOf(attachment.follower)
    attachment.acknowledge(attachment.follower.next)
    await machine.spool.checkpoint()
    t.is(machine.disk.content(machine.segment(1)), undefined, 'the first segment is freed')
    if (how === 'damaged') machine.damage('streams', flipped)
    else machine.disk.remove(`${DIRECTORY}/streams`)
    const { stream } = machine.spool
    machine.start()
    t.deepEqual(machine.kinds(), ['damaged-document'], how)
    t.is(machine.received(39, ['x'.repeat(500)]), 0, 'what is kept is known')
    t.not(machine.spool.stream, stream, 'which own sequences were given out is not known any more')
  }
})

test('a damaged or lost state gives a new id and a new stream', (t) => {
  for (const how of ['damaged', 'lost'] as const) {
    const machine = new Machine()
    machine.own('first')
    const { id, stream } = machine.spool
    if (how === 'damaged') machine.damage('state', flipped)
    else machine.disk.remove(`${DIRECTORY}/state`)
    machine.start()
    t.deepEqual(machine.kinds(), how === 'damaged' ? ['damaged-document'] : [])
    t.not(machine.spool.id, id)
    t.not(machine.spool.stream, stream)
    t.deepEqual(machine.all(), ['here 1 first'])
  }
})

test('the stream goes on after a crash and after a clean end, and not after the machine was off', async (t) => {
  const machine = new Machine()
  const { stream } = machine.spool
  t.is(machine.start().spool.stream, stream, 'a crash of the process')
  await machine.spool.close()
  machine.boot = 'boot-2'
  t.is(machine.start().spool.stream, stream, 'closed cleanly before the machine was off')
  machine.boot = 'boot-3'
  t.not(machine.start().spool.stream, stream, 'not closed, and off')
})

test('a segment that is missing in the middle is passed over', async (t) => {
  const machine = new Machine()
  for (let index = 1; index <= 30; index++) machine.own('x'.repeat(500))
  await machine.spool.commit()
  const before = machine.all().length
  machine.disk.remove(machine.segment(2))
  const after = machine.start().all('another')
  t.is(before, 30)
  t.true(after.length > 20 && after.length < 30)
  t.is(after.at(-1)!.split(' ')[1], '30')
})

test('what was being freed and came back is freed again', async (t) => {
  const machine = new Machine()
  const attachment = machine.spool.attach('files', true)
  for (let index = 1; index <= 30; index++) machine.own('x'.repeat(500))
  const old = machine.disk.content(machine.segment(1))!
  await machine.spool.commit()
  textsOf(attachment.follower)
  attachment.acknowledge(attachment.follower.next)
  await machine.spool.checkpoint()
  t.is(machine.disk.content(machine.segment(1)), undefined)
  const files = machine.disk.start()
  files.write(files.open(machine.segment(1), 0o101, 0o600), old, 0, old.length, 0)
  machine.start()
  t.deepEqual(machine.all('files'), [])
  machine.own('one more')
  await machine.spool.commit()
  await machine.spool.checkpoint()
  t.is(machine.disk.content(machine.segment(1)), undefined)
})

test('a record that is larger than the room of its reader comes in a buffer of its own', (t) => {
  const machine = new Machine()
  machine.own('small')
  machine.own('L'.repeat(100_000))
  machine.own('small again')
  const texts = textsOf(machine.start().spool.attach('files', true).follower, 200)
  t.deepEqual(
    texts.map((text) => text.length),
    ['here 1 small', `here 2 ${'L'.repeat(100_000)}`, 'here 3 small again'].map((text) => text.length),
  )
})

test('after a failed sync nothing is answered for until it stands in a new segment, and then it stands once', async (t) => {
  const machine = new Machine()
  machine.own('safe')
  await machine.spool.commit()
  machine.own('at risk')
  // The sync fails, then so does the first try to write it elsewhere.
  const faults = ['syncData', 'write'] as const
  let next = 0
  machine.disk.fault = (call, file): Fault | undefined =>
    call === faults[next] && file.endsWith('.segment') && next++ >= 0 ? { kind: 'error', code: 'EIO' } : undefined
  await machine.spool.commit()
  t.is(next, 2, 'both faults came')
  t.is(machine.failures.length, 2)
  machine.own('later')
  await machine.spool.commit()
  t.deepEqual(machine.all(), ['here 1 safe', 'here 2 at risk', 'here 3 later'])
  t.deepEqual(machine.start().all(), ['here 1 safe', 'here 2 at risk', 'here 3 later'])
})

test('a full disk loses nothing that was stored, and the spool goes on when there is room', async (t) => {
  const machine = new Machine()
  machine.own('before')
  for (const bytes of [0, 1, 31, 40, 100]) {
    let isShort = true
    machine.disk.fault = (call): Fault | undefined => {
      if (call !== 'write') return undefined
      if (!isShort) return { kind: 'error', code: 'ENOSPC' }
      isShort = false
      return { kind: 'short', bytes }
    }
    t.throws(() => machine.own('too much for this disk, of a length that is cut'), { code: 'ENOSPC' })
    machine.disk.fault = () => undefined
  }
  machine.own('after')
  await machine.spool.commit()
  t.deepEqual(machine.all(), ['here 1 before', 'here 2 after'])
  t.deepEqual(machine.start().all(), ['here 1 before', 'here 2 after'])
})

test('what a failed sync left behind is on the disk once the next process has opened the spool', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const machine = new Machine()
    machine.own('at risk')
    // The pages count as clean now, and the process ends before it can move them.
    let isDead = false
    machine.disk.fault = (call): Fault | undefined => {
      if (isDead) return { kind: 'death' }
      isDead = call === 'syncData'
      return isDead ? { kind: 'error', code: 'EIO' } : undefined
    }
    void machine.spool.commit().catch(() => undefined)
    while (!machine.disk.hasDied) await new Promise((resolve) => setImmediate(resolve))
    machine.disk.fault = () => undefined
    machine.start()
    machine.disk.cut(new Random(seed))
    machine.boot = 'boot-2'
    t.deepEqual(machine.start().all(), ['here 1 at risk'], `seed ${seed}`)
  }
})

test('a segment that is shortened under a running process ends the read with what is wrong, not in a loop', (t) => {
  const machine = new Machine()
  machine.own('x'.repeat(2000))
  const { follower } = machine.spool.attach('uplink', false)
  machine.damage(machine.segment(), (bytes) => bytes.subarray(0, 1000))
  // Too small for the record, so that it is asked for once more in a buffer of its own.
  t.throws(() => follower.read(Buffer.alloc(512), 0), { message: /segment 1 at 1000: the file ends there/ })
})
