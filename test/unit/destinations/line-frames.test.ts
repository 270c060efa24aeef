import test from 'ava'
import fc from 'fast-check'
import { LineFrames } from '../../../core/destinations/foreign/line-frames.ts'
import { SyslogDeframer, type SyslogFraming } from '../../../core/transport/syslog-framing.ts'
import { runSeed } from '../../support/random.ts'

const ROOM = 8

/** The frame, written between bytes that must stay; what is measured is what it takes. */
function framed(message: Buffer): { readonly frame: string; readonly escaped: number } {
  let escaped = 0
  const frames = new LineFrames(() => escaped++)
  const bytes = Buffer.concat([Buffer.from('1\n'), message, Buffer.from('\n1')])
  const size = frames.measure(bytes, 2, 2 + message.length)
  const into = Buffer.alloc(size + 2 * ROOM, 0x2e)
  const end = frames.write(into, ROOM, bytes, 2, 2 + message.length)
  if (end !== ROOM + size) throw new Error(`${end - ROOM} bytes, measured ${size}`)
  if (!into.subarray(0, ROOM).every((byte) => byte === 0x2e) || !into.subarray(end).every((byte) => byte === 0x2e))
    throw new Error('wrote outside of the frame')
  return { frame: into.toString('latin1', ROOM, end), escaped }
}

function read(framing: SyslogFraming, sent: string): string[] {
  const got: string[] = []
  const deframer = new SyslogDeframer(framing, 1 << 20, {
    onMessage: (bytes, start, end) => got.push(bytes.toString('latin1', start, end)),
  })
  const broken = deframer.deliver(Buffer.from(sent, 'latin1'))
  return broken === undefined ? got : [broken]
}

for (const [message, frame] of [
  ['<13>1 - - - - - - text', '<13>1 - - - - - - text\n'],
  ['<13>two\nlines\n', '<13>two#012lines#012\n'],
  ['<13>a\0b', '<13>a#000b\n'],
  ['<13>a\rb\r', '<13>a\rb#015\n'],
  ['<13>a\r\n', '<13>a\r#012\n'],
  ['<13>#012 stays as it is', '<13>#012 stays as it is\n'],
  ['20 <13>forged', '#0620 <13>forged\n'],
  ['7', '#067\n'],
  ['\r', '#015\n'],
  ['9\r', '#071#015\n'],
] as const)
  test(`RFC 6587 section 3.4.2: ${JSON.stringify(message)} as a line`, (t) => {
    const isAsItStands = frame === `${message}\n`
    t.deepEqual(framed(Buffer.from(message, 'latin1')), { frame, escaped: isAsItStands ? 0 : 1 })
  })

test('attack: no message ends its frame early, or makes what follows it a part of itself', (t) => {
  const byte = fc.constantFrom(...Buffer.from('\n\0\r0 9<>ax#', 'latin1'))
  const messages = fc.array(fc.array(byte, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(messages, (all) => {
      const frames = all.map((bytes) => framed(Buffer.from(bytes)).frame)
      const got = read('lines', frames.join(''))
      if (JSON.stringify(got) !== JSON.stringify(frames.map((frame) => frame.slice(0, -1)))) throw new Error(JSON.stringify(got))
      if (frames.some((frame) => /^\d/.test(frame))) throw new Error('begins as a count does')
    }),
    { seed: runSeed(), numRuns: 3000 },
  )
  t.pass()
})
