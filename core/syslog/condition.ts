// Tests over one message, built up from small ones; each can say in words what it asks.

import { type Network, Networks } from '../base/networks.ts'
import { ByteSearch } from './byte-search.ts'
import type { LinearRegex } from './linear-regex.ts'
import type { MessageContext, MessageFields } from './message-fields.ts'
import type { NameList } from './name-test.ts'
import { isSame, isValue, visitParams } from './structured-param.ts'

export interface Condition {
  /** What it asks: `program sshd`. */
  readonly text: string
  /** What it is made of, where it is made of others. */
  readonly parts: readonly Condition[]
  /** How the parts count; undefined for one that has none. */
  readonly how: 'all' | 'any' | 'not' | undefined
  holds(message: MessageFields, context: MessageContext): boolean
}

export function single(text: string, holds: Condition['holds']): Condition {
  return { text, parts: [], how: undefined, holds }
}

export function allOf(parts: readonly Condition[]): Condition {
  if (parts.length === 1) return parts[0]!
  const holds: Condition['holds'] = (message, context) => {
    for (let index = 0; index < parts.length; index++) if (!parts[index]!.holds(message, context)) return false
    return true
  }
  return { text: joined(parts, ' and '), parts, how: 'all', holds }
}

export function anyOf(parts: readonly Condition[]): Condition {
  if (parts.length === 1) return parts[0]!
  const holds: Condition['holds'] = (message, context) => {
    for (let index = 0; index < parts.length; index++) if (parts[index]!.holds(message, context)) return true
    return false
  }
  return { text: joined(parts, ' or '), parts, how: 'any', holds }
}

export function notOf(part: Condition): Condition {
  return { text: `not (${part.text})`, parts: [part], how: 'not', holds: (message, context) => !part.holds(message, context) }
}

function joined(parts: readonly Condition[], word: string): string {
  return parts.map((part) => (part.parts.length > 1 ? `(${part.text})` : part.text)).join(word)
}

export function programCondition(names: NameList): Condition {
  return single(`program ${names.text}`, (message) => {
    message.locate()
    const { bytes, appStart, appEnd } = message
    for (const pattern of names.patterns) if (pattern.matches(bytes, appStart, appEnd)) return !names.isExcluded
    return names.isExcluded
  })
}

/** `host`, or with another `of` the peer. The answer for a name is kept, as all messages of a batch have the same. */
export function hostCondition(names: NameList, word: 'host' | 'peer' = 'host'): Condition {
  let lastName: string | undefined
  let lastLocal: string | undefined
  let isLast = false
  return single(`${word} ${names.text}`, (_, context) => {
    const name = context[word]
    if (name === lastName && context.localHost === lastLocal) return isLast
    const bytes = Buffer.from(name)
    const isNamed =
      (names.hasLocal && name.toLowerCase() === context.localHost.toLowerCase()) ||
      names.patterns.some((pattern) => pattern.matches(bytes, 0, bytes.length))
    lastName = name
    lastLocal = context.localHost
    isLast = isNamed !== names.isExcluded
    return isLast
  })
}

/** Where the originator was when the first relay took the message from it; no network has a message of which that is not known. */
export function sourceAddressCondition(networks: readonly Network[], text: string): Condition {
  const all = new Networks(networks)
  let last: string | undefined
  let isLast = false
  return single(`source address ${text}`, (_, { sourceIp }) => {
    if (sourceIp === last) return isLast
    last = sourceIp
    isLast = all.has(sourceIp)
    return isLast
  })
}

/** Whether the text has any of these in it, byte for byte. */
export function matchCondition(texts: readonly string[]): Condition {
  const searches = texts.map((text) => new ByteSearch(Buffer.from(text)))
  return single(`text has ${texts.map((text) => JSON.stringify(text)).join(' or ')}`, (message) => {
    message.locate()
    for (const search of searches) if (search.isIn(message.bytes, message.textStart, message.end)) return true
    return false
  })
}

export function regexCondition(regex: LinearRegex): Condition {
  return single(`text matches ${regex.text}`, (message) => regex.test(message.text()))
}

/** Whether there is the element, and in it the parameter, and that with the value; as far as each is named. */
export function structuredDataCondition(id: string, name: string | undefined, value: string | undefined): Condition {
  const idBytes = Buffer.from(id)
  const nameBytes = name === undefined ? undefined : Buffer.from(name)
  const valueBytes = value === undefined ? undefined : Buffer.from(value)
  const text = `structured data ${id}${name === undefined ? '' : ` ${name}`}${value === undefined ? '' : ` = ${JSON.stringify(value)}`}`
  return single(text, (message) => {
    message.locate()
    const { bytes } = message
    return visitParams(bytes, message.dataStart, message.dataEnd, (idStart, idEnd, nameStart, nameEnd, valueStart, valueEnd) => {
      if (!isSame(bytes, idStart, idEnd, idBytes)) return false
      if (nameBytes === undefined) return true
      if (!isSame(bytes, nameStart, nameEnd, nameBytes)) return false
      return valueBytes === undefined || isValue(bytes, valueStart, valueEnd, valueBytes)
    })
  })
}

/** Facility and level by a table, where it cannot be merged into that of the rule. */
export function tableCondition(text: string, bits: Uint8Array): Condition {
  return single(text, (message) => ((bits[message.pri >>> 3]! >>> (message.pri & 7)) & 1) === 1)
}
