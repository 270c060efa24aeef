// node bench/micro/text-line.ts [rounds]: what one line of a text file costs, by what the message says of its host, and that it allocates nothing.

import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../../core/syslog/text-line.ts'
import { measure } from './measure.ts'

const ORIGIN = 'web01.example.com'
const BATCH = 250
const PASSES = 1000
const TEXT = 'Accepted publickey for deploy from 192.0.2.44 port 51122 ssh2: ED25519 SHA256:0123456789abcdefghijklmnopqrstuvwxyz'
const STAMP = '2026-03-01T10:00:05.123456+00:00'

const MESSAGES: Readonly<Record<string, string>> = {
  'its own name': `<86>1 ${STAMP} web01.example.com sshd 4242 - - ${TEXT}`,
  'its short name': `<86>1 ${STAMP} web01 sshd 4242 - - ${TEXT}`,
  'another name, shown': `<86>1 ${STAMP} db01.example.com sshd 4242 - - ${TEXT}`,
  'with structured data': `<86>1 ${STAMP} web01.example.com sshd 4242 - [sender@32473 pid="4242" uid="0"] ${TEXT}`,
  'with UTF-8': `<86>1 ${STAMP} web01.example.com sshd 4242 - - ${TEXT}äöü`,
  'no header': TEXT,
}

for (const [name, message] of Object.entries(MESSAGES)) {
  const line = Buffer.from(message)
  const memory = new Uint8Array(new ArrayBuffer(1 << 20))
  const places: Array<readonly [number, number]> = []
  let end = 8
  for (let index = 0; index < BATCH; index++) {
    memory.set(line, end)
    places.push([end, end + line.length])
    end += line.length + 4
  }
  const formatter = new TextLineFormatter(memory)
  formatter.setOrigin(ORIGIN)
  if (end + BATCH * (line.length + LINE_EXTRA_BYTES) + LINE_GROWTH * line.length > memory.length) throw new Error('Too little memory')
  measure(`text line: ${name}`, BATCH * PASSES, () => {
    let sum = 0
    for (let pass = 0; pass < PASSES; pass++) {
      formatter.newInput(end)
      let out = end
      for (const [from, to] of places) out = formatter.format(from, to, out)
      sum += out
    }
    return sum
  })
}
