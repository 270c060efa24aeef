// Where to listen, as written in a configuration.

import { z } from 'zod'
import { isLoopback, parseAddress } from '../base/address.ts'
import { textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import type { Bind } from './bind.ts'

export const ACTIVATED = /^systemd:([A-Za-z0-9_.-]{1,255})$/

/** One place or several. @param plain without TLS: nothing but loopback */
export function bindOption(sense: string, plain: boolean): z.ZodType<Bind[]> {
  const example = plain ? '127.0.0.1:5140 or "[::1]:5140"' : '0.0.0.0:6514 or "[::]:6514"'
  const allowed = `an address such as ${example}, or systemd:NAME for a socket that systemd passes, or a list of these`
  const one = textOption<Bind>({ sense, allowed }, (text) => {
    const name = ACTIVATED.exec(text)?.[1]
    if (name !== undefined) return { value: { kind: 'activated', name } }
    const result = parseAddress(text, 0)
    if (result.kind !== 'ok') return { reason: result.reason }
    const { host, port } = result.value
    if (plain && !isLoopback(host)) {
      return { reason: `${host} is not loopback, and without TLS anyone on the way could read and forge; use a tls listener there` }
    }
    return { value: { kind: 'address', host, port } }
  })
  const several = z.array(one).min(1).register(optionNotes, { allowed })
  return z
    .union([one.transform((bind) => [bind]), several])
    .register(optionNotes, { allowed })
    .describe(`${sense}: ${allowed}`)
}
