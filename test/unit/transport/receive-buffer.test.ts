import test from 'ava'
import fc from 'fast-check'
import { ReceiveBuffer } from '../../../core/transport/receive-buffer.ts'
import { nextRelpFrame, relpFrame } from '../../../core/transport/relp.ts'

/** Delivers the bytes in these pieces; gives what was read after each of them. */
function readAfter(chunks: readonly Buffer[]): string[][] {
  const received = new ReceiveBuffer()
  return chunks.map((chunk) => {
    const read: string[] = []
    received.deliver(chunk, (bytes, from, to) => {
      let at = from
      while (at < to) {
        const frame = nextRelpFrame(bytes, at, to, () => 1 << 20)
        if (frame.kind === 'need-more') return { used: at - from, need: frame.bytes }
        if (frame.kind === 'malformed') throw new Error(frame.reason)
        read.push(`${frame.txnr} ${frame.command} ${bytes.toString('latin1', frame.start, frame.end)}`)
        at = frame.next
      }
      return { used: to - from, need: 0 }
    })
    return read
  })
}

test('a frame that comes in two pieces, cut anywhere, is read as soon as it is whole', (t) => {
  for (const frame of [relpFrame(2, 'rsp', '200 OK'), relpFrame(3, 'close', ''), relpFrame(4, 'syslog', 'x'.repeat(200))]) {
    for (let cut = 1; cut < frame.length; cut++) {
      const [early, late] = readAfter([frame.subarray(0, cut), frame.subarray(cut)])
      t.is(early!.length, 0, `${frame.toString('latin1', 0, 12)} cut at ${cut}`)
      t.is(late!.length, 1, `${frame.toString('latin1', 0, 12)} cut at ${cut}`)
    }
  }
})

test('byte by byte, each frame is there with its last byte', (t) => {
  const frames = ['200 OK', '', 'y'.repeat(100), '200 OK'].map((text, index) => relpFrame(index + 1, 'rsp', text))
  const all = Buffer.concat(frames)
  const ends = frames.map((_, index) => frames.slice(0, index + 1).reduce((sum, frame) => sum + frame.length, 0) - 1)
  const read = readAfter(Array.from(all, (byte) => Buffer.from([byte])))
  t.deepEqual(
    read.flatMap((some, at) => some.map(() => at)),
    ends,
  )
})

test('however the bytes are cut, the frames are the same, also when they are larger than what is pooled', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(60), fc.integer({ min: 70_000, max: 90_000 }), fc.integer({ min: 580_000, max: 600_000 })), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
      (lengths, cuts) => {
        const frames = lengths.map((length, index) => relpFrame(index + 1, 'batch', String.fromCharCode(97 + index).repeat(length)))
        const all = Buffer.concat(frames)
        const places = [0, ...cuts.map((cut) => Math.floor(cut * all.length)), all.length].sort((a, b) => a - b)
        const chunks = places.slice(1).map((place, index) => all.subarray(places[index], place))
        t.deepEqual(
          readAfter(chunks.filter((chunk) => chunk.length > 0)).flat(),
          lengths.map((length, index) => `${index + 1} batch ${String.fromCharCode(97 + index).repeat(length)}`),
        )
      },
    ),
    { numRuns: 60 },
  )
})

test('what is held of a frame is told, and dropped with the connection', (t) => {
  const received = new ReceiveBuffer()
  const frame = relpFrame(1, 'syslog', 'x'.repeat(100_000))
  received.deliver(frame.subarray(0, 70_000), () => ({ used: 0, need: frame.length }))
  t.is(received.held, 70_000)
  received.drop()
  t.is(received.held, 0)
})

test('a reader that asks for no more than there is, and uses none, is a bug that is named', (t) => {
  const received = new ReceiveBuffer()
  received.deliver(Buffer.from('abc'), () => ({ used: 0, need: 4 }))
  t.throws(() => received.deliver(Buffer.from('d'), () => ({ used: 0, need: 4 })), { message: /Cannot read a frame/ })
})
