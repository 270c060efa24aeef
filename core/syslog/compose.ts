// RFC 5424 messages from parts that are known one by one: what sources other than syslog's own bring.

import { formatTimestamp } from './timestamp.ts'

const HOSTNAME_LIMIT = 255
const APP_NAME_LIMIT = 48
const PROCID_LIMIT = 128

export interface MessageHead {
  readonly pri: number
  /** Microseconds since 1970 UTC. */
  readonly timeUs: number
  readonly hostname: string
  /** Any text; what the field may not hold is replaced. */
  readonly program: string
  readonly procid: string
  /** SD-ELEMENTs as `element` makes them, or '' for none. */
  readonly structured: string
}

/** Text as a field of PRINTUSASCII: other characters become `_`, nothing becomes the NILVALUE. */
export function headerField(text: string, limit: number): string {
  const field = text.slice(0, limit).replace(/[^\x21-\x7e]/g, '_')
  return field === '' ? '-' : field
}

/** All of the message before MSG, with the space before it. */
export function composeHead(head: MessageHead): string {
  const { pri, timeUs, hostname, program, procid, structured } = head
  return `<${pri}>1 ${formatTimestamp(timeUs)} ${headerField(hostname, HOSTNAME_LIMIT)} ${headerField(program, APP_NAME_LIMIT)} ${headerField(procid, PROCID_LIMIT)} - ${structured === '' ? '-' : structured} `
}

/**
 * `[id name="value" ...]`; '' when no parameter has a value. The names are those of a fixed list, the values any text.
 * @see RFC 5424 section 6.3.3
 */
export function element(id: string, parameters: ReadonlyArray<readonly [name: string, value: string | undefined]>): string {
  let text = ''
  for (const [name, value] of parameters) {
    if (value === undefined || value === '') continue
    text += ` ${name}="${value.toWellFormed().replace(/["\\\]]/g, '\\$&')}"`
  }
  return text === '' ? '' : `[${id}${text}]`
}
