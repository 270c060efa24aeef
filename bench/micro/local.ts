// node bench/micro/local.ts [rounds]: what completing a message of the local socket costs, by what wrote it.

import { GROWTH_LIMIT_BYTES, LocalCompleter, SCRATCH_BYTES } from '../../core/syslog/local.ts'
import { measure } from './measure.ts'

const MESSAGES = 200_000
const SECOND = Date.UTC(2026, 2, 1, 10, 0, 5) / 1000
const TEXT = 'Accepted publickey for deploy from 192.0.2.44 port 51122 ssh2: ED25519 SHA256:0123456789abcdefghijklmnopqrstuvwxyz'

const FORMS: Readonly<Record<string, string>> = {
  'syslog(3)': `<86>Mar  1 10:00:05 sshd[4242]: ${TEXT}`,
  'syslog(3) without pid': `<86>Mar  1 10:00:05 sshd: ${TEXT}`,
  'of another time': `<86>Mar  1 09:00:05 sshd[4242]: ${TEXT}`,
  'RFC 5424': `<86>1 2026-03-01T10:00:05.123456+00:00 web01.example.com sshd 4242 - - ${TEXT}`,
  'no header': TEXT,
}

for (const [name, form] of Object.entries(FORMS)) {
  const line = Buffer.from(form)
  const memory = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES + 2 * line.length + GROWTH_LIMIT_BYTES + 64))
  const completer = new LocalCompleter(memory, 0, 'web01.example.com')
  const start = SCRATCH_BYTES
  memory.set(line, start)
  const end = start + line.length
  measure(`local: ${name}`, MESSAGES, () => {
    let sum = 0
    for (let index = 0; index < MESSAGES; index++) sum += completer.complete(start, end, end + 4, SECOND, index % 1_000_000, 4242, 1000)
    return sum
  })
}
