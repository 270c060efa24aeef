// node bench/micro/foreign.ts [rounds]: what completing a foreign message costs, and that it allocates nothing. One line per form.

import { FOREIGN_GROWTH_LIMIT_BYTES, FOREIGN_SCRATCH_BYTES, ForeignCompleter } from '../../core/syslog/foreign.ts'
import { measure } from './measure.ts'

const MESSAGES = 200_000
const BYTES = 200
const SECOND = Date.UTC(2026, 2, 1, 10, 0, 5) / 1000

const TEXT = 'Accepted publickey for deploy from 192.0.2.44 port 51122 ssh2: ED25519 SHA256:0123456789abcdefghijklmnopqrstuvwxyz'

const FORMS: Readonly<Record<string, readonly string[]>> = {
  'RFC 5424': ['<86>1 2026-03-01T10:00:05.123456+00:00 web01.example.com sshd 4242 - - '],
  'RFC 5424 with structured data': [
    '<165>1 2026-03-01T10:00:05.123Z web01.example.com evntslog 4242 ID47 [exampleSDID@32473 iut="3" eventSource="Application"] ',
  ],
  'RFC 5424 with nanoseconds': ['<86>1 2026-03-01T10:00:05.123456789Z web01.example.com sshd 4242 - - '],
  'RFC 3164': ['<86>Mar  1 10:00:05 web01 sshd[4242]: '],
  'RFC 3164, of eight clocks': Array.from({ length: 8 }, (_, index) => `<86>Mar  1 10:0${index}:${11 + 5 * index} web01 sshd[4242]: `),
  'RFC 3164 without tag': ['<86>Mar  1 10:00:05 web01 '],
  'RFC 3339 in its place': ['<86>2026-03-01T10:00:05.123456+00:00 web01 sshd[4242]: '],
  'Cisco IOS': ['<189>123: *Mar  1 00:00:01.234: %SYS-5-CONFIG_I: '],
  'Cisco ASA': ['<166>Mar 01 2026 10:00:00 fw1 : %ASA-6-302013: '],
  'PRI alone': ['<13>'],
  'no header': [''],
}

for (const [name, lines] of Object.entries(FORMS)) {
  const memory = Buffer.from(new ArrayBuffer(FOREIGN_SCRATCH_BYTES + 16 * 512 + 512 + FOREIGN_GROWTH_LIMIT_BYTES))
  const completer = new ForeignCompleter(memory, 0, { minutesAt: () => 0, isTrailerFraming: true })
  completer.setSpareHost('192.0.2.7')
  const starts = lines.map((line, index) => {
    const at = FOREIGN_SCRATCH_BYTES + index * 512
    memory.write((line + TEXT + TEXT).slice(0, BYTES), at, 'latin1')
    return at
  })
  const out = FOREIGN_SCRATCH_BYTES + 16 * 512
  measure(`foreign: ${name}`, MESSAGES, () => {
    let sum = 0
    for (let index = 0; index < MESSAGES; index++) {
      const start = starts[index % starts.length]!
      sum += completer.complete(start, start + BYTES, out, SECOND, 123_456)
    }
    return sum
  })
}
