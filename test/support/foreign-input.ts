// Whatever a foreign sender may send, and what its completed message keeps of it.

import fc from 'fast-check'
import { AS_RECEIVED_SD_ID } from '../../core/syslog/as-received.ts'
import { fieldEnd, isTimestamp, structuredDataEnd } from '../../core/syslog/rfc5424.ts'
import type { Foreign } from './foreign.ts'
import { escaped, readVectors, SPARE_HOST } from './foreign-vectors.ts'

interface Parts {
  readonly head: string
  readonly host: string
  readonly data: string
  readonly text: Buffer
}

/** Takes a message of RFC 5424 apart, and throws when it is none. */
function partsOf(message: Buffer): Parts {
  const time = message.indexOf(' ') + 1
  const head = message.toString('latin1', 0, time)
  if (!/^<(\d|[1-9]\d|1[0-8]\d|19[01])>1 $/.test(head)) throw new Error(`PRI and VERSION: ${head}`)
  const ends: number[] = []
  for (const limit of [32, 255, 48, 128, 32]) {
    const end = fieldEnd(message, (ends.at(-1) ?? time - 1) + 1, message.length, limit)
    if (end === -1) throw new Error(`field ${ends.length}: ${escaped(message)}`)
    ends.push(end)
  }
  if (!isTimestamp(message, time, ends[0]!)) throw new Error(`TIMESTAMP: ${escaped(message)}`)
  const data = ends[4]! + 1
  const dataEnd = structuredDataEnd(message, data, message.length)
  if (dataEnd === -1 || (dataEnd < message.length && message[dataEnd] !== 0x20)) throw new Error(`STRUCTURED-DATA: ${escaped(message)}`)
  return {
    head,
    host: message.toString('latin1', ends[0]! + 1, ends[1]!),
    data: message.toString('latin1', data, dataEnd),
    text: message.subarray(dataEnd + 1),
  }
}

/** The input as the output tells it, for the forms that keep it in `head`, or undefined. */
function restored(parts: Parts): Buffer | undefined {
  const head = new RegExp(`^\\[${AS_RECEIVED_SD_ID} form="[^"]*" head="((?:[^"\\\\]|\\\\.)*)"\\]`, 's').exec(parts.data)?.[1]
  return head === undefined ? undefined : Buffer.concat([Buffer.from(head.replace(/\\(["\\\]])/g, '$1'), 'latin1'), parts.text])
}

/** What holds for any input. @throws with what does not */
export function checkForeign(foreign: Foreign, input: Buffer): void {
  const completed = foreign.complete(input)
  const { output } = completed
  const parts = partsOf(output)
  if (parts.host !== completed.host) throw new Error(`HOSTNAME is said to be ${completed.host}: ${escaped(output)}`)
  if (!completed.hasHost && completed.host !== SPARE_HOST) throw new Error(`not the spare host: ${completed.host}`)
  const again = foreign.complete(output)
  if (!again.output.equals(output)) throw new Error(`not the same again: ${escaped(output)} is ${escaped(again.output)}`)
  if (!again.isParsed || again.form !== 'rfc5424') throw new Error(`our own is not understood: ${escaped(output)}`)
  if (!input.subarray(input.length - parts.text.length).equals(parts.text)) throw new Error(`text is not the end of ${escaped(input)}`)
  const whole = completed.form === 'rfc5424' ? undefined : restored(parts)
  if (whole !== undefined && !whole.equals(input)) throw new Error(`${escaped(input)} is restored as ${escaped(whole)}`)
  // What stands behind the input in the memory has no part in the output.
  for (const filler of [0x20, 0x3a, 0x30, 0x5d])
    if (!foreign.complete(input, undefined, undefined, filler).output.equals(output))
      throw new Error(`read behind its end: ${escaped(input)}`)
}

const VECTORS = [...readVectors('rfc3164.txt'), ...readVectors('rfc5424.txt')]
const piece = fc.constantFrom(
  ...['<13>', '<013>', '<', '>', '1 ', ' ', '  ', ':', ': ', '%', '%A-1-B: ', '*', '.', '-', '- ', '[', ']', '"', '\\', '=', '\n', '\0'],
  ...[
    'Mar  1 ',
    'Mar 1 ',
    '10:00:00',
    '10:00:00.5',
    ' 2026 ',
    '2026-03-01T10:00:00Z ',
    '2026 Mar  1 ',
    ' CET',
    ' +0200',
    ' UTC+1',
    '1772359200 ',
  ],
  ...[
    'web01 ',
    'app: ',
    'app[1]: ',
    '123: ',
    '1w2d: ',
    '00:01:02: ',
    '::1 ',
    'Forwarded from ',
    'last message repeated ',
    '[a b="c"]',
    '\ufeff',
  ],
  ...['date=2026-03-01 time=10:00:00', ' tz="', ' devname=', 'x'.repeat(49), 'x'.repeat(130), 'y'.repeat(260), '\u00e9'],
)
/** Random bytes, the pieces that headers are made of in any order, and vectors with something changed. */
export const anyForeignInput = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.array(piece, { maxLength: 16 }).map((pieces) => Buffer.from(pieces.join(''))),
  fc.tuple(fc.constantFrom(...VECTORS), fc.nat(200), fc.nat(12), piece).map(([{ input }, at, cut, put]) => {
    const place = at % (input.length + 1)
    return Buffer.concat([input.subarray(0, place), Buffer.from(put), input.subarray(place + cut)])
  }),
)
