// What each macro stands for in one message.

import type { MessageContext, MessageFields } from './message-fields.ts'
import { type MinutesAt, Moment, two } from './moment.ts'
import { FACILITIES, SEVERITIES } from './priority.ts'
import { findParam, isEscape } from './structured-param.ts'

/** One message with all that macros ask for; its fields are located. */
export interface MacroSource {
  readonly message: MessageFields
  readonly context: MessageContext
  /** The message's own time, or that of receipt where it tells none. */
  readonly sent: Moment
  readonly received: Moment
}

/**
 * What a macro stands for: text that we made, or where it stands in the message.
 * The range is written to `range` and nothing returned when it is bytes of the message, so that no string is made of it.
 */
export type MacroValue = (source: MacroSource, range: MacroRange) => string | undefined

export class MacroRange {
  start = 0
  end = 0
}

/** Holds the two moments, and makes the source of a message after the other. */
export class MacroReader implements MacroSource {
  readonly sent: Moment
  readonly received: Moment
  message!: MessageFields
  context!: MessageContext

  constructor(minutesAt: MinutesAt) {
    this.sent = new Moment(minutesAt)
    this.received = new Moment(minutesAt)
  }

  read(message: MessageFields, context: MessageContext): MacroSource {
    message.locate()
    this.message = message
    this.context = context
    const second = Math.floor(context.receivedUs / 1_000_000)
    this.received.set(second, context.receivedUs - second * 1_000_000)
    if (!this.sent.read(message.bytes, message.timeStart, message.timeEnd)) this.sent.set(second, this.received.micros)
    return this
  }
}

function range(start: 'hostStart' | 'appStart' | 'procStart' | 'idStart', end: 'hostEnd' | 'appEnd' | 'procEnd' | 'idEnd'): MacroValue {
  return ({ message }, place) => {
    place.start = message[start]
    place.end = message[end]
    const isNil = place.end - place.start === 1 && message.bytes[place.start] === 0x2d
    return isNil ? '' : undefined
  }
}

const MOMENT_VALUES: Readonly<Record<string, (moment: Moment) => string>> = {
  YEAR: ({ year }) => String(year).padStart(4, '0'),
  MONTH: ({ month }) => two(month),
  DAY: ({ day }) => two(day),
  HOUR: ({ hour }) => two(hour),
  MIN: ({ minute }) => two(minute),
  SEC: ({ secondOfMinute }) => two(secondOfMinute),
  WEEKDAY: ({ weekday }) => weekday,
  DATE: (moment) => moment.bsd(),
  ISODATE: (moment) => moment.iso(false),
  UNIXTIME: ({ second }) => String(second),
}

const VALUES: Readonly<Record<string, MacroValue>> = {
  HOST: ({ context }) => context.host,
  HOST_CLAIMED: range('hostStart', 'hostEnd'),
  PEER: ({ context }) => context.peer,
  VIA: ({ context }) => context.via,
  SOURCEIP: ({ context }) => context.sourceIp,
  PROGRAM: range('appStart', 'appEnd'),
  PID: range('procStart', 'procEnd'),
  MSGID: range('idStart', 'idEnd'),
  FACILITY: ({ message }) => FACILITIES[message.pri >>> 3]!,
  LEVEL: ({ message }) => SEVERITIES[message.pri & 7]!,
  PRI: ({ message }) => String(message.pri),
  TAG: ({ message }) => message.pri.toString(16).padStart(2, '0'),
  MSG: ({ message }, place) => {
    place.start = message.plainTextStart()
    place.end = message.end
    return undefined
  },
  MSGHDR: ({ message }) => {
    const program = message.field(message.appStart, message.appEnd)
    const pid = message.field(message.procStart, message.procEnd)
    return program === '' ? '' : `${program}${pid === '' ? '' : `[${pid}]`}: `
  },
  SDATA: ({ message }, place) => {
    place.start = message.dataStart
    place.end = message.dataEnd
    return place.end - place.start === 1 ? '' : undefined
  },
  UNIQID: ({ context }) => `${context.stream}-${context.sequence}`,
  ...Object.fromEntries(
    Object.entries(MOMENT_VALUES).flatMap(
      ([name, value]): Array<[string, MacroValue]> => [
        [name, ({ sent }) => value(sent)],
        [`R_${name}`, ({ received }) => value(received)],
      ],
    ),
  ),
}

export const MACRO_NAMES: readonly string[] = Object.keys(VALUES)

export function macroValue(name: string): MacroValue | undefined {
  return Object.hasOwn(VALUES, name) ? VALUES[name] : undefined
}

/** The value of a parameter of structured data, unescaped; empty where it is not. */
export function structuredValue(id: string, name: string): MacroValue {
  const idBytes = Buffer.from(id)
  const nameBytes = Buffer.from(name)
  const place = { start: 0, end: 0 }
  return ({ message }, found) => {
    const { bytes, dataStart, dataEnd } = message
    if (!findParam(bytes, dataStart, dataEnd, idBytes, nameBytes, place)) return ''
    for (let at = place.start; at < place.end; at++)
      if (isEscape(bytes, at)) return message.string(place.start, place.end).replace(/\\(["\\\]])/g, '$1')
    found.start = place.start
    found.end = place.end
    return undefined
  }
}
