import type { z } from 'zod'
import { textOption } from '../base/option-kinds.ts'
import { normalisePin } from './pins.ts'

/** A pin in a configuration, in its one spelling. */
export function pinOption(sense: string): z.ZodType<string> {
  return textOption({ sense, allowed: 'a pin such as sha-256:AB:CD:... of a certificate or spki-sha256:abcd... of a key' }, (text) => {
    const value = normalisePin(text)
    return value === undefined ? { reason: 'not the SHA-256 of a certificate or key' } : { value }
  })
}
