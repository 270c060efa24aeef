// A message as one flat JSON object, its names those of the Elastic Common Schema. docs/rules.md lists them.

import type { MacroSource } from './macro-values.ts'
import { FACILITIES, SEVERITIES } from './priority.ts'
import { visitParams } from './structured-param.ts'

const VERSION = 1
// What JSON lets stand, but would drive a terminal or hide text in it.
const UNSHOWN = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g
/** UTF-16 to UTF-8. */
const BYTES_PER_UNIT = 3

/** Writes the line. Bytes that are no UTF-8 become U+FFFD, so it is valid JSON whatever came. @returns its end, or -1 when it does not fit */
export function jsonLine(source: MacroSource, target: Uint8Array, out: number): number {
  const line = `${JSON.stringify(Object.fromEntries(entries(source))).replace(UNSHOWN, escaped)}\n`
  if (out + line.length * BYTES_PER_UNIT > target.length && out + Buffer.byteLength(line) > target.length) return -1
  return out + Buffer.from(target.buffer as ArrayBuffer, target.byteOffset, target.length).write(line, out)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function entries({ message, context, sent, received }: MacroSource): Map<string, unknown> {
  const found = new Map<string, unknown>()
  const put = (name: string, value: string): void => {
    if (value !== '') found.set(name, value)
  }
  found.set(
    '@timestamp',
    message.isParsed && message.timeEnd - message.timeStart > 1 ? message.string(message.timeStart, message.timeEnd) : sent.iso(true),
  )
  put('event.ingested', received.second === 0 ? '' : received.iso(true))
  put('host.name', context.host)
  put('log.syslog.hostname', message.field(message.hostStart, message.hostEnd))
  put('log.syslog.appname', message.field(message.appStart, message.appEnd))
  put('log.syslog.procid', message.field(message.procStart, message.procEnd))
  put('log.syslog.msgid', message.field(message.idStart, message.idEnd))
  found.set('log.syslog.facility.code', message.pri >>> 3)
  found.set('log.syslog.facility.name', FACILITIES[message.pri >>> 3])
  found.set('log.syslog.severity.code', message.pri & 7)
  found.set('log.syslog.severity.name', SEVERITIES[message.pri & 7])
  found.set('log.syslog.priority', message.pri)
  if (message.isParsed) found.set('log.syslog.version', VERSION)
  put('source.ip', context.sourceIp)
  visitParams(message.bytes, message.dataStart, message.dataEnd, (id, idEnd, name, nameEnd, value, valueEnd) => {
    if (nameEnd === name) return false
    const key = `log.syslog.structured_data.${message.string(id, idEnd)}.${message.string(name, nameEnd)}`
    const text = message.string(value, valueEnd).replace(/\\(["\\\]])/g, '$1')
    const earlier = found.get(key)
    // A name may come more than once in an element (RFC 5424 section 6.3.3).
    if (earlier === undefined) found.set(key, text)
    else if (Array.isArray(earlier)) earlier.push(text)
    else found.set(key, [earlier, text])
    return false
  })
  found.set('message', message.text())
  return found
}
