// node bench/micro/framing.ts [rounds]: taking frames out of what a socket delivers, 16 KiB at a time as TLS does.

import { SyslogDeframer, type SyslogFraming } from '../../core/transport/syslog-framing.ts'
import { measure } from './measure.ts'

const MESSAGES = 100_000
const BYTES = 200
const CHUNK = 16_384

for (const framing of ['octet-counted', 'lines'] satisfies SyslogFraming[]) {
  const text = 'x'.repeat(BYTES)
  const one = framing === 'lines' ? `${text}\n` : `${BYTES} ${text}`
  const all = Buffer.from(one.repeat(MESSAGES))
  measure(`framing: ${framing}`, MESSAGES, () => {
    let messages = 0
    const deframer = new SyslogDeframer(framing, 65_536, { onMessage: () => void messages++ })
    for (let at = 0; at < all.length; at += CHUNK) deframer.deliver(all.subarray(at, at + CHUNK))
    if (messages !== MESSAGES) throw new Error(`${messages} of ${MESSAGES}`)
    return messages
  })
}
