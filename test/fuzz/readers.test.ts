// Everything that reads what others have sent, fed with what nobody would send. A short box of time, ten minutes each for what strangers reach first in the
// long runs; there the memory must stay flat too.

import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { readRecord, recordBytesOf } from '../../core/spool/batch.ts'
import { RECORD_LIMIT_BYTES } from '../../core/spool/constants.ts'
import { readHops } from '../../core/spool/hops.ts'
import { scanStep } from '../../core/spool/scan.ts'
import { nextMessage } from '../../core/syslog/file-lines.ts'
import { JournalExportDecoder } from '../../core/syslog/journal-export.ts'
import { readKmsg } from '../../core/syslog/kmsg.ts'
import { FIRST_BYTES_LIMIT, readFirstBytes } from '../../core/transport/first-bytes.ts'
import { PROXY_LIMIT_BYTES, readProxyHeader } from '../../core/transport/proxy-header.ts'
import { ReceiveBuffer } from '../../core/transport/receive-buffer.ts'
import { nextRelpFrame, readOffers, readResponse, relpFrame } from '../../core/transport/relp.ts'
import { SyslogDeframer, type SyslogFraming } from '../../core/transport/syslog-framing.ts'
import { Completer, lineOf } from '../support/completed.ts'
import { effort } from '../support/effort.ts'
import { Foreign } from '../support/foreign.ts'
import { anyForeignInput, checkForeign } from '../support/foreign-input.ts'
import { runSeed } from '../support/random.ts'
import { recordOf } from '../support/records.ts'

const BOX_MS = effort({ quick: 700, ci: 5000, long: 60_000 })
/** For framing, RELP, the PROXY header, the batch codec and the parser of the network's messages. */
const STRANGERS_BOX_MS = effort({ quick: 700, ci: 5000, long: 600_000 })
/** Longer than any box lasts. */
const RUNS = 1_000_000_000
const GROWTH_LIMIT_BYTES = 32 << 20
const LONG_MS = 60_000
const SEED = runSeed()

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function box<T>(t: ExecutionContext, arbitrary: fc.Arbitrary<T>, check: (value: T) => void, boxMs = BOX_MS): Promise<void> {
  t.log(`LOGHOP_SEED=${SEED}`)
  const startedMs = performance.now()
  // In parts, since memory outside of the heap is given back by the event loop alone.
  const parts = boxMs >= LONG_MS ? 10 : 2
  const used: number[] = []
  let runs = 0
  const property = fc.property(arbitrary, (value) => {
    runs++
    check(value)
  })
  for (let part = 0; part < parts; part++) {
    fc.assert(property, { seed: SEED + part, numRuns: RUNS, interruptAfterTimeLimit: boxMs / parts, markInterruptAsFailure: false })
    await new Promise((resolve) => setTimeout(resolve, 10))
    used.push(usedBytes())
  }
  const [early, late] = [Math.min(...used.slice(0, parts / 2)), Math.min(...used.slice(parts / 2))]
  t.log(
    `${runs} runs in ${Math.round((performance.now() - startedMs) / 1000)} s, ${(late / 2 ** 20).toFixed(1)} MiB in use, ${((late - early) / 2 ** 20).toFixed(1)} more than at first`,
  )
  if (boxMs >= LONG_MS) t.true(late - early < GROWTH_LIMIT_BYTES, `${late - early} bytes more`)
  else t.pass()
}

/** Bytes of a format with some of them changed, cut out, doubled or put elsewhere. */
function bent(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.nat(3),
    bytes: fc.uint8Array({ maxLength: 8 }),
    length: fc.nat(40),
  })
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 5 })).map(([seed, edits]) => {
    let bytes = Buffer.from(seed)
    for (const { at, kind, bytes: put, length } of edits) {
      const place = Math.floor(at * bytes.length)
      const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place)]
      if (kind === 0) bytes = Buffer.concat([before, put, behind.subarray(put.length)])
      else if (kind === 1) bytes = Buffer.concat([before, put, behind])
      else if (kind === 2) bytes = Buffer.concat([before, behind.subarray(length)])
      else bytes = Buffer.concat([before, behind.subarray(0, length), behind])
    }
    return bytes
  })
}

const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const RELP = [
  relpFrame(1, 'open', 'relp_version=0\ncommands=syslog,batch'),
  relpFrame(2, 'syslog', 'x'.repeat(60)),
  relpFrame(3, 'close', ''),
  relpFrame(0, 'serverclose', ''),
]
const RECORDS = [
  recordOf(['a']),
  recordOf(['one', 'two', 'three'], { skip: 1, take: 1, hops: [{ id: 'aa'.repeat(16), name: 'r', arrivedUs: 1 }] }),
]
const MESSAGES = [
  '<13>Nov 23 02:50:00 app[7]: text',
  '<34>1 2003-10-11T22:14:15.003Z web02 su 7 ID47 [a@1 b="c\\]"][d] text',
  '<13>1 - - - - - -',
  '<13>app: #033 é \u2028',
].map((text) => Buffer.from(text))

test('RELP frames', async (t) => {
  await box(
    t,
    fc.oneof(any, bent(RELP), bent([Buffer.concat(RELP)])),
    (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const frame = nextRelpFrame(bytes, at, bytes.length, (command) =>
          command === 'syslog' ? 100 : command === 'open' ? 200 : undefined,
        )
        if (frame.kind === 'malformed') return
        if (frame.kind === 'need-more') {
          if (frame.bytes <= bytes.length - at || frame.bytes > 300)
            throw new Error(`${bytes.length - at} are there, ${frame.bytes} are asked for`)
          return
        }
        if (frame.next <= at || frame.next > bytes.length || frame.end - frame.start > 200 || frame.end >= frame.next)
          throw new Error(JSON.stringify(frame))
        const data = bytes.toString('utf8', frame.start, frame.end)
        readOffers(data)
        readResponse(data)
        at = frame.next
      }
    },
    STRANGERS_BOX_MS,
  )
})

test('RELP frames in random pieces', async (t) => {
  const input = fc.tuple(
    fc.array(fc.oneof(fc.constantFrom(...RELP), bent(RELP)), { maxLength: 6 }),
    fc.array(fc.nat(500), { maxLength: 12 }),
  )
  await box(
    t,
    input,
    ([frames, cuts]) => {
      const all = Buffer.concat(frames)
      const read = (chunks: readonly Buffer[]): string => {
        const received = new ReceiveBuffer()
        let seen = ''
        let isOver = false
        for (const chunk of chunks) {
          if (isOver) break
          received.deliver(chunk, (bytes, from, to) => {
            // A session that has ended reads nothing more, as ours do.
            if (isOver) return { used: to - from, need: 0 }
            for (let at = from; at < to; ) {
              const frame = nextRelpFrame(bytes, at, to, () => 200)
              if (frame.kind === 'need-more') return { used: at - from, need: frame.bytes }
              if (frame.kind === 'malformed') {
                isOver = true
                return { used: to - from, need: 0 }
              }
              seen += `${frame.txnr} ${frame.command} ${bytes.toString('latin1', frame.start, frame.end)}|`
              at = frame.next
            }
            return { used: to - from, need: 0 }
          })
          if (received.held > 300) throw new Error(`${received.held} bytes are held`)
        }
        return seen
      }
      const places = [0, ...cuts.map((cut) => Math.min(cut, all.length)), all.length].sort((a, b) => a - b)
      const chunks = places.slice(1).map((place, index) => all.subarray(places[index], place))
      const whole = read([all])
      const pieces = read(chunks.filter((chunk) => chunk.length > 0))
      if (whole !== pieces) throw new Error(`${JSON.stringify(pieces)} is not ${JSON.stringify(whole)}`)
    },
    STRANGERS_BOX_MS,
  )
})

test('records', async (t) => {
  const known = new Set(RECORDS.map((record) => record.toString('latin1')))
  await box(
    t,
    fc.oneof(any, bent(RECORDS), bent([Buffer.concat([...RECORDS, ...RECORDS])])),
    (bytes) => {
      const result = readRecord(bytes, 0, bytes.length)
      if (result.kind === 'need-more' && (result.bytes <= bytes.length || result.bytes > RECORD_LIMIT_BYTES))
        throw new Error(JSON.stringify(result))
      if (result.kind === 'record') {
        if (!known.has(bytes.toString('latin1', 0, result.head.end))) throw new Error('a record that nobody made')
        readHops(bytes, result.head)
      }
      const length = recordBytesOf(bytes, 0, bytes.length)
      if (length !== undefined && length > RECORD_LIMIT_BYTES) throw new Error(`${length} bytes`)
      for (let at = 0; at < bytes.length; ) {
        const step = scanStep(bytes, at, bytes.length, true)
        const next = step.kind === 'record' ? step.head.end : step.kind === 'bad' ? step.to : -1
        if (next <= at || next > bytes.length) throw new Error(`from ${at} to ${next}`)
        if (step.kind === 'record' && !known.has(bytes.toString('latin1', at, next))) throw new Error('a record that nobody made')
        at = next
      }
    },
    STRANGERS_BOX_MS,
  )
})

test('local messages and their lines', async (t) => {
  const completer = new Completer('web01.example.com')
  const input = fc.tuple(
    fc.oneof(any, bent(MESSAGES)),
    fc.nat(2 ** 40),
    fc.integer({ min: 0, max: 2 ** 22 }),
    fc.integer({ min: -1, max: 2 ** 32 - 1 }),
    fc.nat(3),
  )
  await box(t, input, ([bytes, timeUs, pid, uid, shift]) => {
    const message = completer.complete(bytes, timeUs, pid, uid)
    for (const each of [message, bytes]) {
      const line = lineOf(each, 'web01', shift)
      if (line.at(-1) !== 0x0a) throw new Error('no LF at the end')
      if (line.subarray(0, -1).some((byte) => byte < 0x20 || byte === 0x7f)) throw new Error(JSON.stringify(line.toString('latin1')))
      if (/[\u0080-\u009f\u2028-\u202e\u2066-\u2069]/.test(line.toString())) throw new Error(JSON.stringify(line.toString()))
    }
  })
})

test('frames of syslog: however they are cut, the same is read, and no more than the limit is held', async (t) => {
  const limitBytes = 40
  const seeds = [
    '5 <1>ab9 <1>a\n5 xy',
    '3 <1>\n',
    `60 ${'x'.repeat(60)}`,
    '4294967296 ',
    '<1>a\r\n<2>b\n',
    '<3>c\0',
    'x'.repeat(90),
    '16777216 <',
  ].map((text) => Buffer.from(text))
  const cuts = fc.array(fc.nat(400), { maxLength: 8 })
  const framings = fc.constantFrom<SyslogFraming>('octet-counted', 'lines')
  const bytes = fc.array(fc.oneof(any, bent(seeds)), { maxLength: 4 }).map((parts) => Buffer.concat(parts))
  await box(
    t,
    fc.tuple(framings, bytes, cuts),
    ([framing, sent, places]) => {
      const read = (chunks: readonly Buffer[]): string => {
        const got: string[] = []
        const deframer = new SyslogDeframer(framing, limitBytes, {
          onMessage: (chunk, start, end, isCut) => {
            if (end <= start || end - start > limitBytes) throw new Error(`a message of ${end - start} bytes`)
            got.push(chunk.toString('latin1', start, end), String(isCut))
          },
        })
        for (const chunk of chunks) {
          const broken = deframer.deliver(chunk)
          if (deframer.heldBytes > limitBytes + 1) throw new Error(`${deframer.heldBytes} bytes are held`)
          if (broken !== undefined) return JSON.stringify([got, broken])
        }
        return JSON.stringify([got, deframer.end()])
      }
      const sorted = [0, ...places.map((place) => Math.min(place, sent.length)).sort((a, b) => a - b), sent.length]
      const pieces = sorted.slice(1).map((end, index) => sent.subarray(sorted[index]!, end))
      const [whole, cut] = [read([sent]), read(pieces)]
      if (whole !== cut) throw new Error(`${whole} became ${cut}`)
    },
    STRANGERS_BOX_MS,
  )
})

test('messages of foreign senders: one message of RFC 5424 goes out that keeps their text', async (t) => {
  const foreign = new Foreign({ isTrailerFraming: false })
  await box(t, anyForeignInput, (input) => checkForeign(foreign, input), STRANGERS_BOX_MS)
})

test('first bytes and PROXY headers: an answer never changes with what follows, and comes in time', async (t) => {
  const seeds = [
    '1 open 9',
    'PROXY TCP4 192.0.2.7 10.0.0.1 80 90\r\n',
    '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c123456789012',
    'GET / ',
    '12 <3>',
  ].map((text) => Buffer.from(text, 'latin1'))
  await box(
    t,
    fc.oneof(any, bent(seeds)),
    (bytes) => {
      let told = ''
      let header = ''
      for (let end = 0; end <= bytes.length; end++) {
        const first = readFirstBytes(bytes, 0, end)
        if (told !== '' && JSON.stringify(first) !== told) throw new Error(`${told} became ${JSON.stringify(first)}`)
        if (first.kind !== 'need-more') told = JSON.stringify(first)
        else if (end >= FIRST_BYTES_LIMIT) throw new Error('no answer')
        const proxy = readProxyHeader(bytes.subarray(0, end))
        if (header !== '' && JSON.stringify(proxy) !== header) throw new Error(`${header} became ${JSON.stringify(proxy)}`)
        if (proxy.kind !== 'need-more') header = JSON.stringify(proxy)
        else if (end >= PROXY_LIMIT_BYTES) throw new Error('no answer')
      }
    },
    STRANGERS_BOX_MS,
  )
})

const KMSG = ['6,339,5140900,c,caller=T1;NET: a;b\\x0a\n SUBSYSTEM=acpi\n DEVICE=+acpi:x\n', '13,1,2,-;x\\'].map((text) =>
  Buffer.from(text),
)

test("records of the kernel's log", async (t) => {
  await box(t, fc.oneof(any, bent(KMSG)), (bytes) => {
    const result = readKmsg(bytes)
    if (result.kind === 'malformed') return
    const { pri, sequence, text } = result.record
    if (pri < 0 || pri > 191 || !Number.isSafeInteger(sequence) || text.length > bytes.length)
      throw new Error(JSON.stringify(result.record))
  })
})

const JOURNAL = [
  Buffer.from('__CURSOR=s=1;i=2\nPRIORITY=3\nMESSAGE=text\n\n__CURSOR=c\nMESSAGE=text\n\n'),
  Buffer.from('__CURSOR=c\nMESSAGE\n\x05\0\0\0\0\0\0\0a\nb\0c\n\n'),
]

test('entries of the journal: the same however they are cut, and never more than was asked for', async (t) => {
  const read = (bytes: Buffer, piece: number): string => {
    const decoder = new JournalExportDecoder(
      new Map([
        ['MESSAGE', 16],
        ['__CURSOR', 8],
      ]),
    )
    let found = ''
    for (let at = 0; at < bytes.length; at += piece) {
      decoder.push(bytes.subarray(at, at + piece))
      for (let result = decoder.next(); result.kind !== 'need-more'; result = decoder.next()) {
        if (result.kind === 'malformed') return `${found} ${result.reason}`
        for (const [name, one] of result.entry) {
          if (one.bytes.length > 16) throw new Error(`${name} has ${one.bytes.length} bytes`)
          found += ` ${name}=${one.bytes.toString('hex')}`
        }
      }
    }
    return found
  }
  await box(t, fc.tuple(fc.oneof(any, bent(JOURNAL)), fc.integer({ min: 1, max: 40 })), ([bytes, piece]) => {
    const whole = read(bytes, bytes.length + 1)
    if (read(bytes, piece) !== whole) throw new Error(`${bytes.toString('hex')} in pieces of ${piece}`)
  })
})

test('lines of a file: every byte is passed once, and no message is over the limit', async (t) => {
  const lines = fc
    .array(fc.constantFrom(...['a', '1', ' ', '\n', '\n', '\r', '\0', 'x'.repeat(30), 'ü']), { maxLength: 40 })
    .map((parts) => Buffer.from(parts.join('')))
  const rules = fc.constantFrom({ kind: 'none' } as const, { kind: 'indented' } as const, { kind: 'digit' } as const, {
    kind: 'prefix' as const,
    prefix: Buffer.from('a1'),
  })
  await box(
    t,
    fc.tuple(fc.oneof(any, lines), rules, fc.constantFrom('growing', 'quiet', 'ended' as const)),
    ([bytes, multiLine, behind]) => {
      let isCut = false
      for (let at = 0; ; ) {
        const result = nextMessage(bytes, at, bytes.length, isCut, behind as 'ended', { limitBytes: 20, multiLine })
        if (result.kind === 'need-more') {
          if (bytes.length - at > 20 || (behind === 'ended' && at < bytes.length))
            throw new Error(`${bytes.length - at} bytes are held back`)
          return
        }
        if (result.next <= at || result.next > bytes.length) throw new Error(JSON.stringify(result))
        if (
          result.kind === 'message' &&
          (result.from < at || result.to > result.next || result.to - result.from > 20 || result.to <= result.from)
        )
          throw new Error(JSON.stringify(result))
        at = result.next
        isCut = result.isCut
      }
    },
  )
})
