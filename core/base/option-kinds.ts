import { z } from 'zod'
import { type Address, parseAddress } from './address.ts'
import { optionNotes } from './option-notes.ts'

const PATH_MAX_BYTES = 4095
/** sun_path of FreeBSD with its final NUL, the shortest of our platforms. */
export const SOCKET_PATH_MAX_BYTES = 103

/** A path, absolute or relative to the working directory; not touched and not resolved here. */
export function pathOption(sense: string, maxBytes: number = PATH_MAX_BYTES): z.ZodType<string> {
  const allowed = `a path of at most ${maxBytes} bytes`
  return textOption({ sense, allowed }, (text) => {
    if (text === '') return { reason: 'empty' }
    if (text.includes('\0')) return { reason: 'a NUL byte in it' }
    const length = Buffer.byteLength(text)
    return length > maxBytes ? { reason: `${length} bytes` } : { value: text }
  })
}

/** An absolute path, such as the example. */
export function absolutePathOption(sense: string, example: string, maxBytes: number = PATH_MAX_BYTES): z.ZodType<string> {
  return textOption({ sense, allowed: `an absolute path such as ${example}` }, (text) => {
    if (!text.startsWith('/')) return { reason: 'not absolute' }
    if (text.includes('\0')) return { reason: 'a NUL byte in it' }
    return Buffer.byteLength(text) > maxBytes ? { reason: `over ${maxBytes} bytes` } : { value: text }
  })
}

/** `host:port`, split. @param lowestPort 0 for a listener, where it means any free port */
export function addressOption(sense: string, example: string, lowestPort: 0 | 1 = 1): z.ZodType<Address> {
  return textOption({ sense, allowed: `an address such as ${example}` }, (text) => {
    const result = parseAddress(text, lowestPort)
    return result.kind === 'ok' ? { value: result.value } : { reason: result.reason }
  })
}

/** File permissions as octal text, `"0640"`, to their bits. In quotes, as YAML 1.2 reads a bare 0640 as six hundred and forty. */
export function modeOption(sense: string, fallback: string): z.ZodType<number> {
  const allowed = `octal permissions in quotes such as "${fallback}", from "0000" to "0777"`
  const mode = textOption({ sense, allowed }, (text) => {
    return /^0?[0-7]{3}$/.test(text) ? { value: Number.parseInt(text, 8) } : { reason: 'not three octal digits after a 0' }
  })
  return mode.default(Number.parseInt(fallback, 8)).describe(`${sense}: ${allowed}; default "${fallback}"`)
}

/** The same option, which may be absent; its description stays. */
export function optionalOption<T>(option: z.ZodType<T>): z.ZodOptional<z.ZodType<T>> {
  return option.optional().describe(option.description ?? '')
}

/** An option made from text: `read` gives its value, or the reason why there is none. */
export function textOption<T>(
  notes: { readonly sense: string; readonly allowed: string },
  read: (text: string) => { value: T } | { reason: string },
): z.ZodType<T> {
  const option = z.string().transform((text, context) => {
    const result = read(text)
    if ('value' in result) return result.value
    context.addIssue({ code: 'custom', message: result.reason })
    return z.NEVER
  })
  return option.register(optionNotes, { allowed: notes.allowed }).describe(`${notes.sense}: ${notes.allowed}`)
}
