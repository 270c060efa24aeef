import { BACKSLASH, CLOSE, EQUALS, OPEN, QUOTE, SPACE } from './ascii.ts'

/** The escaped value of a PARAM, between its quotes. */
export interface ParamPlace {
  start: number
  end: number
}

/**
 * Visits the PARAMs of STRUCTURED-DATA at `at..end` (RFC 5424 section 6.3). An element without any is visited once with an empty name.
 * @param visit gets where SD-ID, PARAM-NAME and the value stand; true ends the walk
 * @returns whether a visit gave true
 */
export function visitParams(
  bytes: Uint8Array,
  at: number,
  end: number,
  visit: (id: number, idEnd: number, name: number, nameEnd: number, value: number, valueEnd: number) => boolean,
): boolean {
  let index = at
  while (index < end && bytes[index] === OPEN) {
    const id = ++index
    while (index < end && bytes[index] !== SPACE && bytes[index] !== CLOSE) index++
    const idEnd = index
    if (bytes[index] === CLOSE && visit(id, idEnd, idEnd, idEnd, idEnd, idEnd)) return true
    while (index < end && bytes[index] === SPACE) {
      const name = ++index
      while (index < end && bytes[index] !== EQUALS) index++
      const nameEnd = index
      const value = index + 2
      if (value > end) return false
      index = value
      while (index < end && bytes[index] !== QUOTE) index += isEscape(bytes, index) ? 2 : 1
      if (visit(id, idEnd, name, nameEnd, value, index)) return true
      index++
    }
    index++
  }
  return false
}

/** Only these three are escaped (section 6.3.3); before anything else a backslash is itself. */
export function isEscape(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== BACKSLASH) return false
  const next = bytes[at + 1]
  return next === QUOTE || next === BACKSLASH || next === CLOSE
}

/** Finds the value of `name` in the first element `id`. @returns whether it is there; `place` then tells where */
export function findParam(bytes: Uint8Array, at: number, end: number, id: Uint8Array, name: Uint8Array, place: ParamPlace): boolean {
  return visitParams(bytes, at, end, (idStart, idEnd, nameStart, nameEnd, value, valueEnd) => {
    if (!isSame(bytes, idStart, idEnd, id) || !isSame(bytes, nameStart, nameEnd, name)) return false
    place.start = value
    place.end = valueEnd
    return true
  })
}

export function isSame(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false
  return true
}

/** Whether the escaped value means these bytes. */
export function isValue(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  let index = 0
  for (let at = start; at < end; at++) {
    if (isEscape(bytes, at)) at++
    if (index >= wanted.length || bytes[at] !== wanted[index++]) return false
  }
  return index === wanted.length
}
